import type { UpdateGroups } from "../../algorithms/algorithm.ts";
import { type Weighting, weightOf } from "../../algorithms/settings.ts";
import { type Grid, fromGrid, gridFor, quantise } from "../../secagg/grid.ts";
import { newWords, type Words } from "../../secagg/mask.ts";
import type { SecureRules, SharedNoise } from "../../secagg/rules.ts";
import type { Groups } from "../../tensor/groups.ts";
import type { Params } from "../../tensor/params.ts";

/** Words before the numbers: the client's weight, then zeros. Their sum is known, so a sum that does not unmask is found out. */
export const CHECK_WORDS = 4;

/** Range of groups beside the change of the adapter: SCAFFOLD's differences of gradients of norm 1 or less. */
const OTHER_RANGE = 2;

/** The way in which the groups of an update become words. All clients of a round have the same. */
export interface VectorLayout {
  readonly words: number;
  readonly groups: readonly {
    readonly name: string;
    readonly like: Params;
    readonly weighting: Weighting;
    readonly combined: "mean" | "sum";
    readonly grid: Grid;
    /** The place of its first number. */
    readonly at: number;
    readonly length: number;
  }[];
}

/**
 * The layout of vectors. A group that is weighted by records has a coarser grid than one in which all count alike.
 *
 * @param groups of an update, with `delta` in the place of `adapter`
 * @param shape of the groups that clients send
 * @param clients that the round was opened for
 */
export function vectorLayout(
  groups: UpdateGroups,
  shape: Groups,
  { rules, clients, weightMax }: { rules: SecureRules; clients: number; weightMax: number },
): VectorLayout {
  let at = CHECK_WORDS;
  const placed = Object.entries(shape).map(([name, like]) => {
    // A stage may send groups of other names.
    const { weighting, combined } = groups[name] ?? groups["delta"]!;
    const { bits } = rules;
    const range = name === "delta" ? rules.range : Math.max(rules.range, OTHER_RANGE);
    const { noise } = rules;
    const grid =
      noise !== undefined
        ? { bits, range: Number.POSITIVE_INFINITY, scale: 1 / noise.step }
        : gridFor({ bits, range, clients, weightMax: weighting === "records" ? weightMax : 1 });
    const length = [...like.values()].reduce((sum, { data }) => sum + data.length, 0);
    const place = at;
    at += length;
    return { name, like, weighting, combined, grid, at: place, length };
  });
  return { words: at, groups: placed };
}

/**
 * A client's groups as words, weighted and rounded.
 *
 * @param uniform secret numbers for rounding, one for each word, as whole numbers of 2⁻³²s
 * @throws Error for a number that is not finite
 */
export function toWords(
  groups: Groups,
  layout: VectorLayout,
  { bits, records, uniform }: { bits: SecureRules["bits"]; records: number; uniform: Uint32Array },
): Words {
  const words = newWords(bits, layout.words);
  words[0] = records;
  for (const { name, weighting, grid, at } of layout.groups) {
    let place = at;
    for (const { data } of groups[name]!.values()) {
      const end = place + data.length;
      const part = { weight: weightOf(weighting, records), grid, uniform: uniform.subarray(place, end) };
      quantise(data, part, words.subarray(place, end));
      place = end;
    }
  }
  return words;
}

/**
 * A client's groups as words, with noise. All numbers together have a norm of at most `clip`, also after they were cut toward
 * zero onto the grid.
 *
 * @param draws noise in steps of the grid, one for each number
 * @throws Error for a number that is not finite
 */
export function toNoisyWords(
  groups: Groups,
  layout: VectorLayout,
  { bits, noise, draws }: { bits: SecureRules["bits"]; noise: SharedNoise; draws: Int32Array },
): Words {
  const words = newWords(bits, layout.words);
  words[0] = 1;
  const parts = layout.groups.flatMap(({ name }) => [...groups[name]!.values()].map(({ data }) => data));
  let squares = 0;
  for (const data of parts) for (const x of data) squares += x * x;
  if (!Number.isFinite(squares)) throw new Error("the update has a number that is not finite");
  const norm = Math.sqrt(squares);
  // What rounding adds in sums of squares is far below 10⁻⁹.
  const factor = norm <= noise.clip * (1 - 1e-9) ? 1 : (noise.clip / norm) * (1 - 1e-9);
  let place = 0;
  for (const data of parts) {
    for (const x of data) {
      words[CHECK_WORDS + place] = Math.trunc((x * factor) / noise.step) + draws[place]!;
      place++;
    }
  }
  return words;
}

/** The groups of an unmasked sum, in float64: means over the survivors, or over `divisor`, or sums. */
export function fromWords(words: Words, layout: VectorLayout, records: readonly number[], divisor?: number): Groups {
  return dividedBy(words, layout, ({ weighting, combined }) =>
    combined === "sum" ? 1 : (divisor ?? records.reduce((total, each) => total + weightOf(weighting, each), 0)),
  );
}

/** The groups of one client as the grid has them. */
export function roundedGroups(words: Words, layout: VectorLayout, records: number): Groups {
  return dividedBy(words, layout, ({ weighting }) => weightOf(weighting, records));
}

function dividedBy(
  words: Words,
  layout: VectorLayout,
  divisorOf: (group: VectorLayout["groups"][number]) => number,
): Groups {
  return Object.fromEntries(
    layout.groups.map((group) => {
      const { name, like, grid, at, length } = group;
      const sum = fromGrid(words.subarray(at, at + length), grid);
      const divisor = divisorOf(group);
      let place = 0;
      const tensors = [...like].map(([tensor, { shape, data }]) => {
        const part = sum.subarray(place, (place += data.length)).map((value) => value / divisor);
        return [tensor, { shape, data: part }] as const;
      });
      return [name, new Map(tensors)];
    }),
  );
}

/** True where the check words of a sum are those of survivors with these records. */
export function isUnmasked(words: Words, records: readonly number[]): boolean {
  const expected = newWords(words instanceof Uint16Array ? 16 : 32, CHECK_WORDS);
  expected[0] = records.reduce((total, each) => total + each, 0);
  return expected.every((word, i) => word === words[i]);
}

/** Words as they travel, and back. Little-endian, as every platform of ours is. */
export function wordBytes(words: Words): Uint8Array<ArrayBuffer> {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}

export function wordsOf(bytes: Uint8Array, bits: SecureRules["bits"]): Words {
  // A copy: the bytes of a store need not begin at a multiple of four.
  const { buffer } = new Uint8Array(bytes);
  return bits === 16 ? new Uint16Array(buffer) : new Uint32Array(buffer);
}
