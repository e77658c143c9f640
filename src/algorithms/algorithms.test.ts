import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { floats, records, start } from "../../test/support/clients.ts";
import { bits, made, play, SETTINGS, trained } from "../../test/support/play.ts";
import { type AlgorithmName, ALGORITHMS } from "./registry.ts";

const NAMES = Object.keys(ALGORITHMS) as AlgorithmName[];
const FEDERATED = NAMES.filter((name) => name !== "local");

describe("every algorithm", () => {
  it.each(FEDERATED)("%s: as many equal clients as you like are one client, bit for bit", async (name) => {
    await fc.assert(
      fc.asyncProperty(floats, fc.array(records, { minLength: 1, maxLength: 6 }), async (offset, sizes) => {
        const alike = sizes.map((n, client) => ({ client, offset: [...offset], records: n }));
        const many = await play(name, SETTINGS, start, [alike, alike], sizes.length);
        const one = await play(name, SETTINGS, start, [alike.slice(0, 1), alike.slice(0, 1)], 1);
        expect(bits(many.global)).toEqual(bits(one.global));
      }),
    );
  });

  it.each(NAMES)("%s: clients that did not move leave everything where it is", async (name) => {
    for (const fidelity of ["paper", "original"] as const) {
      for (const aggregator of ["mean", "median"] as const) {
        const still = [{ client: 0, offset: [0, 0, 0, 0], records: 3 }];
        const { global } = await play(name, { ...SETTINGS, fidelity }, start, [still, still], 3, aggregator);
        expect(bits(global)).toEqual(bits(start));
      }
    }
  });

  it.each(NAMES)("%s keeps the adapter in float32, and says its own name", async (name) => {
    const algorithm = made(name, SETTINGS);
    expect(algorithm.name).toBe(name);
    const { global } = await play(name, SETTINGS, start, [[{ client: 0, offset: [1, 2, 3, 4], records: 3 }]]);
    expect(global.get("lora_A.weight")!.data).toBeInstanceOf(Float32Array);
  });

  it.each(NAMES)("%s reports the groups, names and shapes that it declares", (name) => {
    for (const fidelity of ["paper", "original"] as const) {
      const algorithm = made(name, { ...SETTINGS, fidelity });
      const received = { round: 1, adapter: start, extra: algorithm.broadcast(algorithm.init(start), 1) };
      const { update } = algorithm.report(trained(start, start), received, {});
      const shapes = (of: readonly (readonly [string, typeof start])[]): unknown =>
        of.map(([group, tensors]) => [group, [...tensors].map(([tensor, { shape }]) => [tensor, shape])]);
      const declared = Object.entries(algorithm.update(start, 1)).map(([group, { like }]) => [group, like] as const);
      expect(shapes(Object.entries(update))).toEqual(shapes(declared));
    }
  });
});
