import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { UpdateGroups } from "../algorithms/algorithm.ts";
import type { Groups } from "../tensor/groups.ts";
import { globalNorm, mapParams, type Params, parameterCount, scale, subtract } from "../tensor/params.ts";
import type { Stage } from "./stage.ts";
import { stagesOf } from "./stage-registry.ts";
import { decodeUpdate as decoded, encodeUpdate as encoded, type UpdateContext, wireShape } from "./wire.ts";

const floats = (size: number): fc.Arbitrary<Float32Array> =>
  fc.float32Array({ minLength: size, maxLength: size, noNaN: true, noDefaultInfinity: true, min: -8, max: 8 });
const tensors: fc.Arbitrary<Params> = fc.tuple(floats(6), floats(3)).map(
  ([a, b]) =>
    new Map([
      ["lora_A.weight", { shape: [2, 3], data: a }],
      ["lora_B.weight", { shape: [3], data: b }],
    ]),
);
const maxNorms = fc.double({ min: 1e-3, max: 100, noNaN: true });

const contextOf = (received: Params, changes: Partial<UpdateContext> = {}): UpdateContext => ({
  round: 3,
  client: "ann",
  received,
  seed: 7,
  ...changes,
});
const encodeUpdate = (...given: Parameters<typeof encoded>): Groups => encoded(...given).groups;
const groupsOf = (adapter: Params): UpdateGroups => ({
  adapter: { like: adapter, weighting: "records", combined: "mean" },
  control: { like: adapter, weighting: "uniform", combined: "sum" },
});
const decodeUpdate = (wire: Groups, stages: readonly Stage[], context: UpdateContext): Groups =>
  decoded(wire, groupsOf(context.received), stages, context);
const clip = (maxNorm: number): Stage[] => stagesOf([{ name: "clip", maxNorm } as { name: "clip" }]);
const numbers = (of: Params | undefined): number[] => [...of!.values()].flatMap(({ data }) => [...data]);
const bits = (of: Params | undefined): number[] =>
  [...of!.values()].flatMap(({ data }) => [...new Uint8Array(data.slice().buffer)]);
const row = (...data: number[]): Params => new Map([["w", { shape: [data.length], data: Float32Array.from(data) }]]);

/** A stage that changes what passes, and undoes it; `trace` says who was there. */
function scaled(name: string, factor: number, trace: string[] = []): Stage {
  const each = (groups: Groups, by: number): Groups =>
    Object.fromEntries(Object.entries(groups).map(([group, params]) => [group, scale(params, by)]));
  return {
    name,
    encode: (groups) => (trace.push(`encode ${name}`), each(groups, factor)),
    decode: (groups) => (trace.push(`decode ${name}`), each(groups, 1 / factor)),
    shape: (groups) => groups,
  };
}

/** A stage that sends one vector instead of the tensors. */
const flat: Stage = {
  name: "flat",
  encode: ({ delta, ...others }) => ({
    flat: new Map([["all", { shape: [parameterCount(delta!)], data: Float32Array.from(numbers(delta)) }]]),
    ...others,
  }),
  decode({ flat: sent, ...others }, { received }) {
    let at = 0;
    const { data } = sent!.get("all")!;
    const delta = new Map(
      [...received].map(([name, { shape, data: own }]) => [name, { shape, data: data.slice(at, (at += own.length)) }]),
    );
    return { delta, ...others };
  },
  shape: ({ delta, ...others }) => ({
    flat: new Map([["all", { shape: [parameterCount(delta!)], data: new Float32Array(parameterCount(delta!)) }]]),
    ...others,
  }),
};

describe("an update without stages", () => {
  it("travels as it is: the same object, both ways", () => {
    fc.assert(
      fc.property(tensors, tensors, (adapter, received) => {
        const update = { adapter, control: received };
        const wire = encodeUpdate(update, [], contextOf(received));
        expect(wire).toBe(update);
        expect(decodeUpdate(wire, [], contextOf(received))).toBe(update);
      }),
    );
  });
});

describe("an update with stages", () => {
  it("travels as the change of the adapter, first of all groups; the others pass", () => {
    const [received, adapter, control] = [row(1, 2), row(1.5, 1), row(9, 9)];
    const context = contextOf(received);
    const wire = encodeUpdate({ adapter, control }, clip(10), context);
    expect(Object.keys(wire)).toEqual(["delta", "control"]);
    expect(numbers(wire["delta"])).toEqual([0.5, -1]);
    expect(wire["control"]).toBe(control);
    const back = decodeUpdate(wire, clip(10), context);
    expect(Object.keys(back)).toEqual(["adapter", "control"]);
    expect(numbers(back["adapter"])).toEqual([1.5, 1]);
  });

  it("comes back to the last bit of float32, through stages that can be undone", () => {
    fc.assert(
      fc.property(tensors, tensors, (adapter, received) => {
        const context = contextOf(received);
        const stages = [scaled("double", 2), flat, scaled("eightfold", 8)];
        const back = decodeUpdate(encodeUpdate({ adapter }, stages, context), stages, context);
        const plain = numbers(subtract(adapter, received));
        // received + delta is in float64, so nothing is rounded but the delta itself.
        const base = numbers(received);
        expect(numbers(back["adapter"])).toEqual(plain.map((delta, i) => delta + base[i]!));
        numbers(adapter).forEach((x, i) =>
          expect(Math.abs(numbers(back["adapter"])[i]! - x)).toBeLessThanOrEqual(2 ** -24 * Math.abs(plain[i]!)),
        );
      }),
    );
  });

  it("goes through the stages in their order, and back in the reverse order", () => {
    const trace: string[] = [];
    const stages = [scaled("a", 2, trace), scaled("b", 4, trace)];
    const context = contextOf(row(0));
    decodeUpdate(encodeUpdate({ adapter: row(1) }, stages, context), stages, context);
    expect(trace).toEqual(["encode a", "encode b", "decode b", "decode a"]);
  });

  it("is another one where the order is another: clip then double, double then clip", () => {
    const context = contextOf(row(0, 0));
    const update = { adapter: row(3, 4) };
    const norm = (stages: Stage[]): number => globalNorm(encodeUpdate(update, stages, context)["delta"]!);
    expect(norm([...clip(1), scaled("double", 2)])).toBeCloseTo(2, 5);
    expect(norm([scaled("double", 2), ...clip(1)])).toBeCloseTo(1, 5);
  });

  it("has the shape on the wire that is declared", () => {
    fc.assert(
      fc.property(tensors, (adapter) => {
        const groups = groupsOf(adapter);
        const shapes = (of: Groups): unknown =>
          Object.entries(of).map(([group, params]) => [group, [...params].map(([name, { shape }]) => [name, shape])]);
        for (const stages of [[], clip(1), [flat], [...clip(1), flat, scaled("half", 0.5)]]) {
          const wire = encodeUpdate({ adapter, control: adapter }, stages, contextOf(adapter));
          expect(shapes(wireShape(groups, stages))).toEqual(shapes(wire));
        }
      }),
    );
  });

  it("gives each stage a random stream of its round, client, seed and place, the same on both sides", () => {
    const drawn: number[] = [];
    const noting: Stage = {
      ...scaled("noting", 1),
      encode: (groups, { random }) => (drawn.push(random("x").uint32()), groups),
      decode: (groups, { random }) => (drawn.push(random("x").uint32()), groups),
    };
    const stages = [noting, noting];
    const run = (changes: Partial<UpdateContext>): void => {
      const context = contextOf(row(0), changes);
      decodeUpdate(encodeUpdate({ adapter: row(1) }, stages, context), stages, context);
    };
    run({});
    const [first, second, secondBack, firstBack] = drawn;
    expect([firstBack, secondBack]).toEqual([first, second]);
    for (const changes of [{ round: 4 }, { client: "bob" }, { seed: 8 }]) run(changes);
    // Two places in each of four runs.
    expect(new Set(drawn).size).toBe(8);
  });
});

describe("clip", () => {
  it("(3, 4) to at most 1 is (0.6, 0.8); to at most 5 it stays", () => {
    const context = contextOf(row(0, 0));
    const delta = (maxNorm: number): number[] =>
      numbers(encodeUpdate({ adapter: row(3, 4) }, clip(maxNorm), context)["delta"]);
    expect(delta(1)[0]).toBeCloseTo(0.6, 6);
    expect(delta(1)[1]).toBeCloseTo(0.8, 6);
    expect(delta(5)).toEqual([3, 4]);
  });

  it("takes the norm over all tensors together, and leaves other groups alone", () => {
    const received: Params = new Map([
      ["lora_A.weight", { shape: [1], data: Float32Array.of(0) }],
      ["lora_B.weight", { shape: [1], data: Float32Array.of(0) }],
    ]);
    const adapter: Params = new Map([
      ["lora_A.weight", { shape: [1], data: Float32Array.of(30) }],
      ["lora_B.weight", { shape: [1], data: Float32Array.of(-40) }],
    ]);
    const wire = encodeUpdate({ adapter, control: adapter }, clip(5), contextOf(received));
    expect(numbers(wire["delta"])[0]).toBeCloseTo(3, 5);
    expect(numbers(wire["delta"])[1]).toBeCloseTo(-4, 5);
    expect(wire["control"]).toBe(adapter);
  });

  it("never leaves a longer change than maxNorm, keeps its direction, and changes no argument", () => {
    fc.assert(
      fc.property(tensors, maxNorms, (adapter, maxNorm) => {
        const received = mapParams(adapter, () => 0);
        const before = bits(adapter);
        const delta = encodeUpdate({ adapter }, clip(maxNorm), contextOf(received))["delta"]!;
        expect(globalNorm(delta)).toBeLessThanOrEqual(maxNorm);
        const norm = globalNorm(adapter);
        if (norm > maxNorm) {
          expect(globalNorm(delta)).toBeGreaterThan(maxNorm * (1 - 1e-6));
          numbers(delta).forEach((x, i) =>
            expect(Math.abs(x - (numbers(adapter)[i]! * maxNorm) / norm)).toBeLessThanOrEqual(1e-6 * maxNorm),
          );
        }
        expect(bits(adapter)).toEqual(before);
      }),
    );
  });

  it("leaves a change that is short enough as it is, bit for bit", () => {
    fc.assert(
      fc.property(tensors, tensors, (adapter, received) => {
        const delta = subtract(adapter, received);
        const clipped = encodeUpdate({ adapter }, clip(globalNorm(delta) + 1e-9), contextOf(received))["delta"]!;
        expect(bits(clipped)).toEqual(bits(delta));
      }),
    );
  });
});
