import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { readConfigFile } from "../src/node/config-file.ts";

const examples = path.join(import.meta.dirname, "../examples");
const config = readConfigFile(path.join(examples, "quickstart.yaml"));
const labels = config.evaluation.labels!;

interface Request {
  readonly instruction: string;
  readonly response: string;
}

function requests(files: string | readonly string[] | undefined): Request[] {
  return [files ?? []].flat().flatMap((file) =>
    readFileSync(path.join(examples, file), "utf8")
      .trimEnd()
      .split("\n")
      .map((line): Request => JSON.parse(line)),
  );
}

function runsOfWords({ instruction }: Request, length: number): string[] {
  const words = instruction.toLowerCase().match(/[a-z']+/g) ?? [];
  return words.slice(length - 1).map((_, i) => words.slice(i, i + length).join(" "));
}

const clients = config.data.clients!.map(({ name, train, heldOut }) => ({
  name,
  train: requests(train),
  heldOut: requests(heldOut),
}));
const desksOf = (all: readonly Request[]): string[] => [...new Set(all.map(({ response }) => response))].sort();

describe("the quickstart's requests", () => {
  test("go to two desks of each client, which nobody else has, and 15 of each desk are held out", () => {
    for (const { train, heldOut } of clients) {
      expect(desksOf(train)).toHaveLength(2);
      expect(desksOf(heldOut)).toEqual(desksOf(train));
      for (const desk of desksOf(heldOut)) expect(heldOut.filter(({ response }) => response === desk)).toHaveLength(15);
    }
    expect(clients.flatMap(({ train }) => desksOf(train)).sort()).toEqual([...labels].sort());
  });

  test("that are held out have no six words in a row with anybody's training requests", () => {
    const trained = new Set(clients.flatMap(({ train }) => train).flatMap((request) => runsOfWords(request, 6)));
    expect(trained.size).toBeGreaterThan(1000);
    const seen = clients
      .flatMap(({ heldOut }) => heldOut)
      .filter((request) => runsOfWords(request, 6).some((words) => trained.has(words)));
    expect(seen).toEqual([]);
  });

  test("of evaluation.prompts are held out", () => {
    const heldOut = clients.flatMap((client) => client.heldOut.map(({ instruction }) => instruction));
    for (const prompt of config.evaluation.prompts) expect(heldOut).toContain(prompt);
  });
});
