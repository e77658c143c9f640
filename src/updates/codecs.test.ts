import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { goldenJson } from "../../test/support/golden.ts";
import type { UpdateGroups } from "../algorithms/algorithm.ts";
import type { Groups } from "../tensor/groups.ts";
import { globalNorm, type Params, subtract } from "../tensor/params.ts";
import { type RandomStream, stream } from "../tensor/random.ts";
import { PackedReader, PackedWriter } from "./packed.ts";
import { largestIndices, readIndices, writeIndices } from "./sparse.ts";
import type { Stage, StageContext } from "./stage.ts";
import { type StageName, stagesOf } from "./stage-registry.ts";
import { decodeUpdate, encodeUpdate, packed, sentUpdate, unpacked, type UpdateContext, wireShape } from "./wire.ts";

interface FeedbackRow {
  readonly delta: number[];
  readonly sent: number[];
  readonly error_after: number[];
  readonly accepted: boolean;
}
const golden = goldenJson("compression.json");

const stage = (name: StageName, settings: object = {}): Stage => stagesOf([{ name, ...settings }])[0]!;
const hex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
const matrix = (rows: readonly (readonly number[])[]): Params =>
  new Map([["lora_A.weight", { shape: [rows.length, rows[0]!.length], data: Float64Array.from(rows.flat()) }]]);
const vector = (values: readonly number[]): Params =>
  new Map([["w", { shape: [values.length], data: Float64Array.from(values) }]]);
const numbers = (of: Params | undefined): number[] => [...of!.values()].flatMap(({ data }) => [...data]);

/** A context whose uniform numbers are those of the golden file. */
function inContext(uniforms: readonly number[]): StageContext {
  const random = (): RandomStream => {
    let next = 0;
    return { ...stream(0), uniform: () => uniforms[next++]! } as RandomStream;
  };
  return { round: 1, client: "a", received: new Map(), random, shared: random };
}

/** Format, round, length of the name, name. */
const HEADER = 4;
const pack = (of: Stage, delta: Params, uniforms: readonly number[] = []): Uint8Array =>
  of.codec!.pack({ delta }, inContext(uniforms)).slice(HEADER);
const both = (of: Stage, delta: Params, uniforms: readonly number[] = []): number[] => {
  const bytes = of.codec!.pack({ delta }, inContext(uniforms));
  return numbers(of.codec!.unpack(bytes, { delta }, { round: 1, client: "a" })["delta"]);
};

describe("the golden bytes", () => {
  const { x, uniforms } = golden;
  const u = uniforms.flat();
  const scales = (of: readonly number[]): string => hex(new Uint8Array(Float32Array.from(of).buffer));
  const random = { errorFeedback: false };

  it("int8", () => {
    const bytes = pack(stage("int8"), matrix(x), u);
    expect(hex(bytes.slice(0, 16))).toBe(scales(golden.int8.scales_float32));
    expect([...new Int8Array(bytes.slice(16))]).toEqual(golden.int8.q.flat());
    expect(both(stage("int8"), matrix(x), u)).toEqual(golden.int8.decoded.flat());
  });

  it("int4, the first number in the low half of a byte", () => {
    const bytes = pack(stage("int4", random), matrix(x), u);
    expect(hex(bytes)).toBe(scales(golden.int4.scales_float32) + golden.int4.packed_low_nibble_first);
    expect(both(stage("int4", random), matrix(x), u)).toEqual(golden.int4.decoded.flat());
  });

  it("ternary, five trits a byte", () => {
    const values = x.flat().slice(0, 16);
    const bytes = pack(stage("ternary", random), vector(values), u);
    expect(hex(bytes)).toBe(scales([golden.terngrad.scale]) + golden.terngrad.packed_5_per_byte);
    expect(both(stage("ternary", random), vector(values), u)).toEqual(
      golden.terngrad.decoded.map((t: number) => t + 0),
    );
  });

  it("top-k: places and values, of equal ones the lower place", () => {
    const values = x.flat().slice(0, 16);
    const settings = { share: 5 / 16, values: "float16" };
    expect(both(stage("topk", settings), vector(values))).toEqual(golden.topk.decoded);
    // The bitmap is shorter.
    expect(hex(pack(stage("topk", settings), vector(values)).slice(0, 3))).toBe(`01${golden.topk.bitmap}`);
    const far = golden.topk_far;
    const writer = new PackedWriter("topk", { round: 1, client: "a" });
    writeIndices(writer, Uint32Array.from(far.indices), far.n);
    const bytes = writer.done();
    expect(hex(bytes.slice(HEADER))).toBe(`00${far.varint}`);
    const reader = new PackedReader(bytes, "topk", { round: 1, client: "a" });
    expect([...readIndices(reader, 4, far.n)]).toEqual(far.indices);
  });
});

it("the largest are those of a sort, of equal ones the first", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 1, maxLength: 40 }),
      fc.nat(39),
      (list, more) => {
        const k = 1 + (more % list.length);
        const order = list.map((_, i) => i).sort((a, b) => Math.abs(list[b]!) - Math.abs(list[a]!) || a - b);
        expect([...largestIndices(Float64Array.from(list), k)]).toEqual(order.slice(0, k).sort((a, b) => a - b));
      },
    ),
  );
  expect(largestIndices(new Float64Array(3), 0)).toHaveLength(0);
});

describe("groups of one scale", () => {
  it("run along the long side: a row of A, a column of B", () => {
    const count = (shape: number[]): number => {
      const size = shape.reduce((a, b) => a * b);
      const delta = new Map([["w", { shape, data: new Float32Array(size) }]]);
      return (pack(stage("int8"), delta).length - size) / 4;
    };
    expect([count([8, 896]), count([896, 8]), count([8, 8]), count([7])]).toEqual([8, 8, 8, 1]);
  });
});

const values = fc.float({ noNaN: true, noDefaultInfinity: true, min: -8, max: 8 });
const shapes = fc.constantFrom([2, 7], [7, 2], [3, 3], [5], [1, 1], [6, 1], [2, 2, 3]);
const tensors: fc.Arbitrary<Params> = fc
  .array(shapes, { minLength: 1, maxLength: 3 })
  .chain((all) =>
    fc
      .tuple(...all.map((shape) => fc.array(values, lengthOf(shape)).map((data) => ({ shape, data }))))
      .map((list) => new Map(list.map(({ shape, data }, i) => [`t${i}`, { shape, data: Float64Array.from(data) }]))),
  );
function lengthOf(shape: readonly number[]): { minLength: number; maxLength: number } {
  const length = shape.reduce((a, b) => a * b, 1);
  return { minLength: length, maxLength: length };
}
const contextOf = (received: Params): UpdateContext => ({ round: 3, client: "ann", received, seed: 7 });
const zeros = (like: Params): Params =>
  new Map([...like].map(([name, { shape, data }]) => [name, { shape, data: new Float32Array(data.length) }]));
const groupsOf = (like: Params): UpdateGroups => ({
  adapter: { like, weighting: "records", combined: "mean" },
  control: { like, weighting: "uniform", combined: "sum" },
});

/** The update as the coordinator has it, and what the client keeps. */
function through(stages: readonly Stage[], delta: Params, control: Params) {
  const received = zeros(delta);
  const [groups, context] = [groupsOf(received), contextOf(received)];
  const encoded = encodeUpdate({ adapter: delta, control }, stages, context);
  const bytes = packed(encoded.groups, stages, context);
  const wire = bytes === undefined ? encoded.groups : unpacked(bytes, stages, wireShape(groups, stages), context)!;
  const decoded = decodeUpdate(wire, groups, stages, context);
  return { bytes, decoded, ...sentUpdate(encoded, wire, groups, stages, context) };
}

describe("what the coordinator decodes", () => {
  const cases: [StageName, object, (x: number, largest: number) => number][] = [
    ["int8", {}, (_, largest) => largest / 127],
    ["int8", { errorFeedback: true }, (_, largest) => largest / 127 / 2],
    ["int4", { errorFeedback: false }, (_, largest) => largest / 7],
    ["int4", {}, (_, largest) => largest / 7 / 2],
    ["ternary", { errorFeedback: false }, (_, largest) => largest],
    ["ternary", {}, (_, largest) => largest / 2],
    ["topk", { share: 1 }, (_, largest) => largest / 127 / 2],
    ["topk", { share: 1, values: "float16" }, (x) => Math.max(Math.abs(x) * 2 ** -11, 2 ** -25)],
    ["randomk", { share: 1 }, (x) => Math.abs(x) * 2 ** -24 + 2 ** -149],
  ];
  for (const [name, settings, step] of cases) {
    it(`is within one step of what was sent: ${name} ${JSON.stringify(settings)}`, () => {
      fc.assert(
        fc.property(tensors, (delta) => {
          const control = new Map([...delta].reverse());
          const { decoded } = through([stage(name, settings)], delta, control);
          const all = numbers(delta).reduce((most, x) => Math.max(most, Math.abs(x)), 0);
          for (const [group, wanted] of [
            ["adapter", delta],
            ["control", control],
          ] as const) {
            for (const [tensor, { data }] of wanted) {
              for (const [i, x] of data.entries()) {
                const got = decoded[group]!.get(tensor)!.data[i]!;
                expect(Math.abs(got - x)).toBeLessThanOrEqual(step(x, all) * (1 + 1e-6) + 1e-40);
              }
            }
          }
        }),
      );
    });
  }

  it("has the right mean where numbers are rounded at random", () => {
    const delta = vector([0.3, -1, 0.72, 0.001]);
    for (const [name, share] of [
      ["int8", 1],
      ["int4", 1],
      ["ternary", 1],
      ["randomk", 0.5],
    ] as const) {
      const settings = { errorFeedback: false, ...(name === "randomk" && { share }) };
      const sums = new Float64Array(4);
      const received = zeros(delta);
      const stages = [stage(name, settings)];
      for (let round = 1; round <= 1500; round++) {
        const context = { ...contextOf(received), round };
        const { groups } = encodeUpdate({ adapter: delta }, stages, context);
        const bytes = packed(groups, stages, context);
        const shape = wireShape({ adapter: groupsOf(received)["adapter"]! }, stages);
        const wire = bytes === undefined ? groups : unpacked(bytes, stages, shape, context)!;
        const back = decodeUpdate(wire, { adapter: groupsOf(received)["adapter"]! }, stages, context);
        numbers(back["adapter"]).forEach((x, i) => (sums[i]! += x / 1500));
      }
      numbers(delta).forEach((x, i) => expect(Math.abs(sums[i]! - x), `${name} ${i}`).toBeLessThan(0.1));
    }
  });

  it("is the same for all clients in its places under randomk, and nothing else", () => {
    const delta = vector(Array.from({ length: 50 }, (_, i) => i + 1));
    const places = (client: string, round: number): string => {
      const context = { ...contextOf(zeros(delta)), client, round };
      return numbers(
        encodeUpdate({ adapter: delta }, [stage("randomk", { share: 0.2 })], context).groups["delta"],
      ).join();
    };
    expect(places("ann", 1)).toBe(places("bob", 1));
    expect(places("ann", 1)).not.toBe(places("ann", 2));
    expect(places("ann", 1).split(",")).toHaveLength(10);
  });

  it("goes through randomk and a codec after it", () => {
    const delta = matrix([[1, -2, 3, -4]]);
    const { decoded, bytes, unsent } = through([stage("randomk", { share: 0.5 }), stage("int8")], delta, delta);
    expect(bytes!.length).toBe(1 + 1 + 1 + 3 + 2 * (4 + 2));
    const sent = numbers(decoded["adapter"]);
    expect(sent.filter((x) => x !== 0)).toHaveLength(2);
    numbers(unsent).forEach((e, i) => expect(e + sent[i]!).toBeCloseTo(numbers(delta)[i]!, 12));
  });
});

describe("error feedback", () => {
  /** Plays rounds of one client; `e` is what it has not sent. */
  function play(deltas: readonly number[][], accepted: readonly boolean[], of: Stage, missed = 0) {
    let e: Params | undefined;
    const received = zeros(vector(deltas[0]!));
    const [groups, context] = [{ adapter: groupsOf(received)["adapter"]! }, contextOf(received)];
    return deltas.map((delta, i) => {
      const encoded = encodeUpdate({ adapter: vector(delta) }, [of], context, e && { change: e, missed });
      const wire = unpacked(packed(encoded.groups, [of], context)!, [of], wireShape(groups, [of]), context)!;
      const sent = sentUpdate(encoded, wire, groups, [of], context);
      const before = e;
      if (accepted[i]!) e = sent.unsent;
      return { sent: numbers(sent.groups["delta"]), before, after: e };
    });
  }

  it("repeats the golden fractions exactly, and counts only what a round accepted", () => {
    const rows = golden.ef14_top1 as readonly FeedbackRow[];
    const accepted = rows.map((row) => row.accepted);
    const played = play(
      rows.map(({ delta }) => delta),
      accepted,
      stage("topk", { share: 0.25, values: "float16" }),
    );
    for (const [i, { sent, after }] of played.entries()) {
      expect(sent).toEqual(rows[i]!.sent);
      expect(numbers(after)).toEqual(rows[i]!.error_after);
    }
    // Σ sent + e = Σ Δ over the accepted rounds.
    for (let coordinate = 0; coordinate < 4; coordinate++) {
      const counted = rows.filter((row) => row.accepted);
      const sum = (key: "sent" | "delta"): number => counted.reduce((total, row) => total + row[key][coordinate]!, 0);
      expect(sum("sent") + numbers(played.at(-1)!.after)[coordinate]!).toBe(sum("delta"));
    }
  });

  it("loses nothing, whatever is sent: Σ sent + e = Σ Δ", () => {
    const delta = fc.array(
      fc.integer({ min: -64, max: 64 }).map((x) => x / 64),
      { minLength: 6, maxLength: 6 },
    );
    fc.assert(
      fc.property(
        fc.array(delta, { minLength: 1, maxLength: 6 }),
        fc.constantFrom("int4", "ternary", "topk"),
        (rows, name) => {
          const played = play(
            rows,
            rows.map(() => true),
            stage(name),
          );
          const dropped = played.some(
            ({ before }, i) => before && globalNorm(before) > 10 * globalNorm(vector(rows[i]!)),
          );
          if (dropped) return;
          const { after } = played.at(-1)!;
          for (let i = 0; i < 6; i++) {
            const sent = played.reduce((sum, row) => sum + row.sent[i]!, 0);
            expect(sent + numbers(after)[i]!).toBeCloseTo(
              rows.reduce((sum, row) => sum + row[i]!, 0),
              10,
            );
          }
        },
      ),
    );
  });

  it("counts less for each missed round, and is dropped beyond ten times the change", () => {
    const of = stage("topk", { share: 0.25, values: "float16" });
    const wanted = (delta: number[], e: number[], missed: number): number[] => {
      const received = zeros(vector(delta));
      const context = contextOf(received);
      const unsent = { change: vector(e), missed };
      return numbers(encodeUpdate({ adapter: vector(delta) }, [of], context, unsent).groups["delta"]);
    };
    expect(wanted([1, 0, 0, 0], [0, 2, 0, 0], 0)).toEqual([1, 2, 0, 0]);
    expect(wanted([1, 0, 0, 0], [0, 2, 0, 0], 3)).toEqual([1, 2 * 0.9 ** 3, 0, 0]);
    expect(wanted([1, 0, 0, 0], [0, 10, 0, 0], 0)).toEqual([1, 10, 0, 0]);
    expect(wanted([1, 0, 0, 0], [0, 10.5, 0, 0], 0)).toEqual([1, 0, 0, 0]);
    expect(wanted([1, 0, 0, 0], [0, 10.5, 0, 0], 1)).toEqual([1, 0.9 * 10.5, 0, 0]);
    expect(wanted([0, 0, 0, 0], [0, 1, 0, 0], 0)).toEqual([0, 0, 0, 0]);
  });

  it("leaves less than was wanted with every codec, so that the memory does not grow", () => {
    fc.assert(
      fc.property(tensors, fc.constantFrom("int4", "ternary", "topk", "randomk"), (delta, name) => {
        const { unsent } = through([stage(name)], delta, delta);
        expect(globalNorm(unsent!)).toBeLessThanOrEqual(globalNorm(delta) * (1 + 1e-6));
      }),
    );
  });

  it("is on unless switched off, and for int8 the other way", () => {
    const kept = (name: StageName, settings = {}): unknown => stage(name, settings).errorFeedback;
    expect(["int8", "int4", "ternary", "topk", "randomk"].map((name) => kept(name as StageName))).toEqual([
      false,
      true,
      true,
      true,
      true,
    ]);
    expect([kept("int8", { errorFeedback: true }), kept("topk", { errorFeedback: false })]).toEqual([true, false]);
    expect(kept("clip", { maxNorm: 1 })).toBeUndefined();
  });
});

describe("bytes of another party", () => {
  const CODECS: [StageName, object][] = [
    ["int8", {}],
    ["int4", {}],
    ["ternary", {}],
    ["topk", { share: 0.3 }],
    ["topk", { share: 0.3, values: "float16" }],
  ];
  const groups = (delta: Params): Groups => ({ delta, control: delta });
  const place = { round: 3, client: "ann" };

  it("are refused with a sentence where they are of another length, round, client or codec", () => {
    const delta = matrix([
      [1, 2, -3],
      [0, 0.5, 4],
    ]);
    for (const [name, settings] of CODECS) {
      const of = stage(name, settings).codec!;
      const bytes = of.pack(groups(delta), { ...inContext([]), ...place });
      const reading =
        (given: Uint8Array, at = place) =>
        () =>
          of.unpack(given, groups(delta), at);
      expect(reading(bytes)).not.toThrow();
      expect(reading(bytes.slice(0, -1))).toThrow("are missing");
      expect(reading(Uint8Array.of(...bytes, 0))).toThrow("1 bytes too many");
      expect(reading(new Uint8Array(0))).toThrow("are missing");
      expect(reading(bytes, { round: 4, client: "ann" })).toThrow("another round or another client");
      expect(reading(bytes, { round: 3, client: "bob" })).toThrow("another round or another client");
      expect(reading(bytes.with(0, 9))).toThrow(`in no packing of ours, not as ${name}`);
      expect(reading(bytes.with(0, name === "int8" ? 2 : 1))).toThrow(`packed as ${name === "int8" ? "int4" : "int8"}`);
    }
  });

  it("are refused or give finite numbers of the right shape, whatever they are", () => {
    const delta = matrix([
      [1, 2, -3, 7],
      [0, 0.5, 4, 9],
      [1, 1, 1, 1],
    ]);
    fc.assert(
      fc.property(fc.constantFrom(...CODECS), fc.uint8Array({ maxLength: 60 }), fc.nat(60), (codec, noise, at) => {
        const of = stage(...codec).codec!;
        const bytes = of.pack(groups(delta), { ...inContext([]), ...place });
        for (const given of [noise, bytes.map((byte, i) => (i < at ? byte : (noise[i] ?? byte)))]) {
          let back: Groups;
          try {
            back = of.unpack(given, groups(delta), place);
          } catch (error) {
            expect(error).toMatchObject({ kind: "model" });
            continue;
          }
          expect(numbers(back["delta"]).every(Number.isFinite)).toBe(true);
          expect(subtract(back["delta"]!, delta).size).toBe(1);
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("sizes", () => {
  /** LoRA of q and v in 24 layers like those of Qwen2.5-0.5B: the first row of the golden sizes. */
  it("are those of the golden table, with a header of a few bytes in place of 8.6 kB", () => {
    const [row] = golden.sizes;
    const { rank: r } = row!;
    const delta = new Map<string, { shape: number[]; data: Float64Array }>();
    const random = stream(1, "sizes");
    const add = (name: string, shape: [number, number]): void => {
      delta.set(name, { shape, data: Float64Array.from({ length: shape[0] * shape[1] }, () => random.normal()) });
    };
    for (let layer = 0; layer < 24; layer++) {
      for (const [module, out] of [
        ["q", 896],
        ["v", 128],
      ] as const) {
        add(`${layer}.${module}.lora_A`, [r, 896]);
        add(`${layer}.${module}.lora_B`, [out, r]);
      }
    }
    const header = 8 + 90 * row!.tensors;
    const bytes = (name: StageName, settings = {}): number => pack(stage(name, settings), delta).length;
    expect(bytes("int8", { errorFeedback: true })).toBe(row!.int8_scale_per_rank_component - header);
    expect(bytes("int4")).toBe(row!.int4_scale_per_rank_component - header);
    // Each tensor's last byte may hold fewer than five trits.
    expect(bytes("ternary") - (row!.ternary_5_per_byte - header)).toBeLessThan(row!.tensors);
    expect(bytes("topk") / row!.float32).toBeLessThan(0.0075);
  });
});
