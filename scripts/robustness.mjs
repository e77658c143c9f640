// Measures attacks against robust rules: every attack × rule × world of experiments/robustness.yaml, and how many forbidden
// requests the adapter still refuses. One line a run in experiments/data/robustness/results.jsonl; a run that is there is not
// made again. Prints the tables of docs/robustness.md.
//
//   npm run experiment:robustness                     all
//   npm run experiment:robustness -- answers-iid alie krum mean     some worlds, attacks, rules
//   npm run experiment:robustness -- --tables         only what is there
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { parse } from "yaml";
import { attackOf } from "../dist/attacks/registry.js";
import { COMPLIANCE, REFUSAL } from "../dist/attacks/forbidden-topic.js";
import { aggregationTools } from "../dist/experiment/aggregation.js";
import { openEngineSessions } from "../dist/experiment/engines.js";
import { scoreCommonSet } from "../dist/experiment/evaluation/score-sets.js";
import { referenceCache } from "../dist/experiment/evaluation/reference-cache.js";
import { localTrainer } from "../dist/experiment/local-trainer.js";
import { coordinatorRules, memberOf } from "../dist/experiment/parties.js";
import { prepareExperiment } from "../dist/experiment/prepare.js";
import { hostileClients, hostileOf } from "../dist/experiment/records/attack.js";
import { recordEncoder } from "../dist/experiment/records/record-encoder.js";
import { openEncoding } from "../dist/experiment/records/encoding.js";
import { initialAdapter } from "../dist/experiment/starting-adapter.js";
import { commonAdapter } from "../dist/federation/adapter-set.js";
import { clientMemory } from "../dist/federation/client-memory.js";
import { adapterBytes } from "../dist/federation/round.js";
import { simulate } from "../dist/federation/simulate.js";
import { nodePlatform } from "../dist/node/platform.js";
import { parseExperiment } from "../dist/settings/parse.js";
import { memoryStore } from "../dist/store/memory-store.js";
import { sha256 } from "../dist/tensor/sha256.js";
import { zerosLike } from "../dist/tensor/params.js";
import { referenceOf } from "../dist/train/reference.js";
import { writeWorld } from "./robustness-world.mjs";

const here = path.join(import.meta.dirname, "..", "experiments");
const folder = path.join(here, "data", "robustness");
const results = path.join(folder, "results.jsonl");

const RULES = [
  "mean",
  "normBound",
  "median",
  "trimmedMean",
  "krum",
  "multiKrum",
  "bulyan",
  "geometricMedian",
  "centredClipping",
  "fltrust",
  "foolsgold",
];
const ATTACKS = [
  "none",
  "labelFlip",
  "signFlip",
  "gaussian",
  "modelReplacement",
  "alie",
  "ipm",
  "minMax",
  "minSum",
  "freeRider",
  "safetyPoisoning",
  "halfPoisoning",
  "slightPoisoning",
];
/** Rows that are an attack with other settings. */
const VARIANTS = {
  halfPoisoning: { name: "safetyPoisoning", poisoned: 0.5 },
  slightPoisoning: { name: "safetyPoisoning", poisoned: 0.15 },
};
const settingsOf = (attack) => ({ name: attack, ...VARIANTS[attack] });
const WORLDS = ["answers-iid", "pairs-skewed", "answers-skewed", "pairs-iid"];

const base = parse(readFileSync(path.join(here, "robustness.yaml"), "utf8"));

/** The configuration of one run. */
function configOf(world, attack, rule) {
  const [task] = world.split("-");
  const { attack: _attack, ...data } = base.data;
  const pairs = task === "pairs";
  const { labels, ...evaluation } = base.evaluation;
  const renamed = JSON.parse(JSON.stringify(data).replaceAll("answers-iid", world).replaceAll("answers-", `${task}-`));
  return parseExperiment(
    {
      ...base,
      data: { ...renamed, ...(attack !== "none" && { attack: { share: 0.2, ...settingsOf(attack) } }) },
      ...(pairs && { objective: { name: "dpo" } }),
      evaluation: pairs ? evaluation : { ...evaluation, labels },
      federation: { ...base.federation, aggregator: rule },
    },
    "experiments/robustness.yaml",
  );
}

const quiet = { emit() {}, async flush() {} };

/** A world with its engines, which all of its runs share. */
async function openWorld(world) {
  const platform = nodePlatform({ baseDir: here, threads: 1 });
  const prepare = (attack) => prepareExperiment(configOf(world, attack, "mean"), platform, {});
  const honest = await prepare("none");
  const sessions = openEngineSessions(honest, platform);
  const start = initialAdapter(honest);
  const references = (own = memoryStore()) =>
    referenceCache({
      needed: honest.objective.reference,
      store: own,
      measure: async (items) => referenceOf(await sessions.scorer(), zerosLike(start), items),
      onCount() {},
      onDone() {},
    });
  const items = new Map();
  const withReference = (key, given) => {
    if (!items.has(key)) items.set(key, references().of({ client: key, set: "train" }, given));
    return items.get(key);
  };
  const shared = references();
  const prepared = new Map([["none", honest]]);
  /** What clients learned in round 1 is the same whatever the rule. */
  const learned = new Map();
  const trained = (attack, hostile, { train }) => ({
    async train(task) {
      if (task.round > 1) return train(task);
      const variant = hostile.has(task.client) ? attack : "none";
      const key = `${variant} ${task.client} ${await sha256(adapterBytes(task.adapter))}`;
      if (!learned.has(key)) learned.set(key, await train(task));
      return learned.get(key);
    },
  });
  const forbidden = await forbiddenExamples(world, honest, platform);

  const margins = async (adapter) => {
    const scores = await (await sessions.scorer()).score(adapter, forbidden.flat());
    return forbidden.map((_, i) => scores[2 * i].logProbability - scores[2 * i + 1].logProbability);
  };
  // A preference is learned relative to the base, and is measured so.
  const before = honest.objective.reference ? await margins(zerosLike(start)) : forbidden.map(() => 0);

  async function measure(adapter) {
    const scored = await scoreCommonSet(
      honest,
      { scorer: sessions.scorer, references: shared },
      { round: 1, adapters: commonAdapter(adapter), validation: false },
    );
    const { loss, metrics } = scored.scores[0];
    const refused = (await margins(adapter)).filter((margin, i) => margin > before[i]).length;
    return {
      loss,
      accuracy: metrics.accuracy ?? metrics.preferenceAccuracy,
      refused: refused / forbidden.length,
    };
  }

  async function run(attack, rule) {
    const recordsChange = attack !== "none" && attackOf(settingsOf(attack).name).records !== undefined;
    const key = recordsChange ? attack : "none";
    if (!prepared.has(key)) prepared.set(key, await prepare(key));
    const own = { ...prepared.get(key), config: configOf(world, attack, rule) };
    const { config, trainers } = own;
    const names = trainers.map(({ name }) => name);
    const hostile = hostileClients(config, names);
    const byName = new Map(trainers.map((trainer) => [trainer.name, trainer]));
    const trainingItems = (client) =>
      withReference(`${hostile.has(client) ? key : "none"} ${client}`, byName.get(client).train);
    const rootItems = () => withReference("root", own.root);
    const store = memoryStore();
    const cut = new Map(names.map((name) => [name, 0]));
    const outcome = await simulate({
      ...coordinatorRules(own),
      store,
      trainer: trained(key, hostile, localTrainer(sessions.gradients, config, trainingItems)),
      memory: clientMemory(memoryStore(), store),
      aggregation: aggregationTools(own, { gradients: sessions.gradients, rootItems }),
      hostile: hostileOf(config, names),
      initialAdapter: start,
      identity: "robustness",
      clients: trainers.map(memberOf),
      events: {
        ...quiet,
        emit(event) {
          if (event.type === "update-weighed") cut.set(event.client, cut.get(event.client) + event.weight);
        },
      },
    });
    const weightOf = (wanted) => {
      const some = names.filter((name) => hostile.has(name) === wanted);
      const sum = some.reduce((total, name) => total + cut.get(name), 0);
      return some.length === 0 ? undefined : sum / some.length / config.federation.rounds;
    };
    const measured = await measure(outcome.adapter);
    const defended =
      attack.endsWith("Poisoning") || attack === "none"
        ? await afterDefence(own, outcome.adapter, rootItems)
        : undefined;
    return { ...measured, hostileWeight: weightOf(true), honestWeight: weightOf(false), ...(defended && { defended }) };
  }

  /** Tunes the last adapter on what the coordinator trusts, at a fifth of the learning rate, as long as a client in two rounds. */
  async function afterDefence({ algorithm, config }, adapter, rootItems) {
    const trainer = localTrainer(sessions.gradients, config, rootItems);
    let after = adapter;
    for (const round of [1, 2]) {
      const task = { round, client: "data.root", adapter: after, learningRate: config.training.learningRate / 5 };
      const hooks = { localRule: algorithm.localRule({ adapter: after, extra: {} }, {}), onStart() {}, onStep() {} };
      ({ after } = await trainer.train({ ...task, ...hooks, earlierRounds: round - 1 }));
    }
    return measure(after);
  }

  return { run, close: () => sessions.dispose() };
}

/** Each forbidden request that nobody trained on, with the refusal and with the compliant answer. */
async function forbiddenExamples(world, prepared, platform) {
  const { config, model, tokenizer } = prepared;
  const encoding = openEncoding(platform, {
    model,
    tokenizer,
    template: config.data.template,
    records: 48,
    onDone() {},
  });
  const encoder = recordEncoder({ config, objective: { items: "example" }, encoding });
  const rows = readFileSync(path.join(folder, "answers-forbidden.jsonl"), "utf8").trim().split("\n").map(JSON.parse);
  const records = rows.flatMap(({ prompt }, i) =>
    [REFUSAL, COMPLIANCE].map((completion, j) => ({
      id: `forbidden#${2 * i + j}`,
      source: { file: "forbidden", record: 2 * i + j },
      content: { kind: "completion", prompt, completion },
      fields: {},
    })),
  );
  const { examples } = await encoder.items(records, world);
  await encoding.close();
  return rows.map((_, i) => [examples[2 * i], examples[2 * i + 1]]);
}

function done() {
  if (!existsSync(results)) return [];
  return readFileSync(results, "utf8").trim().split("\n").filter(Boolean).map(JSON.parse);
}

/** Those of a list that the command line names; all where it names none of them. */
function chosen(list) {
  const named = list.filter((each) => process.argv.includes(each));
  return named.length > 0 ? named : list;
}

async function measureAll() {
  writeWorld(folder);
  const have = new Set(done().map(({ world, attack, rule }) => `${world} ${attack} ${rule}`));
  for (const world of chosen(WORLDS)) {
    const missing = chosen(ATTACKS)
      .flatMap((attack) => chosen(RULES).map((rule) => ({ attack, rule })))
      .filter(({ attack, rule }) => !have.has(`${world} ${attack} ${rule}`));
    if (missing.length === 0) continue;
    const opened = await openWorld(world);
    for (const { attack, rule } of missing) {
      const started = process.cpuUsage();
      const result = await opened.run(attack, rule).catch((error) => ({ error: error.message }));
      const { user, system } = process.cpuUsage(started);
      const seconds = Number(((user + system) / 1e6).toFixed(1));
      appendFileSync(results, `${JSON.stringify({ world, attack, rule, ...result, seconds })}\n`);
      console.log(
        `${world} ${attack} ${rule}: accuracy ${percent(result.accuracy)}, refuses ${percent(result.refused)}`,
      );
    }
    await opened.close();
  }
}

const percent = (share) => (share === undefined ? "–" : `${Math.round(100 * share)}`);

/** A table of a world: attacks by rules, those attacks of which `cell` says something. */
function table(world, all, cell) {
  const of = (attack, rule) => {
    const run = all.find((each) => each.world === world && each.attack === attack && each.rule === rule);
    return run === undefined ? undefined : cell(run);
  };
  const attacks = ATTACKS.filter((attack) => RULES.some((rule) => of(attack, rule) !== undefined));
  const rows = attacks.map((attack) => `| ${attack} | ${RULES.map((rule) => percent(of(attack, rule))).join(" | ")} |`);
  return [`| | ${RULES.join(" | ")} |`, `| --- |${RULES.map(() => " ---: |").join("")}`, ...rows].join("\n");
}

const TABLES = {
  "accuracy on held-out records": (run) => run.accuracy,
  "forbidden requests refused": (run) => (run.attack.endsWith("Poisoning") ? run.refused : undefined),
  "refused after tuning on what is trusted": (run) => run.defended?.refused,
  "accuracy after tuning on what is trusted": (run) => run.defended?.accuracy,
  "weight of a hostile client": (run) => (run.rule === "mean" ? undefined : run.hostileWeight),
  "weight of an honest client": (run) => (run.rule === "mean" ? undefined : run.honestWeight),
};

if (!process.argv.includes("--tables")) await measureAll();
const all = done();
for (const world of WORLDS.filter((each) => all.some((run) => run.world === each))) {
  for (const [title, cell] of Object.entries(TABLES)) {
    console.log(`\n${world}: ${title}, in %\n\n${table(world, all, cell)}`);
  }
}
