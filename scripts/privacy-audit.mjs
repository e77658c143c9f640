// Audits differential privacy by attack. Many small federations are run, half of them without one client's contribution.
// Somebody who sees every adapter, and knows all but that, guesses which half a run is of; the guesses give a lower bound
// on ε (Jagielski et al. 2020, arXiv 2006.07709) that must not pass the accountant's. Then single updates are read back.
//
//   npm run audit:privacy -- [FEDERATIONS=200] [SEED=1]      exits 1 where a bound passes the accountant's ε
import { innerProduct } from "../dist/attacks/statistics.js";
import { aggregatorOf } from "../dist/updates/aggregator-registry.js";
import { combine } from "../dist/updates/combine.js";
import { privateMean } from "../dist/updates/private-mean.js";
import { exposureOf } from "../dist/evaluation/metrics/exposure.js";
import { noiseFor } from "../dist/privacy/gaussian.js";
import { globalNorm, scale, subtract, zerosLike, zipParams } from "../dist/tensor/params.js";
import { stream } from "../dist/tensor/random.js";
import { lowerBound } from "./audit-bound.mjs";
import { keyOf, openTinyModel, recordOf } from "./audit-model.mjs";
import { inversionTable } from "./gradient-inversion.mjs";

const [runs = 200, seed = 1] = process.argv.slice(2).map(Number);
const CLIENTS = 5;
const ROUNDS = 3;
const VOCABULARY = 32;
const CLIP = 1;
const DELTA = 1e-3;
const TRAINING = { steps: 2, learningRate: 1 };

const model = await openTinyModel({
  hidden: 16,
  vocabulary: VOCABULARY,
  rank: 2,
  targets: ["q_proj", "v_proj"],
  layers: 1,
});
/** What the last client alone knows: the answer to a prompt that nobody else has. */
const canary = (secret) => recordOf([3, 1, 4, secret], 3);
const SECRET = 15;
const data = Array.from({ length: CLIENTS }, (_, client) => {
  const random = stream(seed, "records", client);
  return Array.from({ length: 4 }, () =>
    recordOf(
      Array.from({ length: 8 }, () => random.integer(VOCABULARY)),
      3,
    ),
  );
});
data[CLIENTS - 1] = Array.from({ length: 4 }, () => canary(SECRET));

const clipped = (delta) => scale(delta, Math.min(1, CLIP / (globalNorm(delta) || 1)));

/** One federation. Its evidence: how likely the secret became, and how far each round moved the way the client would. */
async function federation(run, isMember, noiseMultiplier) {
  const aggregator =
    noiseMultiplier === undefined
      ? aggregatorOf("mean")
      : privateMean({
          terms: () => ({ clip: CLIP, noiseMultiplier }),
          divisor: CLIENTS,
          key: await keyOf(seed, run, isMember),
          run: "audit",
        });
  const entries = data.map((records, client) => ({ client: String(client), records: records.length }));
  let global = model.start;
  let moved = 0;
  for (let round = 1; round <= ROUNDS; round++) {
    const deltas = [];
    for (const records of data) deltas.push(await model.train(global, records, TRAINING));
    const own = clipped(deltas[CLIENTS - 1]);
    if (!isMember) deltas[CLIENTS - 1] = zerosLike(own, Float64Array);
    const read = async (place) => ({ adapter: zipParams(global, deltas[place], (value, change) => value + change) });
    const groups = { adapter: { like: global } };
    const { adapter } = await combine(aggregator, groups, { entries, read }, { round, global });
    moved += innerProduct(subtract(adapter, global), own) / globalNorm(own);
    global = adapter;
  }
  const candidates = Array.from({ length: VOCABULARY }, (_, secret) => canary(secret));
  const likely = await model.score(global, candidates);
  const others = likely.filter((_, secret) => secret !== SECRET);
  return { likely: likely[SECRET], moved, exposure: exposureOf(likely[SECRET], others) };
}

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
let holds = true;
console.log(
  "Lower bounds on ε, at 95%, and bits of exposure of the client's secret, in runs with the client and without it.",
);
console.log(`${runs} federations of ${CLIENTS} clients and ${ROUNDS} rounds for each row, δ ${DELTA}`);
const row = (cells) => console.log(cells.map((cell, i) => `${cell}`.padStart([10, 16, 18, 16, 10][i])).join(""));
row(["ε promised", "ε by the secret", "ε by the adapters", "exposure with", "without"]);
for (const epsilon of [undefined, 8, 4, 2, 1]) {
  const noise = epsilon && noiseFor(epsilon, DELTA, ROUNDS);
  const evidence = { true: [], false: [] };
  for (let run = 0; run < runs; run++) {
    const isMember = run % 2 === 0;
    evidence[isMember].push(await federation(run, isMember, noise));
  }
  const bounds = ["likely", "moved"].map((kind) =>
    lowerBound(...[true, false].map((side) => evidence[side].map((each) => each[kind])), DELTA),
  );
  const bits = [true, false].map((side) => mean(evidence[side].map(({ exposure }) => exposure.bits)).toFixed(2));
  row([epsilon ?? "no noise", ...bounds.map((bound) => `≥ ${bound.toFixed(2)}`), ...bits]);
  if (epsilon !== undefined && Math.max(...bounds) > epsilon) holds = false;
}
console.log(holds ? "no bound passes the accountant's ε" : "A BOUND PASSES THE ACCOUNTANT'S ε");

console.log("");
for (const line of await inversionTable(seed)) console.log(line);
process.exit(holds ? 0 : 1);
