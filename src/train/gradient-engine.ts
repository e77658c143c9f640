import { MINIMUM_LENGTH } from "../graph/ops-attention.ts";
import type { ModelConfig } from "../model/config.ts";
import { dropoutFeed, FEEDS, FETCHES, gradientFetch, trainingGraph, type LoraShape } from "../model/language-model.ts";
import type { Weights } from "../model/weights.ts";
import type { Params, Tensor } from "../tensor/params.ts";
import type { RandomStream } from "../tensor/random.ts";
import type { Example } from "./example.ts";
import { microBatches, padBatch, supervisedTokens } from "./micro-batches.ts";
import type { Runtime, RuntimeTensor } from "./runtime.ts";

export interface GradientEngineOptions {
  readonly runtime: Runtime;
  readonly config: ModelConfig;
  readonly weights: Weights;
  readonly lora: LoraShape;
  /** LoRA dropout probability; 0 for none. */
  readonly dropout: number;
  /** Longest example, in tokens. */
  readonly maxLength: number;
  /** Padded tokens that run through the model at once (`training.microBatchTokens`). */
  readonly microBatchTokens: number;
}

export interface StepGradients {
  /** Mean negative log-likelihood of the supervised tokens, nats. */
  readonly loss: number;
  readonly supervisedTokens: number;
  /** Gradient of `loss` for every adapter tensor. */
  readonly gradients: Params;
}

/** Loss and gradients of one frozen base with any adapter of one shape: a thousand clients share one engine. */
export interface GradientEngine {
  /**
   * @param dropout where this step's dropout masks come from, one stream a purpose; unused when the dropout is 0.
   */
  step(
    adapter: Params,
    examples: readonly Example[],
    dropout: (...key: (string | number)[]) => RandomStream,
  ): Promise<StepGradients>;
  dispose(): Promise<void>;
}

export async function openGradientEngine(options: GradientEngineOptions): Promise<GradientEngine> {
  const { runtime, config, weights, lora, dropout, maxLength, microBatchTokens } = options;
  const graph = trainingGraph(config, lora, { maxLength: Math.max(maxLength, MINIMUM_LENGTH), dropout: dropout > 0 });
  const session = await runtime.load(graph, weights);
  const masks = graph.inputs.filter(({ name }) => name.startsWith(dropoutFeed("")));

  return {
    async step(adapter, examples, dropoutStream) {
      const total = examples.reduce((sum, example) => sum + supervisedTokens(example), 0);
      if (total === 0) throw new Error("a step needs at least one supervised token");
      let loss = 0;
      const sums = new Map<string, Tensor>();
      const fetches = [FETCHES.loss, ...[...adapter.keys()].map(gradientFetch)];
      for (const group of microBatches(examples, microBatchTokens)) {
        const members = group.map((i) => examples[i]!);
        const batch = padBatch(members, MINIMUM_LENGTH);
        const rows = batch.labels.data.length;
        if (rows === 0) continue;
        const feeds = new Map<string, RuntimeTensor>(adapter as ReadonlyMap<string, RuntimeTensor>);
        feeds.set(FEEDS.ids, batch.ids);
        feeds.set(FEEDS.rows, batch.rows);
        feeds.set(FEEDS.labels, batch.labels);
        feeds.set(FEEDS.coefficients, { shape: [rows], data: new Float32Array(rows).fill(-1 / total) });
        for (const { name, shape } of masks) {
          const heights = shape[0] === "rows" ? batch.counts : members.map(() => batch.ids.shape[1]!);
          const width = shape[1] as number;
          // A stream an example: what runs together with what does not change what is dropped.
          const parts = group.map((i, b) => dropoutStream(i, name).dropoutMask(heights[b]! * width, dropout));
          feeds.set(name, { shape: [heights.reduce((x, y) => x + y, 0), width], data: concatenated(parts) });
        }
        const results = await session.run(feeds, fetches);
        loss += Number(results.get(FETCHES.loss)!.data[0]);
        for (const [name, { shape }] of adapter) {
          const gradient = results.get(gradientFetch(name))!.data as Float32Array;
          const sum = sums.get(name);
          if (sum === undefined) sums.set(name, { shape, data: gradient });
          else for (let i = 0; i < gradient.length; i++) sum.data[i]! += gradient[i]!;
        }
      }
      return { loss, supervisedTokens: total, gradients: sums };
    },
    dispose: () => session.dispose(),
  };
}

function concatenated(parts: readonly Float32Array[]): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
