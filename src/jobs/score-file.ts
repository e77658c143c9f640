import { UserError } from "../diagnostics/user-error.ts";
import type { FieldMap } from "../data/record.ts";
import { loadRecords, type FormatName } from "../data/source.ts";
import { useNotes } from "../data/unused-columns.ts";
import type { TemplateName } from "../data/template.ts";
import { itemAs } from "../data/items/registry.ts";
import type { OnCount } from "../concurrency/counted-work.ts";
import { openEncoding } from "../experiment/records/encoding.ts";
import { openTokenizer } from "../decode/base-tokenizer.ts";
import { perplexity } from "../evaluation/metrics/perplexity.ts";
import type { Platform } from "../experiment/ports.ts";
import { openScorer } from "../train/scorer.ts";
import { openFittingAdapter } from "./fitting-adapter.ts";

export interface ScoreOptions {
  readonly model: string;
  /** Folder of a PEFT adapter. */
  readonly adapter?: string | undefined;
  readonly data: string;
  readonly format?: FormatName | undefined;
  readonly fields?: FieldMap | undefined;
  readonly template?: TemplateName | undefined;
  readonly inputs?: "section" | "joined" | undefined;
  readonly system?: string | undefined;
  /** Tokens; longer records are cut on the right. Default 512. */
  readonly maxLength?: number | undefined;
  /** Gets what is to be said of the records, such as columns that are not used. */
  readonly onNote?: ((note: string) => void) | undefined;
}

export interface ScoreHooks {
  readonly onCount?: OnCount | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RecordScore {
  /** Index in the file, from 0. */
  readonly index: number;
  /** Summed log-probability of the response's tokens, nats. */
  readonly logprob: number;
  readonly tokens: number;
}

export interface FileScore {
  readonly records: number;
  readonly tokens: number;
  /** Mean negative log-likelihood of a token, nats. */
  readonly loss: number;
  readonly perplexity: number;
}

/** Records in one call of the engine: few enough to show progress on long files. */
const CHUNK = 64;

/** Scores every record of a file, in order. A record without a token to score within `maxLength` scores 0 of 0 tokens. */
export async function scoreFile(
  options: ScoreOptions,
  platform: Platform,
  onRecord: (row: RecordScore) => void,
  { signal, ...hooks }: ScoreHooks = {},
): Promise<FileScore> {
  const { records, unused } = await loadRecords(platform.files, options.data, {
    format: options.format,
    fields: options.fields,
  });
  for (const note of useNotes(records, unused)) options.onNote?.(note);
  const base = await platform.openModel(options.model);
  const tokenizer = openTokenizer(base);
  const adapter = options.adapter === undefined ? undefined : await openFittingAdapter(platform, base, options.adapter);
  const maxLength = Math.min(options.maxLength ?? 512, base.modelConfig.maxPositions);
  const scorer = await openScorer({
    runtime: platform.runtime,
    ...base,
    lora: adapter?.shape,
    maxLength,
    microBatchTokens: 1024,
  });
  try {
    const { inputs, system, template = "chat" } = options;
    let done = 0;
    const onDone = (more: number): void => {
      done += more;
      hooks.onCount?.({ what: "tokenising", unit: "records", done, of: records.length });
    };
    const many = { model: base, tokenizer, template, records: records.length, onDone, signal };
    const encoding = openEncoding(platform, many);
    const { examples } = await encoding
      .encode("example", records, { maxLength, inputs, system })
      .finally(() => encoding.close());
    const byId = new Map(examples.map((item) => [item.id, itemAs("example", item, "score")]));
    const encoded = records.map(({ id }) => byId.get(id));
    if (encoded.every((example) => example === undefined)) {
      throw new UserError("data", `${options.data}: no record has an answer within ${maxLength} tokens`, {
        hint: "Raise --max-length, at most to the model's number of positions.",
      });
    }
    let total = 0;
    let tokens = 0;
    const count = (scored: number): void =>
      hooks.onCount?.({ what: "scoring", unit: "records", done: scored, of: encoded.length });
    count(0);
    for (let start = 0; start < encoded.length; start += CHUNK) {
      const chunk = encoded.slice(start, start + CHUNK);
      const scores = await scorer.score(
        adapter?.params ?? new Map(),
        chunk.filter((example) => example !== undefined),
        signal,
      );
      let at = 0;
      for (const [i, example] of chunk.entries()) {
        const score = example === undefined ? { logProbability: 0, tokens: 0 } : scores[at++]!;
        total += score.logProbability;
        tokens += score.tokens;
        onRecord({ index: start + i, logprob: score.logProbability, tokens: score.tokens });
      }
      count(start + chunk.length);
    }
    if (!Number.isFinite(total)) {
      const what = options.adapter === undefined ? options.model : options.adapter;
      throw new UserError("model", `the log-probabilities of ${what} are not finite numbers`, {
        hint: "Its weights, or the alpha of its adapter, are too large for single precision.",
      });
    }
    return {
      records: records.length,
      tokens,
      loss: -total / tokens,
      perplexity: perplexity([{ nll: -total, tokens }]),
    };
  } finally {
    await scorer.dispose();
  }
}
