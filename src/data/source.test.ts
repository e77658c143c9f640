import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { FileReader } from "./file-reader.ts";
import { loadRecords, type SourceOptions } from "./source.ts";

function files(contents: Record<string, string | Uint8Array>): FileReader {
  return {
    async read(path) {
      const content = contents[path]!;
      return typeof content === "string" ? new TextEncoder().encode(content) : content;
    },
  };
}

async function load(
  path: string,
  content: string | Uint8Array,
  options?: SourceOptions,
): Promise<{ id: string; line: number | undefined; content: unknown }[]> {
  const { records } = await loadRecords(files({ [path]: content }), path, options);
  return records.map(({ id, source, content }) => ({ id, line: source.line, content }));
}

const qa = (question: string, answer: string): string => JSON.stringify({ question, answer });
const sky = { kind: "instruction", instruction: "Why?", response: "Because." };

describe("formats", () => {
  it("JSON Lines: byte order mark, CRLF, blank lines, no line break at the end", async () => {
    const text = `\uFEFF${qa("Why?", "Because.")}\r\n\r\n  \n${qa("Who?", "Me.")}`;
    expect(await load("clients/bank.jsonl", text)).toEqual([
      { id: "bank.jsonl#1", line: 1, content: sky },
      { id: "bank.jsonl#2", line: 4, content: { kind: "instruction", instruction: "Who?", response: "Me." } },
    ]);
  });

  it("packed JSON Lines", async () => {
    expect(await load("a/b.jsonl.gz", gzipSync(qa("Why?", "Because.")))).toEqual([
      { id: "b.jsonl.gz#1", line: 1, content: sky },
    ]);
    await expect(load("b.jsonl.gz", gzipSync(qa("Why?", "Because.")).subarray(0, 20))).rejects.toMatchObject({
      kind: "data",
      message: expect.stringMatching(/^b\.jsonl\.gz: damaged gzip data/) as string,
    });
  });

  it("JSON, CSV and TSV give the same records", async () => {
    const json = await load("x.json", `[${qa("Why?", "Because.")}]`);
    expect(json.map(({ content }) => content)).toEqual([sky]);
    expect((await load("x.csv", "question,answer\nWhy?,Because.\n")).map(({ content }) => content)).toEqual([sky]);
    expect((await load("x.tsv", "question\tanswer\nWhy?\tBecause.\n")).map(({ content }) => content)).toEqual([sky]);
  });

  it("a format given by name wins over the extension", async () => {
    expect(await load("x.txt", qa("Why?", "Because."), { format: "jsonl" })).toHaveLength(1);
    await expect(load("x.jsnl", "")).rejects.toMatchObject({
      message: "x.jsnl: unknown data format, expected one of jsonl, json, csv, tsv, parquet",
      hint: "If it is jsonl, set `format: jsonl`.",
    });
  });
});

describe("errors name the place", () => {
  it("a bad line", async () => {
    await expect(
      load("clients/bank.jsonl", `${qa("a", "b")}\n`.repeat(16) + '{"question": "a",}\n'),
    ).rejects.toMatchObject({
      kind: "data",
      message: expect.stringMatching(/^clients\/bank\.jsonl line 17: not valid JSON \(.+\)$/) as string,
    });
    await expect(load("a.jsonl", Uint8Array.of(0x22, 0xff, 0x22))).rejects.toThrow("a.jsonl line 1: not UTF-8 text");
    await expect(load("a.jsonl", '["a"]')).rejects.toThrow(
      "a.jsonl line 1: an array, expected one JSON object per line",
    );
  });

  it("a JSON file of another shape", async () => {
    await expect(load("a.json", '{"question": ["a", "b"], "answer": ["c", "d"]}')).rejects.toMatchObject({
      message: "a.json: an object of columns (question, answer), expected an array of records",
    });
    await expect(load("a.json", '{"data": []}')).rejects.toMatchObject({
      hint: 'Save the array under "data" as the file.',
    });
    await expect(load("a.json", `${qa("a", "b")}\n${qa("c", "d")}`)).rejects.toMatchObject({
      hint: "This looks like JSON Lines: name the file .jsonl or set `format: jsonl`.",
    });
    await expect(load("a.jsonl", `[\n${qa("a", "b")}\n]`)).rejects.toMatchObject({
      hint: "Name the file .json or set `format: json`.",
    });
    await expect(load("a.json", "[1]")).rejects.toThrow("a.json record 1: a number, expected an object");
    await expect(load("a.json", "[]")).rejects.toThrow("a.json: no records");
  });

  it("counts every bad record and reports the first, or leaves them out when asked", async () => {
    const text = [
      qa("a", "b"),
      qa("c", " \n"),
      qa("d", "e"),
      '{"question": "f"}',
      '{"question": "g", "answer": 4}',
    ].join("\n");
    await expect(load("a.jsonl", text)).rejects.toMatchObject({
      kind: "data",
      message:
        'a.jsonl line 2: the response is empty: expected text under "response" or "output" or "answer" or "completion" or "solution" (2 more records cannot be used either)',
    });
    const { records, skipped } = await loadRecords(files({ "a.jsonl": text }), "a.jsonl", { invalid: "skip" });
    expect(records.map(({ id }) => id)).toEqual(["a.jsonl#1", "a.jsonl#3"]);
    expect(skipped.map(({ source, problem }) => [source.line, problem.split(":")[0]])).toEqual([
      [2, "the response is empty"],
      [4, "no response"],
      [5, "the response is a number"],
    ]);
  });
});
