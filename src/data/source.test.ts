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

  it("JSON Lines with the name .json, and an array with the name .jsonl", async () => {
    const both = [sky, { kind: "instruction", instruction: "Who?", response: "Me." }];
    const lines = `${qa("Why?", "Because.")}\n${qa("Who?", "Me.")}\n`;
    const array = `\uFEFF \n[${qa("Why?", "Because.")},\n${qa("Who?", "Me.")}]`;
    for (const text of [lines, `\uFEFF${lines}`, array]) {
      expect((await load("a.json", text)).map(({ content }) => content)).toEqual(both);
      expect((await load("a.jsonl", text)).map(({ content }) => content)).toEqual(both);
    }
    expect((await load("a.json", lines)).map(({ id, line }) => [id, line])).toEqual([
      ["a.json#1", 1],
      ["a.json#2", 2],
    ]);
    const one = '{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}';
    expect(await load("a.json", one)).toHaveLength(1);
  });

  it("JSON Lines with lines that end with CR", async () => {
    const text = `${qa("Why?", "Because.")}\r\r${qa("Who?", "Me.")}\r`;
    expect((await load("a.jsonl", text)).map(({ line }) => line)).toEqual([1, 3]);
  });

  it("NaN and infinities as Python writes them, but not in texts", async () => {
    const text =
      '{"question": "NaN \\"NaN, -Infinity", "answer": "NaN", "input": NaN, "score": [-Infinity, Infinity, 1]}';
    const { records } = await loadRecords(files({ "a.jsonl": text }), "a.jsonl");
    expect(records[0]!.content).toEqual({
      kind: "instruction",
      instruction: 'NaN "NaN, -Infinity',
      response: "NaN",
    });
    expect(records[0]!.fields["score"]).toEqual([-Infinity, Infinity, 1]);
    await expect(load("a.jsonl", '{"question": NaNs}')).rejects.toThrow("a.jsonl line 1: not valid JSON");
  });

  it("UTF-16, with its byte order mark or without", async () => {
    const little = (text: string): Uint8Array => Buffer.from(text, "utf16le");
    const big = (text: string): Uint8Array => Buffer.from(text, "utf16le").swap16();
    const table = "question\tanswer\r\nWhy é?\tBecause 🙂.\r\n";
    const expected = [{ kind: "instruction", instruction: "Why é?", response: "Because 🙂." }];
    for (const bytes of [little(`\uFEFF${table}`), big(`\uFEFF${table}`), little(table), big(table)]) {
      expect((await load("a.csv", bytes)).map(({ content }) => content)).toEqual(expected);
    }
    for (const text of [`[${qa("Why é?", "Because 🙂.")}]`, `${qa("Why é?", "Because 🙂.")}\n`]) {
      expect((await load("a.json", little(`\uFEFF${text}`))).map(({ content }) => content)).toEqual(expected);
      expect((await load("a.jsonl", big(`\uFEFF${text}`))).map(({ content }) => content)).toEqual(expected);
    }
    await expect(load("a.csv", Uint8Array.of(0xff, 0xfe, 0x00, 0xd8))).rejects.toThrow("a.csv: not UTF-16LE text");
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
    await expect(load("a.jsonl", `${qa("a", "b")}\n["a"]`)).rejects.toThrow(
      "a.jsonl line 2: an array, expected one JSON object per line",
    );
  });

  it("a JSON file of another shape", async () => {
    await expect(load("a.json", '{"question": ["a", "b"], "answer": ["c", "d"]}')).rejects.toMatchObject({
      message: "a.json: an object of columns (question, answer), expected an array of records",
    });
    await expect(load("a.json", '{"data": []}')).rejects.toMatchObject({
      hint: 'Save the array under "data" as the file.',
    });
    await expect(load("a.json", '{"question": {"0": "a"}, "answer": {"0": "c"}}')).rejects.toMatchObject({
      message: "a.json: an object of columns (question, answer), expected an array of records",
      hint: expect.stringContaining('orient="records"') as string,
    });
    await expect(load("a.json", '"a"')).rejects.toThrow("a.json: a string, expected an array of records");
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
