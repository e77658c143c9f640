import { UserError } from "../../diagnostics/user-error.ts";
import type { Example } from "../example.ts";
import {
  encodeAnswers,
  exampleOf,
  type PreferenceOptions,
  PreferenceCounts,
  type PreferenceReport,
} from "../preference-tokens.ts";
import type { EncodableRecord } from "../record.ts";
import type { Template } from "../template.ts";
import type { Tokenizer } from "../tokenizer.ts";
import type { ItemKind } from "./item-kind.ts";

/** Two answers to one prompt, of which people prefer one. Only the answers' tokens are supervised. */
export interface PairExample {
  readonly id: string;
  readonly chosen: Example;
  readonly rejected: Example;
  /** Log-probabilities of the two answers under the frozen base, nats; objectives with a reference need them. */
  readonly reference?: { readonly chosen: number; readonly rejected: number };
}

/** Pairs of answers, for DPO and the other pair objectives. */
export const pairs: ItemKind<PairExample> = {
  one: "a pair",
  many: "pairs of a chosen and a rejected answer",
  learnFrom: "preferences",
  isPreference: true,
  comparesHeldOutPairs: false,
  is: (item): item is PairExample => "chosen" in item,
  units: (records) => records.map(({ id, content }) => ({ id, content })),
  countUnits: (records) => records.length,
  encodeUnits: (units, ...how) => encodePairs(units as readonly EncodableRecord[], ...how),
  parts: ({ chosen, rejected }) => ["pair", chosen, rejected],
  wantedAnswer: ({ chosen }) => chosen,
  reference: {
    sequences: ({ chosen, rejected }) => [chosen, rejected],
    numbers: ({ reference }) => [reference!.chosen, reference!.rejected],
    fill: (item, [chosen, rejected]) => ({ ...item, reference: { chosen: chosen!, rejected: rejected! } }),
  },
};

/**
 * Makes the pairs of a client, in order. The two examples of a pair begin with the same prompt tokens. Only their last
 * answer is supervised, with its end. Text that a template writes after that end is left off.
 *
 * @throws UserError("data") for a record that is not a pair.
 */
export function encodePairs(
  records: readonly EncodableRecord[],
  template: Template,
  tokenizer: Tokenizer,
  options: PreferenceOptions = {},
): { examples: PairExample[]; report: PreferenceReport } {
  const examples: PairExample[] = [];
  const counts = new PreferenceCounts(records.length);
  for (const { id, content } of records) {
    if (content.kind !== "preference") {
      throw new UserError("data", `record ${id} has no pair of a chosen and a rejected answer`, {
        hint: "Preference tuning takes two answers to each prompt.",
      });
    }
    const written = encodeAnswers(
      { id, prompt: content, answers: [content.chosen, content.rejected] },
      template,
      tokenizer,
      options,
    );
    const [chosen, rejected] = written.answers.map((answer, i) =>
      exampleOf(`${id}/${i === 0 ? "chosen" : "rejected"}`, written.prompt, answer),
    );
    if (chosen === undefined || rejected === undefined) counts.fullPrompts++;
    else if (sameTokens(written.answers[0]!, written.answers[1]!)) counts.equalAnswers++;
    else {
      examples.push({ id, chosen, rejected });
      counts.add(written, [chosen, rejected]);
    }
  }
  return { examples, report: counts.report() };
}

function sameTokens(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i]);
}
