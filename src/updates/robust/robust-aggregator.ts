import type { UpdateGroups } from "../../algorithms/algorithm.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import type { Groups } from "../../tensor/groups.ts";
import type { AggregationContext, Aggregator, Fewest, Updates } from "../aggregator.ts";
import { inBuckets, wellScaled } from "./cohort.ts";
import { hostileAmong } from "./settings.ts";

/** A round as a rule sees it: scaled alike, in buckets, and enough of them. */
export interface RobustRound {
  readonly groups: UpdateGroups;
  readonly updates: Updates;
  readonly context: AggregationContext;
  /** f: the most updates that are hostile. */
  readonly hostile: number;
  /** The number of updates in the round, those that were cut out too: a group to be summed is the mean times this. */
  readonly participants: number;
}

/** The result of a rule. */
export interface RobustResult {
  readonly combined: Groups;
  /** Of each update, its weight in the result over its weight in the mean. */
  readonly weights: readonly number[];
}

/** A rule that bears hostile updates. It works on the group `delta`. */
export interface RobustRule {
  readonly name: string;
  readonly weighted: boolean;
  /** The fewest updates that the rule needs to bear f hostile ones. */
  readonly fewest: (hostile: number) => number;
  readonly combine: (round: RobustRound) => Promise<RobustResult>;
}

/**
 * Makes an aggregator of a robust rule: cuts out updates with A and B of unlike sizes, puts the rest in buckets, refuses a
 * round with too few of them, and reports the part of each client.
 */
export function robustAggregator(
  rule: RobustRule,
  { byzantine, buckets }: { readonly byzantine?: number | undefined; readonly buckets?: number | undefined },
): Aggregator {
  const { name, weighted } = rule;
  const fewest = (count: number, hostile = hostileAmong(count, byzantine)): Fewest => ({
    needs: rule.fewest(hostile),
    has: Math.min(count, buckets ?? count),
    what: buckets === undefined ? "updates" : "buckets",
    hostile,
  });
  return {
    name,
    weighted,
    fewest,
    on: "delta",
    /** @throws UserError of kind `training` for a round with fewer updates than the rule needs. */
    async combine(groups, given, context) {
      if (given.entries.length === 0) throw new Error("an aggregate needs at least one update");
      const { kept, cut } = await wellScaled(given, context.global);
      // Who was cut out is among the hostile ones: otherwise one of them could make every round too small.
      const hostile = Math.max(0, hostileAmong(context.clients ?? given.entries.length, byzantine) - cut.length);
      const { updates, members } =
        buckets === undefined
          ? { updates: kept, members: kept.entries.map((_, i) => [i]) }
          : inBuckets(kept, groups, { count: buckets, weighted, random: randomOf(context)("buckets") });
      const size = fewest(kept.entries.length, hostile);
      if (size.has < size.needs) throw tooFew(name, size, context.round);
      for (const judgement of cut) context.report?.(judgement);
      const participants = given.entries.length;
      const { combined, weights } = await rule.combine({ groups, updates, context, hostile, participants });
      for (const [i, places] of members.entries()) {
        for (const place of places) context.report?.({ client: kept.entries[place]!.client, weight: weights[i]! });
      }
      return combined;
    },
  };
}

function randomOf({ random }: AggregationContext): NonNullable<AggregationContext["random"]> {
  if (random === undefined) throw new Error("buckets need the random streams of the round");
  return random;
}

function tooFew(rule: string, { needs, has, what, hostile }: Fewest, round: number): UserError {
  return new UserError(
    "training",
    `federation.aggregator: ${rule} with f ${hostile} needs ${needs} ${what}, round ${round} has ${has}.`,
    { hint: FEWER },
  );
}

/** What to do where a round is too small for a rule. */
export const FEWER =
  "f is federation.byzantine times the updates of the round, rounded up. Lower it, let more clients take part, or choose a rule that needs fewer: trimmedMean and geometricMedian need 2f+1, normBound 1.";
