import type { PlannedRecords } from "../../experiment/plan/planned-records.ts";
import type { SizedAdapter } from "../../experiment/plan/smaller-adapters.ts";
import { type ClientPlan, type ClientTerms, noiseToSignal, type PlannedMechanism } from "../../privacy/client-plan.ts";
import { type Column, tableLines } from "../tables/table.ts";
import { counted, formatCount, formatEpsilon, formatThreeDigits } from "./quantities.ts";
import { clip, oneLine, wrap } from "./text-width.ts";

/** The noise is called too much from there on. */
const MOST_NOISE = 3;

export interface PrivacyPlan {
  readonly terms: ClientTerms;
  readonly plan: ClientPlan;
  /** The adapter of the run, and smaller ones; empty where no model was opened. */
  readonly adapters: readonly SizedAdapter[];
}

const right = { align: "right" } as const;

/** The plan of a private run for people: what each client spends, how large the noise is, and what would make it smaller. */
export function privacyPlanLines({ terms, plan, adapters }: PrivacyPlan, columns: number): string[] {
  const { clients, perRound, rounds, epsilon, delta, mechanism } = terms;
  const facts: readonly (readonly [string, string])[] = [
    ["unit", "one client with all its records"],
    ["trust", TRUST[mechanism]],
    ["clients", `${formatCount(clients)}, ${formatCount(perRound)} a round; ${counted(rounds, "round")}`],
    ["budget", `ε ${formatThreeDigits(epsilon)} at δ ${formatThreeDigits(delta)} for each client`],
    ["rounds", `a client takes part in ${formatCount(plan.participations)} at most, if all take part alike`],
    ["noise", noiseText(terms)],
    ["in a round", ratioText(terms, plan)],
  ];
  const indent = Math.max(...facts.map(([name]) => name.length)) + 2;
  return [
    ...facts.flatMap(([name, text]) =>
      wrap(text, Math.max(30, columns - indent)).map((line, i) => (i === 0 ? name : "").padEnd(indent) + line),
    ),
    "",
    ...courseLines(plan),
    "",
    ...drawLines(plan, rounds),
    ...(adapters.length === 0 ? [] : ["", ...adapterLines(terms, adapters)]),
    ...notes(terms, plan).flatMap((note) => ["", ...wrap(`note: ${note}`, columns)]),
  ];
}

const TRUST: Readonly<Record<PlannedMechanism, string>> = {
  central: "the coordinator sees each update, and adds the noise to their sum",
  local: "none is needed: each client adds all its noise before it sends",
  distributed: "enough clients are honest: each adds a part of the noise, and the coordinator sees their sum",
};

function noiseText({ mechanism, noiseMultiplier, enough, length, perRound }: ClientTerms): string {
  const numbers = `in each of ${formatCount(length)} numbers`;
  const deviation = {
    central: `${formatThreeDigits(noiseMultiplier)} × the clip ${numbers}, on the sum of a round`,
    local: `${formatThreeDigits(2 * noiseMultiplier)} × the clip ${numbers}, on every update`,
    distributed: `${formatThreeDigits(noiseMultiplier * Math.sqrt(perRound / enough))} × the clip ${numbers}, on the sum of a round; the parts of ${formatCount(enough)} clients are enough`,
  }[mechanism];
  return `multiplier z = ${formatThreeDigits(noiseMultiplier)}: standard deviation ${deviation}`;
}

/** Says what the ratio of noise to signal means. */
function ratioText({ perRound }: ClientTerms, { noiseToSignal: ratio, breakEven }: ClientPlan): string {
  const size =
    ratio > 1
      ? `the noise on the mean is ${formatThreeDigits(ratio)} times as long as the mean can be`
      : `the noise on the mean is ${formatThreeDigits(ratio)} of the length that the mean can have`;
  const way =
    ratio > 1
      ? `They would be alike with ${formatCount(breakEven.perRound)} clients a round in place of ${formatCount(perRound)} (and as many times the clients in all), or with an adapter of ${formatCount(breakEven.length)} numbers.`
      : "A round moves the model more than the noise does, if its clients agree.";
  return `${size}. ${way}`;
}

/** The plan of a run whose records are protected: a line for each client. */
export function recordPlanLines(records: readonly PlannedRecords[], columns: number): string[] {
  const [first] = records;
  if (first === undefined) return [];
  const table: Column[] = [
    { header: "client" },
    ...["records", "coin", "steps", "z", "ε", "noise : mean"].map((header) => ({ header, ...right })),
  ];
  const rows = records.map(
    ({ client, records: count, rate, steps, noiseMultiplier, epsilon, noiseToSignal: ratio }) => [
      clip(oneLine(client), 24),
      formatCount(count),
      formatThreeDigits(rate),
      formatCount(steps),
      formatThreeDigits(noiseMultiplier),
      formatEpsilon(epsilon),
      formatThreeDigits(ratio),
    ],
  );
  const worst = Math.max(...records.map(({ noiseToSignal: ratio }) => ratio));
  return [
    ...wrap(
      `One record is the unit, against everybody who sees what its client sends: ε ${formatThreeDigits(first.budget)} at δ ${formatThreeDigits(first.delta)} for all local steps of all rounds. In a step each record takes part by a secret coin.`,
      columns,
    ),
    "",
    ...tableLines(table, rows),
    ...(worst > MOST_NOISE
      ? [
          "",
          ...wrap(
            `note: A step is mostly noise (up to ${formatThreeDigits(worst)} : 1). Take a larger batchSize, a smaller adapter, fewer steps, or a larger ε, before you train.`,
            columns,
          ),
        ]
      : []),
  ];
}

function courseLines({ course }: ClientPlan): string[] {
  const table: Column[] = [
    { header: "after round", ...right },
    { header: "rounds of a client", ...right },
    { header: "ε", ...right },
  ];
  return tableLines(
    table,
    course.map(({ round, participations, epsilon }) => [
      formatCount(round),
      formatCount(participations),
      formatEpsilon(epsilon),
    ]),
  );
}

function drawLines({ draws }: ClientPlan, rounds: number): string[] {
  const { publicDraw, everyRound, secretRenyi, secretLoss } = draws;
  const rows = [
    ["public draw, all alike: this run", formatEpsilon(publicDraw), "exact"],
    ["a client in every round", formatEpsilon(everyRound), "exact"],
    ["secret coins, Rényi accounting", formatEpsilon(secretRenyi), "upper bound"],
    ...(secretLoss === undefined
      ? []
      : [["secret coins, loss distribution", formatEpsilon(secretLoss), "upper bound"]]),
  ].slice(0, everyRound === publicDraw ? 1 : undefined);
  const table: Column[] = [{ header: "who takes part" }, { header: `ε after ${rounds}`, ...right }, { header: "" }];
  return tableLines(table, rows);
}

function adapterLines(terms: ClientTerms, adapters: readonly SizedAdapter[]): string[] {
  const table: Column[] = [
    { header: "adapter" },
    { header: "numbers", ...right },
    { header: "noise : mean", ...right },
  ];
  return tableLines(
    table,
    adapters.map(({ what, length }) => [
      oneLine(what),
      formatCount(length),
      formatThreeDigits(noiseToSignal({ ...terms, length })),
    ]),
  );
}

function notes({ epsilon, mechanism }: ClientTerms, { course, noiseToSignal: ratio, draws }: ClientPlan): string[] {
  const spent = course.at(-1)!.epsilon;
  return [
    ...(ratio > MOST_NOISE
      ? [
          `A round is mostly noise (${formatThreeDigits(ratio)} : 1). Take more clients, a smaller adapter, fewer rounds of more local steps, or a larger ε, before you train.`,
        ]
      : []),
    ...(spent > epsilon * (1 + 1e-9)
      ? [
          `With this noise all rounds cost ε ${formatEpsilon(spent)}, more than the budget of ${formatThreeDigits(epsilon)}: the run stops before.`,
        ]
      : []),
    ...(mechanism === "central" && draws.secretRenyi < draws.publicDraw
      ? [
          "The figures for secret coins hold only against somebody who never learns who took part. A round here names its clients, so they are shown for comparison and never claimed.",
        ]
      : []),
  ];
}
