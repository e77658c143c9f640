import { product } from "../graph/dims.ts";
import type { ScoreAttributes } from "../graph/op-attributes.ts";
import type { Value } from "../graph/value.ts";
import { joinedLinears, linear } from "./blocks-linear.ts";
import type { LinearModule } from "./family.ts";
import { cacheNames, EXPORTED } from "./feeds.ts";
import type { ModelGraph } from "./model-graph.ts";
import { frequenciesFor } from "./rotary.ts";
import type { RotaryConfig } from "./rotary-scaling.ts";

/** Normalises queries or keys before the rotation. */
type QueryKeyNorm = (x: Value, of: "q" | "k") => Value;

export interface SelfAttention {
  /** Index of the layer; the names of its cached keys and values follow from it. */
  readonly layer: number;
  /** The modules of queries, keys and values, or one module whose output has them side by side. */
  readonly projections: readonly LinearModule[];
  readonly heads: number;
  /** Heads of keys and values; each serves `heads / kvHeads` heads of queries. */
  readonly kvHeads: number;
  readonly headDim: number;
  readonly scores: ScoreAttributes;
  /** Undefined: no rotation. */
  readonly rotary: RotaryConfig | undefined;
  /** Name of the rotation, for its constants; layers that share a rotation share them. Default `rotary`. */
  readonly rotaryName?: string;
  /** Normalises each head [heads·tokens, d]. */
  readonly headNorm?: QueryKeyNorm | undefined;
  /** Normalises all heads of a token together [tokens, heads·d]. */
  readonly rowNorm?: QueryKeyNorm | undefined;
}

/** Causal grouped-query attention within each sequence: [tokens, hidden] → [tokens, heads·d]. */
export function selfAttention(graph: ModelGraph, x: Value, attention: SelfAttention): Value {
  if (graph.exported !== undefined) return attendExported(graph, x, attention, graph.exported);
  const tables = attention.rotary && rotaryTables(graph, attention.rotary, attention.rotaryName);
  return graph.starts === undefined
    ? attend(graph, x, attention, tables)
    : attendCached(graph, x, attention, tables, graph.starts);
}

/** Heads of queries, keys and values. */
function countsOf({ heads, kvHeads }: SelfAttention): readonly [number, number, number] {
  return [heads, kvHeads, kvHeads];
}

function attend(graph: ModelGraph, x: Value, attention: SelfAttention, tables: readonly Value[] | undefined): Value {
  const { builder } = graph;
  const { heads, kvHeads, headDim, projections, scores, headNorm, rowNorm } = attention;
  const sequence = (y: Value, width: number): Value =>
    builder.op("reshape", [y], { shape: ["batch", "length", width] });
  const rotate = (y: Value, of: "q" | "k", count: number): Value => {
    if (rowNorm !== undefined) y = rowNorm(y, of);
    if (headNorm !== undefined) {
      const perHead = builder.op("reshape", [y], { shape: [`${count}*batch*length`, headDim] });
      y = builder.op("reshape", [headNorm(perHead, of)], { shape: y.shape });
    }
    const sequences = sequence(y, count * headDim);
    return tables === undefined ? sequences : builder.op("rotary", [sequences, ...tables], { heads: count });
  };
  const [q, k, v] =
    projections.length === 1
      ? builder.apply("splitColumns", [linear(graph, x, projections[0]!)], {
          widths: countsOf(attention).map((count) => count * headDim),
        })
      : projections.map((module) => linear(graph, x, module));
  const mixed = builder.op(
    "attention",
    [rotate(q!, "q", heads), rotate(k!, "k", kvHeads), sequence(v!, kvHeads * headDim)],
    { heads, kvHeads, ...scores },
  );
  return builder.op("reshape", [mixed], { shape: ["batch*length", heads * headDim] });
}

/** Attends to the cache's positions before each sequence too, in as few nodes as possible. */
function attendCached(
  graph: ModelGraph,
  x: Value,
  attention: SelfAttention,
  tables: readonly Value[] | undefined,
  starts: Value,
): Value {
  const { builder } = graph;
  const { layer, kvHeads, headDim, projections, scores, rowNorm } = attention;
  const [q, k, v] =
    projections.length === 1 || rowNorm !== undefined
      ? [0, 1, 2].map(headsOf(graph, x, attention))
      : joinedLinears(graph, x, projections, (y, modules) => {
          const counts = modules.map(({ out }) => out / headDim);
          return builder.apply("splitHeads", [y], { counts, batch: "batch", length: "length" });
        });
  const rotate = (y: Value, of: "q" | "k"): Value => {
    const normed = normedHeads(graph, y, of, attention);
    return tables === undefined ? normed : builder.op("rotateHeads", [normed, ...tables, starts], {});
  };
  const fresh = [rotate(k!, "k"), v!];
  graph.fresh.push(...fresh);
  const cached = cacheNames(layer).map((name) => builder.input(name, "float32", ["batch", kvHeads, "places", headDim]));
  return builder.op("cachedAttention", [rotate(q!, "q"), ...fresh, ...cached, starts], scores);
}

/** Makes the heads [batch, heads, length, d] of queries (0), keys (1) or values (2), each when it is asked for. */
function headsOf(graph: ModelGraph, x: Value, attention: SelfAttention): (part: number) => Value {
  const { builder } = graph;
  const { projections, rowNorm } = attention;
  const split = (y: Value, counts: readonly number[]): readonly Value[] =>
    builder.apply("splitHeads", [y], { counts, batch: "batch", length: "length" });
  const counts = countsOf(attention);
  if (projections.length === 1) {
    const parts = split(linear(graph, x, projections[0]!), counts);
    return (part) => parts[part]!;
  }
  return (part) => {
    const y = linear(graph, x, projections[part]!);
    const normed = rowNorm === undefined || part === 2 ? y : rowNorm(y, part === 0 ? "q" : "k");
    return split(normed, [counts[part]!])[0]!;
  };
}

/** Attends to all places that the mask shows; keys and values are inputs and outputs as other programs have them. */
function attendExported(
  graph: ModelGraph,
  x: Value,
  attention: SelfAttention,
  { positions, mask }: { readonly positions: Value; readonly mask: Value },
): Value {
  const { builder } = graph;
  const { layer, kvHeads, headDim, scores, rotary, rotaryName = "rotary" } = attention;
  const frequencies =
    rotary &&
    graph.constant(`${rotaryName}.frequencies`, [rotary.inverseFrequencies.length], () =>
      Float32Array.from(frequenciesFor(rotary, graph.maxLength)),
    );
  const heads = headsOf(graph, x, attention);
  const factor = rotary?.attentionFactor ?? 1;
  const rotate = (part: number, of: "q" | "k"): Value => {
    const normed = normedHeads(graph, heads(part), of, attention);
    if (frequencies === undefined) return normed;
    return builder.op("rotateAt", [normed, positions, frequencies], factor === 1 ? {} : { factor });
  };
  const query = rotate(0, "q");
  const fresh = [rotate(1, "k"), heads(2)];
  const [keys, values] = EXPORTED.past(layer).map((name, i) => {
    const past = builder.input(name, "float32", ["batch", kvHeads, "places", headDim]);
    return builder.op("joinPlaces", [past, fresh[i]!], { places: "total" });
  });
  graph.fresh.push(keys!, values!);
  return builder.op("maskedAttention", [query, keys!, values!, mask], scores);
}

/** Normalises each head of x [batch, heads, length, d], where the family does. */
function normedHeads({ builder }: ModelGraph, x: Value, of: "q" | "k", { headNorm, headDim }: SelfAttention): Value {
  if (headNorm === undefined) return x;
  const perHead = builder.op("reshape", [x], { shape: [product(x.shape.slice(0, 3)), headDim] });
  return builder.op("reshape", [headNorm(perHead, of)], { shape: x.shape });
}

/** Cosines and sines [positions, r/2] of the r rotated elements of a head. */
function rotaryTables(graph: ModelGraph, rotary: RotaryConfig, name = "rotary"): readonly Value[] {
  const frequencies = frequenciesFor(rotary, graph.maxLength);
  const { attentionFactor = 1 } = rotary;
  const width = frequencies.length;
  const table = (f: (angle: number) => number) => (): Float32Array =>
    Float32Array.from(
      { length: graph.maxLength * width },
      (_, i) =>
        // Angles are float32, as in the reference implementation.
        attentionFactor * f(Math.fround(Math.floor(i / width) * Math.fround(frequencies[i % width]!))),
    );
  const shape = [graph.maxLength, width];
  return [graph.constant(`${name}.cos`, shape, table(Math.cos)), graph.constant(`${name}.sin`, shape, table(Math.sin))];
}
