// Audits the privacy of records by attack, with the code that trains. Half of the runs have one record more. Somebody who
// sees the noised gradient of every step, and knows that record, guesses which half a run is of; the guesses give a lower
// bound on ε that must not pass the accountant's. With too little noise, or without coins, it
// comes near or passes, so the audit would see such mistakes.
//
//   npm run audit:records -- [RUNS=1000] [SEED=1]      exits 1 where a bound passes the accountant's ε
import { innerProduct } from "../dist/attacks/statistics.js";
import { OPTIMIZERS } from "../dist/optim/optimizer.js";
import { noiseForSteps } from "../dist/privacy/renyi-filter.js";
import { secretStream } from "../dist/privacy/secret-stream.js";
import { globalNorm, scale } from "../dist/tensor/params.js";
import { stream } from "../dist/tensor/random.js";
import { trainPrivately } from "../dist/train/private-training.js";
import { lowerBound } from "./audit-bound.mjs";
import { keyOf, openTinyModel, recordOf } from "./audit-model.mjs";

const [runs = 1000, seed = 1] = process.argv.slice(2).map(Number);
const STEPS = 4;
const CLIP = 1e-3;
const DELTA = 1e-3;

const model = await openTinyModel({ hidden: 16, vocabulary: 32, rank: 2, targets: ["q_proj", "v_proj"], layers: 1 });
const target = recordOf([3, 1, 4, 15], 3);
/** In the place of a record: nothing of it is learned. The worst case for the target is that nothing hides it but the noise. */
const nothing = recordOf([2, 2, 2, 2], 4);
const optimizer = OPTIMIZERS.sgd({ momentum: 0, weightDecay: 0 });

/** The evidence of one run: log of how much likelier its noised gradients are with the target. */
async function evidenceOf(run, isMember, rate, noiseMultiplier) {
  const key = await keyOf(seed, run, isMember, rate, noiseMultiplier);
  const seen = [];
  await trainPrivately({
    engine: model.records,
    adapter: model.start,
    steps: STEPS,
    items: [isMember ? target : nothing, nothing],
    rate,
    noise: { clip: CLIP, noiseMultiplier },
    secret: (step, use) => secretStream(key, `${step}|${use}`),
    optimizer,
    learningRate: 0.1,
    localRule: { gradient: (gradient, adapter) => (seen.push([gradient, adapter]), gradient) },
    random: () => stream(0),
  });
  let evidence = 0;
  for (const [gradient, adapter] of seen) {
    const own = await clippedTarget(adapter);
    // The gradient was divided by the expected batch: of two records, each in with the rate.
    const x = (innerProduct(gradient, own) * 2 * rate) / CLIP ** 2;
    evidence += Math.log(1 - rate + rate * Math.exp((2 * x - 1) / (2 * noiseMultiplier ** 2)));
  }
  return evidence;
}

/** The target's gradient at an adapter, scaled to the clip norm. */
async function clippedTarget(adapter) {
  let own;
  await model.records.each(adapter, [target], undefined, (_place, gradient) => (own = gradient));
  return scale(own, CLIP / globalNorm(own));
}

async function boundOf(rate, noiseMultiplier) {
  const evidence = { true: [], false: [] };
  for (let run = 0; run < runs; run++) {
    const isMember = run % 2 === 0;
    evidence[isMember].push(await evidenceOf(run, isMember, rate, noiseMultiplier));
  }
  return lowerBound(evidence.true, evidence.false, DELTA);
}

let holds = true;
console.log(`Lower bounds on ε, at 95%: ${runs} runs of ${STEPS} steps for each, δ ${DELTA}`);
console.log("coin    ε promised    noise    ε by attack    with a quarter of the noise    with every coin 1");
for (const [rate, epsilon] of [
  [1, 2],
  [0.25, 2],
]) {
  const noise = noiseForSteps(rate, STEPS, { epsilon, delta: DELTA });
  const bounds = [await boundOf(rate, noise), await boundOf(rate, noise / 4), await boundOf(1, noise)];
  const cells = [rate, epsilon, noise.toFixed(2), ...bounds.map((bound) => `≥ ${bound.toFixed(2)}`)];
  console.log(cells.map((cell, i) => `${cell}`.padStart([4, 14, 9, 15, 31, 21][i])).join(""));
  if (bounds[0] > epsilon) holds = false;
}
console.log(holds ? "no bound passes the accountant's ε" : "A BOUND PASSES THE ACCOUNTANT'S ε");
process.exit(holds ? 0 : 1);
