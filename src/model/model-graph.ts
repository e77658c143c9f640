import type { Dim } from "../graph/dims.ts";
import { GraphBuilder } from "../graph/graph.ts";
import type { Value } from "../graph/value.ts";
import { EXPORTED, FEEDS } from "./feeds.ts";
import type { LoraShape } from "./lora.ts";

export interface ModelGraphOptions {
  /** Longest sequence, in tokens. */
  readonly maxLength: number;
  /** True: every adapted module gets a dropout mask, the input `dropoutFeed(module)` [tokens, in]. */
  readonly dropout?: boolean;
  /** True: earlier positions are inputs as keys and values, for decoding. */
  readonly cached?: boolean;
  /** True: the inputs and operations of other programs (`EXPORTED`), with logits for every token. */
  readonly exported?: boolean;
}

/** Where LoRA of a module enters the graph: low = x·Aᵀ and y = scale·low·Bᵀ + …, matrices of as many rows. */
export interface LoraSite {
  /** Names of A and B. */
  readonly a: string;
  readonly b: string;
  readonly x: Value;
  readonly low: Value;
  readonly y: Value;
  readonly scale: number;
}

/** A model's graph while blocks add to it. Activations are matrices with one row for each token. */
export class ModelGraph {
  readonly builder: GraphBuilder = new GraphBuilder();
  readonly lora: LoraShape | undefined;
  readonly maxLength: number;
  readonly dropout: boolean;
  readonly ids: Value;
  /** Undefined: logits are wanted for all rows. */
  readonly rows: Value | undefined;
  /** With a cache: the number of cached positions of each row. */
  readonly starts: Value | undefined;
  /** In an exported graph: the position of each token, and which places may be seen. */
  readonly exported: { readonly positions: Value; readonly mask: Value } | undefined;
  /** With a cache: keys and values of the new positions, in the order of `cacheNames`; exported: of all of them. */
  readonly fresh: Value[] = [];
  /** The LoRA tensors, by PEFT name. */
  readonly adapter: Map<string, Value> = new Map<string, Value>();
  readonly loraSites: LoraSite[] = [];
  readonly #constants = new Map<string, Value>();

  constructor(lora: LoraShape | undefined, options: ModelGraphOptions) {
    const { maxLength, dropout = false, cached = false, exported = false } = options;
    this.lora = lora;
    this.maxLength = maxLength;
    this.dropout = dropout;
    this.ids = this.builder.input(exported ? EXPORTED.ids : FEEDS.ids, "int64", ["batch", "length"]);
    this.rows = exported ? undefined : this.builder.input(FEEDS.rows, "int64", ["rows"]);
    this.exported = exported
      ? {
          mask: this.builder.input(EXPORTED.mask, "int64", ["batch", "total"]),
          positions: this.builder.input(EXPORTED.positions, "int64", ["batch", "length"]),
        }
      : undefined;
    this.starts = cached ? this.builder.input(FEEDS.starts, "int64", ["batch"]) : undefined;
  }

  /** Adds a LoRA tensor: an input that training differentiates. */
  trainable(name: string, shape: readonly Dim[]): Value {
    const value = this.builder.input(name, "float32", shape);
    this.adapter.set(name, value);
    return value;
  }

  /** Adds a constant that layers share, once. */
  constant(name: string, shape: readonly number[], make: () => Float32Array): Value {
    let value = this.#constants.get(name);
    if (value === undefined) this.#constants.set(name, (value = this.builder.constant(name, make(), shape)));
    return value;
  }

  /** The position of each token, int64 [batch, length]. */
  positions(): Value {
    if (this.exported !== undefined) return this.exported.positions;
    return this.builder.op("positions", [this.ids, ...(this.starts === undefined ? [] : [this.starts])], {});
  }

  /** Takes the rows of each matrix that the logits are wanted for. */
  chosenRows(...matrices: readonly Value[]): readonly Value[] {
    const { rows } = this;
    return rows === undefined ? matrices : matrices.map((matrix) => this.builder.op("gatherRows", [matrix, rows], {}));
  }
}
