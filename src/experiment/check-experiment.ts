import type { Template } from "../data/template.ts";
import type { Tokenizer } from "../data/tokenizer.ts";
import { encodeMessages } from "../data/tokens.ts";
import { UserError } from "../diagnostics/user-error.ts";
import type { BaseModel } from "../model/base-model.ts";
import type { ExperimentConfig } from "../settings/schema.ts";
import type { HeldOut } from "./records/record-encoder.ts";

/** @throws UserError of kind `config` for a window or a rank that the base is too small for. */
export function checkFit({ data, adapter }: ExperimentConfig, { ref, modelConfig }: BaseModel): void {
  const { maxPositions, hiddenSize, intermediateSize } = modelConfig;
  if (data.maxLength > maxPositions) {
    throw new UserError("config", `data.maxLength is ${data.maxLength}, but ${ref} has ${maxPositions} positions`, {
      hint: `Lower data.maxLength to ${maxPositions} or less.`,
    });
  }
  const widest = Math.max(hiddenSize, intermediateSize);
  if (adapter.rank <= widest) return;
  throw new UserError(
    "config",
    `adapter.rank is ${adapter.rank}, expected at most ${widest}, the model's widest layer`,
    { hint: "The usual ranks are 4 to 64." },
  );
}

/** @throws UserError of kind `config` for a prompt that leaves no room for an answer. */
export function checkPrompts({ data, evaluation }: ExperimentConfig, template: Template, tokenizer: Tokenizer): void {
  for (const prompt of evaluation.prompts) {
    const { length } = encodeMessages([{ role: "user", content: prompt }], template, tokenizer, data);
    if (length < data.maxLength - 1) continue;
    throw new UserError(
      "config",
      `a prompt of evaluation.prompts is ${length} tokens long, and with data.maxLength ${data.maxLength} no room is left for an answer`,
      { hint: "Shorten the prompt or raise data.maxLength." },
    );
  }
}

/** @throws UserError of kind `config` where labels are configured and no held-out record has one as its answer. */
export function checkLabels({ evaluation: { labels } }: ExperimentConfig, sets: readonly HeldOut[]): void {
  if (labels === undefined || sets.some(({ choices }) => choices.length > 0)) return;
  throw new UserError(
    "config",
    `no held-out record has one of evaluation.labels (${labels.join(", ")}) as its answer`,
    {
      hint: "Labels are whole answers, written as in the data. Leave evaluation.labels out where nothing is classified.",
    },
  );
}
