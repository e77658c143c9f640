import { expect, test } from "vitest";
import type { Params } from "../tensor/params.ts";
import type { Example } from "../data/example.ts";
import type { TrainingItem } from "../data/items/registry.ts";
import { referenceOf } from "./reference.ts";

const sequence = (id: string): Example => ({
  id,
  tokens: Int32Array.of(0, Number(id)),
  supervised: Uint8Array.of(0, 1),
});
const adapter: Params = new Map([["w", { shape: [1], data: Float32Array.of(5) }]]);

test("every answer gets the score of its own sequence, with the adapter given", async () => {
  const seen: number[][] = [];
  const score = async (params: Params, sequences: readonly Example[]) => {
    seen.push([...params.get("w")!.data]);
    return sequences.map(({ id }) => ({ logProbability: -Number(id), tokens: 1 }));
  };
  const items: TrainingItem[] = [
    { id: "p", chosen: sequence("1"), rejected: sequence("2") },
    sequence("9"),
    { id: "r", answer: sequence("3"), mismatched: sequence("4"), desirable: false },
    { id: "q", chosen: sequence("5"), rejected: sequence("6"), reference: { chosen: 0, rejected: 0 } },
  ];
  expect(await referenceOf({ score }, adapter, items)).toEqual([
    { ...items[0], reference: { chosen: -1, rejected: -2 } },
    items[1],
    { ...items[2], reference: { answer: -3, mismatched: -4 } },
    { ...items[3], reference: { chosen: -5, rejected: -6 } },
  ]);
  expect(seen).toEqual([[5]]);
});
