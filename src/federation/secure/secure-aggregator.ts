import { addWords, newWords } from "../../secagg/mask.ts";
import type { SecureRules } from "../../secagg/rules.ts";
import { unmaskSum } from "../../secagg/unmask.ts";
import type { Store } from "../../store/store.ts";
import type { Aggregator } from "../../updates/aggregator.ts";
import type { Stage } from "../../updates/stage.ts";
import { decodeChange, wireShape } from "../../updates/wire.ts";
import { readSubmission } from "../decision.ts";
import { readMessage } from "../protocol/cells.ts";
import { keys } from "../protocol/keys.ts";
import { roundOpening } from "../protocol/messages.ts";
import { fromWords, vectorLayout, wordsOf } from "./masked-vector.ts";
import { readPlayed, recoverRound } from "./played-round.ts";

export interface SecureAggregatorOptions {
  readonly store: Store;
  readonly rules: SecureRules;
  /** The identity of the run. */
  readonly run: string;
  readonly stages: readonly Stage[];
  readonly seed: number;
}

/**
 * The weighted mean of masked updates. It adds them as integers, one in memory at a time, and takes the masks out of the sum. So
 * it never has an update of one client. All it needs lies in the cells of the round.
 */
export function secureAggregator({ store, rules, run, stages, seed }: SecureAggregatorOptions): Aggregator {
  return {
    name: "secure",
    weighted: true,
    on: "delta",
    async combine(groups, { entries }, { round, global }) {
      const opening = (await readMessage(store, keys.opening(round), roundOpening))!;
      const played = (await readPlayed(store, run, opening, rules))!;
      const { list, survivors, cohort, parties } = played;
      const place = { rules, clients: opening.clients.length, weightMax: list.weightMax };
      const layout = vectorLayout(groups, wireShape(groups, stages), place);
      const sum = newWords(rules.bits, layout.words);
      for (const { client } of entries) {
        const submitted = await readSubmission(store, round, client);
        if (submitted === undefined || "refused" in submitted)
          throw new Error(`${client} is in the sum without an update`);
        addWords(sum, wordsOf(await store.blob(submitted.update, client), rules.bits), 1);
      }
      const { opened } = await recoverRound(store, played, survivors.clients);
      await unmaskSum(sum, cohort, parties, opened!);
      const mean = fromWords(
        sum,
        layout,
        entries.map(({ records }) => records),
      );
      // What a stage does for all clients alike is undone for their mean.
      return decodeChange(mean, groups, stages, { seed, round, client: "", received: global });
    },
  };
}
