import { UserError } from "../../diagnostics/user-error.ts";
import type { Example } from "../example.ts";
import type { Prompt } from "../preference.ts";
import {
  encodeAnswers,
  type EncodedAnswers,
  exampleOf,
  type PreferenceOptions,
  PreferenceCounts,
  type PreferenceReport,
} from "../preference-tokens.ts";
import type { DataRecord } from "../record.ts";
import type { Template } from "../template.ts";
import type { Tokenizer } from "../tokenizer.ts";
import type { ItemKind } from "./item-kind.ts";

/** One answer with the rating that it is wanted or not (KTO's unpaired data). Only the answers' tokens are supervised. */
export interface RatedExample {
  readonly id: string;
  readonly answer: Example;
  readonly desirable: boolean;
  /** The same prompt with another record's answer. KTO estimates its divergence from the base on it. */
  readonly mismatched: Example;
  /** Log-probabilities of `answer` and `mismatched` under the frozen base, nats. */
  readonly reference?: { readonly answer: number; readonly mismatched: number };
}

/** Rated answers, for KTO. */
export const ratedAnswers: ItemKind<RatedExample> = {
  one: "a rated answer",
  many: "rated answers",
  learnFrom: "ratings",
  isPreference: true,
  comparesHeldOutPairs: true,
  is: (item): item is RatedExample => "answer" in item,
  units: ratedUnits,
  countUnits: (records) => records.reduce((sum, { content }) => sum + (content.kind === "preference" ? 2 : 1), 0),
  encodeUnits: (units, ...how) => encodeRatedUnits(units as readonly RatedUnit[], ...how),
  parts: ({ desirable, answer, mismatched }) => [desirable ? "desirable" : "undesirable", answer, mismatched],
  wantedAnswer: ({ desirable, answer }) => (desirable ? answer : undefined),
  reference: {
    sequences: ({ answer, mismatched }) => [answer, mismatched],
    numbers: ({ reference }) => [reference!.answer, reference!.mismatched],
    fill: (item, [answer, mismatched]) => ({ ...item, reference: { answer: answer!, mismatched: mismatched! } }),
  },
};

/**
 * Makes the rated answers of a client, in order; a pair becomes two, `<id>/chosen` and `<id>/rejected`. The mismatched
 * answer of each is that of the next one with another prompt, from the start again after the end; a client's only answer
 * has itself. It depends on the records and their order alone, so the base's numbers for it can be kept. (TRL's KTO takes
 * a neighbour in the batch.) The report counts rated answers. Its tokens are those of the answers, without the mismatched
 * ones. `options.fidelity` changes nothing.
 *
 * @throws UserError("data") for a record that is neither rated nor a pair.
 */
export function encodeRated(
  records: readonly DataRecord[],
  template: Template,
  tokenizer: Tokenizer,
  options: PreferenceOptions = {},
): { examples: RatedExample[]; report: PreferenceReport } {
  return encodeRatedUnits(ratedUnits(records), template, tokenizer, options);
}

/** A rated answer, and the answer of another record that it is compared with. */
interface RatedUnit extends RatedAnswer {
  readonly other: string;
}

function ratedUnits(records: readonly DataRecord[]): RatedUnit[] {
  const rated = records.flatMap(ratedOf);
  const next = nextWithAnotherPrompt(rated);
  return rated.map((each, i) => ({ ...each, other: rated[next[i]!]!.answer }));
}

function encodeRatedUnits(
  rated: readonly RatedUnit[],
  template: Template,
  tokenizer: Tokenizer,
  options: PreferenceOptions,
): { examples: RatedExample[]; report: PreferenceReport } {
  const examples: RatedExample[] = [];
  const counts = new PreferenceCounts(rated.length);
  const encode = (id: string, prompt: Prompt, answer: string): EncodedAnswers =>
    encodeAnswers({ id, prompt, answers: [answer] }, template, tokenizer, { ...options, fidelity: undefined });
  for (const { id, prompt, answer, desirable, other: otherAnswer } of rated) {
    const own = encode(id, prompt, answer);
    const other = encode(id, prompt, otherAnswer);
    const example = exampleOf(id, own.prompt, own.answers[0]!);
    const mismatched = exampleOf(`${id}/mismatched`, other.prompt, other.answers[0]!);
    if (example === undefined || mismatched === undefined) counts.fullPrompts++;
    else {
      examples.push({ id, answer: example, desirable, mismatched });
      counts.add(own, [example]);
    }
  }
  return { examples, report: counts.report() };
}

interface RatedAnswer {
  readonly id: string;
  readonly prompt: Prompt;
  readonly answer: string;
  readonly desirable: boolean;
}

function ratedOf({ id, content }: DataRecord): RatedAnswer[] {
  if (content.kind === "rated")
    return [{ id, prompt: content, answer: content.completion, desirable: content.desirable }];
  if (content.kind === "preference") {
    return [
      { id: `${id}/chosen`, prompt: content, answer: content.chosen, desirable: true },
      { id: `${id}/rejected`, prompt: content, answer: content.rejected, desirable: false },
    ];
  }
  throw new UserError("data", `record ${id} holds an answer without a rating`, {
    hint: "KTO takes answers with a label, or pairs of chosen and rejected.",
  });
}

/** For each answer, the index of the next one with another prompt; where all prompts are the same, of the next one. */
function nextWithAnotherPrompt(rated: readonly RatedAnswer[]): number[] {
  const size = rated.length;
  const keys = rated.map(({ prompt: { prompt, input } }) => JSON.stringify([prompt, input]));
  const next = rated.map((_, i) => (i + 1) % size);
  if (new Set(keys).size < 2) return next;
  // Twice round from the end, so that the last ones know what the first ones found.
  for (let at = 2 * size - 1; at >= 0; at--) {
    const i = at % size;
    const after = (i + 1) % size;
    next[i] = keys[after] === keys[i] ? next[after]! : after;
  }
  return next;
}
