import { product } from "../graph/dims.ts";
import type { Value } from "../graph/value.ts";
import { joinedLinears, linear } from "./blocks-linear.ts";
import type { LinearModule } from "./family.ts";
import { cacheNames, EXPORTED } from "./feeds.ts";
import type { ModelGraph } from "./model-graph.ts";
import type { RotaryConfig } from "./rotary.ts";

export interface SelfAttention {
  /** Index of the layer; the names of its cached keys and values follow from it. */
  readonly layer: number;
  readonly q: LinearModule;
  readonly k: LinearModule;
  readonly v: LinearModule;
  readonly heads: number;
  /** Heads of keys and values; each serves `heads / kvHeads` heads of queries. */
  readonly kvHeads: number;
  readonly headDim: number;
  readonly rotary: RotaryConfig;
  /** Number of latest positions that a query attends to, its own included; undefined: all. */
  readonly window: number | undefined;
  /** Normalises each head [heads·tokens, d] of queries and keys before the rotation. */
  readonly headNorm: ((x: Value, of: "q" | "k") => Value) | undefined;
}

/** Causal grouped-query attention within each sequence: [tokens, hidden] → [tokens, heads·d]. */
export function selfAttention(graph: ModelGraph, x: Value, attention: SelfAttention): Value {
  if (graph.exported !== undefined) return attendExported(graph, x, attention, graph.exported);
  const tables = rotaryTables(graph, attention.rotary);
  return graph.starts === undefined
    ? attend(graph, x, attention, tables)
    : attendCached(graph, x, attention, tables, graph.starts);
}

function attend(graph: ModelGraph, x: Value, attention: SelfAttention, tables: readonly Value[]): Value {
  const { builder } = graph;
  const { heads, kvHeads, headDim, window, headNorm } = attention;
  const sequence = (y: Value, width: number): Value =>
    builder.op("reshape", [y], { shape: ["batch", "length", width] });
  const rotate = (y: Value, of: "q" | "k", count: number): Value => {
    if (headNorm !== undefined) {
      const perHead = builder.op("reshape", [y], { shape: [`${count}*batch*length`, headDim] });
      y = builder.op("reshape", [headNorm(perHead, of)], { shape: y.shape });
    }
    return builder.op("rotary", [sequence(y, count * headDim), ...tables], { heads: count });
  };
  const q = linear(graph, x, attention.q);
  const k = linear(graph, x, attention.k);
  const v = linear(graph, x, attention.v);
  const mixed = builder.op(
    "attention",
    [rotate(q, "q", heads), rotate(k, "k", kvHeads), sequence(v, kvHeads * headDim)],
    { heads, kvHeads, ...(window === undefined ? {} : { window }) },
  );
  return builder.op("reshape", [mixed], { shape: ["batch*length", heads * headDim] });
}

/** Attends to the cache's positions before each sequence too, in as few nodes as possible. */
function attendCached(
  graph: ModelGraph,
  x: Value,
  attention: SelfAttention,
  tables: readonly Value[],
  starts: Value,
): Value {
  const { builder } = graph;
  const { layer, kvHeads, headDim, window } = attention;
  const [q, k, v] = joinedLinears(graph, x, [attention.q, attention.k, attention.v], (y, modules) => {
    const counts = modules.map(({ out }) => out / headDim);
    return builder.apply("splitHeads", [y], { counts, batch: "batch", length: "length" });
  });
  const rotate = (y: Value, of: "q" | "k"): Value =>
    builder.op("rotateHeads", [normedHeads(graph, y, of, attention), ...tables, starts], {});
  const fresh = [rotate(k!, "k"), v!];
  graph.fresh.push(...fresh);
  const cached = cacheNames(layer).map((name) => builder.input(name, "float32", ["batch", kvHeads, "places", headDim]));
  return builder.op(
    "cachedAttention",
    [rotate(q!, "q"), ...fresh, ...cached, starts],
    window === undefined ? {} : { window },
  );
}

/** Attends to all places that the mask shows; keys and values are inputs and outputs as other programs have them. */
function attendExported(
  graph: ModelGraph,
  x: Value,
  attention: SelfAttention,
  { positions, mask }: { readonly positions: Value; readonly mask: Value },
): Value {
  const { builder } = graph;
  const { layer, kvHeads, headDim, rotary, window } = attention;
  const frequencies = graph.constant("rotary.frequencies", [headDim / 2], () =>
    Float32Array.from(rotary.inverseFrequencies),
  );
  const heads = (module: LinearModule): Value =>
    builder.op("splitHeads", [linear(graph, x, module)], {
      counts: [module.out / headDim],
      batch: "batch",
      length: "length",
    });
  const rotate = (module: LinearModule, of: "q" | "k"): Value =>
    builder.op("rotateAt", [normedHeads(graph, heads(module), of, attention), positions, frequencies], {});
  const query = rotate(attention.q, "q");
  const fresh = [rotate(attention.k, "k"), heads(attention.v)];
  const [keys, values] = EXPORTED.past(layer).map((name, i) => {
    const past = builder.input(name, "float32", ["batch", kvHeads, "places", headDim]);
    return builder.op("joinPlaces", [past, fresh[i]!], { places: "total" });
  });
  graph.fresh.push(keys!, values!);
  return builder.op("maskedAttention", [query, keys!, values!, mask], window === undefined ? {} : { window });
}

/** Normalises each head of x [batch, heads, length, d], where the family does. */
function normedHeads({ builder }: ModelGraph, x: Value, of: "q" | "k", { headNorm, headDim }: SelfAttention): Value {
  if (headNorm === undefined) return x;
  const perHead = builder.op("reshape", [x], { shape: [product(x.shape.slice(0, 3)), headDim] });
  return builder.op("reshape", [headNorm(perHead, of)], { shape: x.shape });
}

/** Cosines and sines [positions, d/2]. */
function rotaryTables(graph: ModelGraph, { inverseFrequencies: frequencies }: RotaryConfig): readonly Value[] {
  const width = frequencies.length;
  const table = (f: (angle: number) => number) => (): Float32Array =>
    Float32Array.from({ length: graph.maxLength * width }, (_, i) =>
      // Angles are float32, as in the reference implementation.
      f(Math.fround(Math.floor(i / width) * Math.fround(frequencies[i % width]!))),
    );
  const shape = [graph.maxLength, width];
  return [graph.constant("rotary.cos", shape, table(Math.cos)), graph.constant("rotary.sin", shape, table(Math.sin))];
}
