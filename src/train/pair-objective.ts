import type { GraphBuilder } from "../graph/graph.ts";
import type { Value } from "../graph/value.ts";
import type { Example } from "../data/example.ts";
import { itemAs, type TrainingItem } from "../data/items/registry.ts";
import { supervisedTokens } from "./micro-batches.ts";
import { type Objective, referenceOrThrow, requireAnswer } from "./objective.ts";
import { preferenceAccuracy } from "./preference-accuracy.ts";
import type { Score } from "./scorer.ts";
import type { Tally } from "./tally.ts";
import { termFeeds, termValues, weightedSum, weightFeed } from "./terms.ts";

interface MarginRule {
  readonly name: string;
  readonly beta: number;
  /** True: an answer's log-probability is the mean of its tokens', not the sum. */
  readonly averaged: boolean;
  readonly reference: boolean;
  /** Computes the loss of a margin h: the chosen answer's reward minus the rejected one's. */
  readonly loss: (h: number) => number;
  /** The loss as the graph computes it: Σ weight·link(slope·h + offset). */
  readonly link: keyof typeof LINKS;
  readonly arguments: readonly { readonly slope: number; readonly offset: number; readonly weight: number }[];
}

const LINKS = {
  softplus: (builder: GraphBuilder, z: Value): Value => builder.op("softplus", [z], {}),
  relu: (builder: GraphBuilder, z: Value): Value => builder.op("relu", [z], {}),
  square: (builder: GraphBuilder, z: Value): Value => builder.op("multiply", [z, z], {}),
};

/** Makes an objective that depends on a pair only by the margin of two rewards, r = β·(log π − log π_base). */
export function ofMargin(rule: MarginRule): Objective {
  const { name, beta, averaged, reference } = rule;
  const base = (item: TrainingItem): { chosen: number; rejected: number } =>
    reference ? referenceOrThrow(name, itemAs("pair", item, name)) : { chosen: 0, rejected: 0 };
  const factor = (tokens: number): number => (averaged ? beta / tokens : beta);
  const reward = ({ logProbability, tokens }: Score, base: number): number => factor(tokens) * (logProbability - base);

  return {
    name,
    items: "pair",
    reference,
    sequences(item) {
      base(item);
      return answersOf(name, item);
    },
    count: () => 1,
    loss: (builder, logProbabilities) =>
      weightedSum(builder, LINKS[rule.link](builder, termValues(builder, logProbabilities, "terms"))),
    feeds: (items, { total }) => [
      ...termFeeds(
        items.map((item) => {
          const tokens = answersOf(name, item).map(supervisedTokens);
          const [chosen, rejected] = tokens.map(factor) as [number, number];
          const { chosen: baseChosen, rejected: baseRejected } = base(item);
          const baseMargin = chosen * baseChosen - rejected * baseRejected;
          const terms = rule.arguments.map(({ slope, offset }) => ({
            slopes: [slope * chosen, -slope * rejected],
            offset: offset - slope * baseMargin,
          }));
          return { tokens, terms };
        }),
      ),
      weightFeed(items.flatMap(() => rule.arguments.map(({ weight }) => weight / total))),
    ],
    evaluate(item, [chosen, rejected]) {
      const { chosen: baseChosen, rejected: baseRejected } = base(item);
      const rewards = [reward(chosen!, baseChosen), reward(rejected!, baseRejected)] as const;
      return { loss: rule.loss(rewards[0] - rewards[1]), metrics: pairMetrics(...rewards) };
    },
  };
}

export function answersOf(objective: string, item: TrainingItem): readonly [chosen: Example, rejected: Example] {
  const { id, chosen, rejected } = itemAs("pair", item, objective);
  requireAnswer(id, "chosen", chosen);
  requireAnswer(id, "rejected", rejected);
  return [chosen, rejected];
}

/** Makes the metrics of a pair. In the accuracy, a tie counts ½, so an adapter that changes nothing has the accuracy of chance. */
export function pairMetrics(chosenReward: number, rejectedReward: number): Tally {
  const margin = chosenReward - rejectedReward;
  const accuracy = preferenceAccuracy([chosenReward], [rejectedReward]);
  const one = (sum: number): { sum: number; count: number } => ({ sum, count: 1 });
  return {
    chosenReward: one(chosenReward),
    rejectedReward: one(rejectedReward),
    margin: one(margin),
    accuracy: one(accuracy),
  };
}
