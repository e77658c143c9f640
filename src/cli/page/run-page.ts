import type { RoundResult } from "../../node/store/stored-course.ts";
import { ACCURACY, betterWay, LOSS, MARGIN } from "../../settings/metric-names.ts";
import { PARTS, courseChart, partOf } from "../../study/course-chart.ts";
import { doubtsOf } from "../../study/doubts.ts";
import { shareOfFloat32 } from "../../study/figures.ts";
import { byteCurves, type Curves, curvesChart, heldOutCurves, trainingCurves } from "../../study/run-charts.ts";
import { lateClients } from "../../study/run-course.ts";
import { overallLosses, passesOf, type RunFigures } from "../../study/run-figures.ts";
import { valueText } from "../../study/setting-texts.ts";
import { isReadIn, leavesOf } from "../../study/settings.ts";
import { DEFAULTS, isOver, ledgerSum, plannedRounds, roundsDone, type StoredRun } from "../../study/stored-run.ts";
import { formatValue } from "../tables/comparison-tables.ts";
import { type Table, textTable } from "../tables/tables.ts";
import {
  counted,
  formatBytes,
  formatChange,
  formatCount,
  formatDuration,
  formatLearningRate,
  formatLoss,
  metricName,
  roundsText,
  trainLossText,
} from "../views/quantities.ts";
import { benchmarksBody } from "./benchmark-part.ts";
import { chartMarkup, document, type Section, tableMarkup } from "./frame.ts";
import { markup, type Markup, type Piece } from "./html.ts";

/** Rows of clients in the chart of who trained when. The table has all of them. */
const MOST_ROWS = 60;

export interface RunPage extends RunFigures {
  /** Results of benchmarks with their intervals, where the folder holds them. */
  readonly results: readonly RoundResult[];
}

/** The page of one run. The same files give the same page. */
export function runPage(page: RunPage): string {
  const { run } = page;
  const bodies: readonly (Section | undefined)[] = [
    section("glance", "At a glance", glance(page)),
    section("doubts", "What a reader should doubt", doubtsList(doubtsOf(page))),
    section("training", "Training loss", trainingBody(page)),
    section("held-out", "Held-out records", heldOutBody(run)),
    section("benchmarks", "Benchmarks", benchmarksBody(page.run, page.results)),
    section("course", "Who trained when", courseBody(page)),
    section("traffic", "Rounds and bytes", roundsBody(page)),
    section("answers", "Answers before and after", answersBody(run)),
    section("settings", "Settings that differ from the defaults", settingsBody(run)),
  ];
  return document({
    title: `Run ${run.name}`,
    subtitle: subtitleOf(run),
    sections: bodies.filter((each) => each !== undefined),
    footer: `Made from the figures in the run folder. openfedllm report makes this page anew.`,
  });
}

function section(id: string, title: string, body: Piece): Section | undefined {
  return body === undefined ? undefined : { id, title, body };
}

function doubtsList(doubts: readonly string[]): Markup {
  if (doubts.length === 0) return markup`<p>No rule found a reason.</p>`;
  return markup`<ul class="doubts">
    ${doubts.map((doubt) => markup`<li>${doubt}</li>`)}
  </ul>`;
}

function setting(run: StoredRun, key: string): string {
  const value = leavesOf(run.config).get(key);
  return typeof value === "string" || typeof value === "number" ? String(value) : "";
}

function subtitleOf(run: StoredRun): string {
  const state = run.finished ? (run.stoppedEarly ? "stopped early" : "finished") : "not finished";
  return [
    setting(run, "federation.algorithm"),
    setting(run, "objective.name"),
    `base ${setting(run, "model.base")}`,
    ...(run.start === undefined ? [] : [`from the adapter ${run.start.slice(0, 12)}…`]),
    `LoRA rank ${setting(run, "adapter.rank")}`,
    `${roundsText(roundsDone(run), plannedRounds(run))}, ${state}`,
  ].join(" · ");
}

function glance({ run, course }: RunFigures): Markup {
  const losses = overallLosses(run);
  const [first, last] = [losses[0], losses.at(-1)];
  const sum = (key: "bytesUp" | "bytesDown"): number => run.rounds.reduce((total, round) => total + round[key], 0);
  const tokens = run.rounds.reduce(
    (total, { clients }) => total + [...clients.values()].reduce((all, each) => all + each.supervisedTokens, 0),
    0,
  );
  const names = new Set([...course.records.keys(), ...run.rounds.flatMap(({ clients }) => [...clients.keys()])]);
  const records = [...course.records.values()].reduce((total, each) => total + each, 0);
  const facts: readonly (readonly [string, string] | undefined)[] = [
    first && last && first.round === 0 && last.round > 0
      ? [
          "Held-out loss",
          `${formatLoss(first.loss)} → ${formatLoss(last.loss)} (${formatChange(first.loss, last.loss)})`,
        ]
      : undefined,
    ["Clients", formatCount(names.size)],
    records === 0 ? undefined : ["Training records", formatCount(records)],
    ["Rounds", formatCount(roundsDone(run))],
    tokens === 0 ? undefined : ["Tokens trained on", formatCount(tokens)],
    ["Sent up and down", `${formatBytes(sum("bytesUp"))}, ${formatBytes(sum("bytesDown"))}${ofFloat32(run)}`],
    ["Time", formatDuration(run.totalSeconds)],
    course.continued === 0 ? undefined : ["Continued after a stop", counted(course.continued, "time")],
  ];
  return markup`<dl class="facts">
      ${facts.map(
        (fact) =>
          fact &&
          markup`<div>
            <dt>${fact[0]}</dt>
            <dd>${fact[1]}</dd>
          </div>`,
      )}
    </dl>
    ${run.adapter === undefined ? undefined : markup`<p class="muted">Adapter, sha256 of its tensors: ${run.adapter}</p>`}`;
}

/** The numbers of curves: a row for each round, a column for each name. */
function curvesTable(title: string, { names, rounds }: Curves, format: (value: number) => string): Table {
  const cell = (value: number | undefined): string => (value === undefined ? "–" : format(value));
  return textTable(
    title,
    ["round", "all", ...names],
    rounds.map(({ round, overall, values }) => [
      round === 0 ? "before" : String(round),
      cell(overall),
      ...names.map((name) => cell(values.get(name))),
    ]),
  );
}

/** The unit of a loss: answers learned from are in nats per token. */
function lossUnit(run: StoredRun): string {
  return setting(run, "objective.name") === "sft"
    ? "nats per token"
    : `of the objective ${setting(run, "objective.name")}`;
}

function trainingBody({ run, course }: RunFigures): Piece {
  const curves = trainingCurves(run, [...course.records.keys()]);
  if (curves.rounds.length === 0) return undefined;
  if (curves.names.length === 0) return markup`<p class="muted">The clients did not send their training losses.</p>`;
  const chart = curvesChart(curves, { title: "Training loss by round and client", unit: lossUnit(run) });
  return chartMarkup(chart, curvesTable("training loss by round", curves, formatLoss));
}

function heldOutBody(run: StoredRun): Piece {
  const measured = new Set(
    run.rounds.flatMap(({ heldOut, personal }) =>
      [heldOut, ...personal.values()].flatMap((sets) => [...sets.values()].flatMap(({ values }) => [...values.keys()])),
    ),
  );
  // Rewards have no better direction: their margin and accuracy say how they differ.
  const metrics = [LOSS, ACCURACY, MARGIN, ...measured].filter(
    (name, i, all) => measured.has(name) && all.indexOf(name) === i,
  );
  if (metrics.length === 0) return undefined;
  const own = run.rounds.some(({ personal }) => personal.size > 0);
  return markup`${own ? markup`<p>Each client keeps its own adapter: a set has the score of its client, and the common set the mean over them.</p>` : undefined}${metrics.map(
    (metric) => metricPart(run, metric),
  )}`;
}

function metricPart(run: StoredRun, metric: string): Markup {
  const curves = heldOutCurves(run, metric);
  const name = metricName(metric);
  const format = (value: number): string => formatValue(metric, value);
  const better = betterWay(metric);
  const unit = [metric === LOSS ? lossUnit(run) : "", better === undefined ? "" : `${better} is better`]
    .filter(Boolean)
    .join(", ");
  const chart = curvesChart(curves, {
    title: `Held-out ${name} by round and set`,
    unit,
    percent: format(1).endsWith("%"),
  });
  return markup`<h3>Held-out ${name}</h3>
    ${changeTable(run, metric, curves, format)}${chartMarkup(chart, curvesTable(`held-out ${name} by round`, curves, format))}`;
}

function changeTable(
  run: StoredRun,
  metric: string,
  { names, rounds }: Curves,
  format: (value: number) => string,
): Markup {
  const records = new Map<string, number | undefined>();
  for (const { heldOut, personal } of run.rounds)
    for (const sets of [heldOut, ...personal.values()])
      for (const [set, score] of sets) records.set(set, score.records);
  const showsBase = run.baseScores.size > 0;
  const before = rounds[0]?.round === 0 ? rounds[0] : undefined;
  const after = rounds.at(-1)?.round === 0 ? undefined : rounds.at(-1);
  const row = (
    name: string,
    of: (round: Curves["rounds"][number]) => number | undefined,
    count: number | undefined,
    base: number | undefined,
  ): string[] => {
    const [a, b] = [before && of(before), after && of(after)];
    const difference =
      a === undefined || b === undefined ? "–" : metric === LOSS ? formatChange(a, b) : signed(a, b, format);
    const value = (each: number | undefined): string => (each === undefined ? "–" : format(each));
    const alone = showsBase ? [value(base)] : [];
    return [name, count === undefined ? "–" : formatCount(count), ...alone, value(a), value(b), difference];
  };
  const baseOf = (set: string): number | undefined => run.baseScores.get(set)?.get(metric);
  const total = [...records.values()].reduce<number>((sum, each) => sum + (each ?? 0), 0);
  return tableMarkup(
    textTable(
      `held-out ${metricName(metric)} before training and after round ${after?.round ?? 0}`,
      ["set", "records", ...(showsBase ? ["base"] : []), "before", "after", "change"],
      [
        ...names.map((name) => row(name, ({ values }) => values.get(name), records.get(name), baseOf(name))),
        ...(names.length > 1 ? [row("all", ({ overall }) => overall, total, undefined)] : []),
      ],
    ),
  );
}

function signed(before: number, after: number, format: (value: number) => string): string {
  const difference = after - before;
  // A difference of two shares is in points: 20% and 69% are 49 points apart.
  return `${difference > 0 ? "+" : ""}${format(difference)}`.replace("%", " points");
}

function courseBody({ run, course }: RunFigures): Piece {
  const { rounds } = course;
  const names = [...new Set([...course.records.keys(), ...rounds.flatMap(({ asked }) => asked)])];
  if (rounds.length === 0) return undefined;
  const shown = names.slice(0, MOST_ROWS);
  const title = "Who trained when";
  const subtitle =
    shown.length === names.length
      ? "one mark for each client and round"
      : `the first ${shown.length} of ${names.length} clients`;
  const passes = new Map(passesOf({ run, course }).map((each) => [each.client, each.passes]));
  const table = textTable(
    "clients",
    ["client", "records", ...PARTS, "passes", "training time", "up", "down"],
    names.map((name) => {
      const sum = (key: "seconds" | "bytesUp" | "bytesDown"): number =>
        run.rounds.reduce((total, { clients }) => total + (clients.get(name)?.[key] ?? 0), 0);
      const parts = PARTS.map((part) => formatCount(rounds.filter((round) => partOf(round, name) === part).length));
      const records = course.records.get(name);
      const times = passes.get(name);
      return [
        name,
        records === undefined ? "–" : records === 0 ? "not sent" : formatCount(records),
        ...parts,
        times === undefined ? "–" : times.toFixed(1),
        records === 0 ? "not sent" : formatDuration(sum("seconds")),
        formatBytes(sum("bytesUp")),
        formatBytes(sum("bytesDown")),
      ];
    }),
  );
  return markup`${chartMarkup({ title, svg: courseChart({ title, subtitle }, shown, rounds) })}${tableMarkup(table)}${outBody({ run, course })}`;
}

/** Updates that are not in the result, with the reasons. */
function outBody({ run, course }: Pick<RunFigures, "run" | "course">): Markup {
  const refused = run.rounds.flatMap(({ round, refused: of }) =>
    [...of].map(([client, reason]) => ({ round, client, reason })),
  );
  const late = course.rounds.flatMap((each) =>
    lateClients(each).map((client) => ({ round: each.round, client, reason: "no update before the round was closed" })),
  );
  const all = [...refused, ...late].sort((a, b) => a.round - b.round);
  if (all.length === 0) return markup`<p>No update was refused or late.</p>`;
  return markup`<h3>Refused and late updates</h3>
    ${tableMarkup(
      textTable(
        "updates that are not in the result",
        ["round", "client", "reason"],
        all.map(({ round, client, reason }) => [String(round), client, reason]),
        3,
      ),
    )}`;
}

/** The share of the bytes in those of float32; nothing where all travelled as it is. */
function ofFloat32({ rounds }: StoredRun): string {
  const share = shareOfFloat32(rounds);
  return share === undefined ? "" : ` (${(100 * share).toFixed(2)}% of float32)`;
}

const LEDGER_TITLES: Readonly<Record<string, string>> = {
  headers: "headers, of up",
  masks: "numbers under masks, of up",
  keys: "keys, shares and encryption",
  upFloat32: "up, were it float32",
  downFloat32: "down, were it float32",
};

/** The bytes of a run by kind, and by round; nothing where all travelled as it is. */
function bytesMarkup(run: StoredRun): Markup | undefined {
  const ledger = ledgerSum(run.rounds);
  if (ledger === undefined) return undefined;
  const title = "Bytes by round";
  const svg = curvesChart(byteCurves(run), { title, unit: "bytes" }).svg;
  const rows = Object.entries(LEDGER_TITLES).flatMap(([kind, text]) => {
    const bytes = ledger.get(kind);
    return bytes === undefined ? [] : [[text, formatBytes(bytes)]];
  });
  const table = textTable("bytes by kind", ["kind", "bytes"], rows);
  return markup`${tableMarkup(table)}${chartMarkup({ title, svg })}`;
}

function roundsBody({ run, course }: RunFigures): Piece {
  const trained = run.rounds.filter(({ round }) => round > 0);
  if (trained.length === 0) return undefined;
  const asked = new Map(course.rounds.map((each) => [each.round, each]));
  const sum = (key: "bytesUp" | "bytesDown"): number => trained.reduce((total, round) => total + round[key], 0);
  const rows = trained.map((round) => {
    const of = asked.get(round.round);
    const accepted = of?.accepted.length ?? round.clients.size - round.refused.size;
    return [
      String(round.round),
      Number.isFinite(round.learningRate) ? formatLearningRate(round.learningRate) : "–",
      isOver(round) ? trainLossText(round.loss) : formatLoss(round.loss),
      of === undefined ? String(accepted) : `${accepted} of ${of.asked.length}`,
      formatDuration(round.seconds),
      formatBytes(round.bytesUp),
      formatBytes(round.bytesDown),
    ];
  });
  return markup`<p>
      The clients sent ${formatBytes(sum("bytesUp"))} up and received ${formatBytes(sum("bytesDown"))} in
      ${counted(trained.length, "round")}.
    </p>
    ${bytesMarkup(run)}
    ${tableMarkup(textTable("rounds", ["round", "learning rate", "training loss", "clients", "time", "up", "down"], rows))}`;
}

function answersBody({ answers }: StoredRun): Piece {
  if (answers.length === 0) return undefined;
  const block = (label: string, text: string): Markup =>
    markup`<p class="muted">${label}</p>
      <pre dir="auto">${text.trim() === "" ? "(nothing)" : text}</pre>`;
  return answers.map(
    ({ prompt, before, after }) =>
      markup`<div class="answer">
        <h3 dir="auto">${prompt}</h3>
        ${block("Before training", before)}${block("After training", after)}
      </div>`,
  );
}

function settingsBody(run: StoredRun): Piece {
  const [leaves, defaults] = [leavesOf(run.config), leavesOf(DEFAULTS)];
  const changed = [...leaves].filter(
    ([key, value]) => isReadIn(leaves, key) && JSON.stringify(value) !== JSON.stringify(defaults.get(key)),
  );
  const rows = changed.map(([key, value]) => {
    const fallback = key === "model.base" ? undefined : defaults.get(key);
    return [key, valueText(key, value), valueText(key, fallback)];
  });
  return tableMarkup(textTable("settings that differ from the defaults", ["setting", "value", "default"], rows, 3));
}
