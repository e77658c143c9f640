// Reads the tokens of a record back from one update (Petrov et al. 2024, arXiv 2405.15586, "DAGER", on LoRA). B begins at
// zero, so after one step ΔB of the first layer's v_proj is −η Σ_t dy_t (A x_t)ᵀ, and x_t depends on the token alone: its
// rows span the A x_t of the record's tokens. A token whose A x lies in that span is in the record.
import { discreteGaussian } from "../dist/privacy/discrete-gaussian.js";
import { noiseFor } from "../dist/privacy/gaussian.js";
import { gridStep } from "../dist/privacy/noise-grid.js";
import { keyStream } from "../dist/privacy/secret-stream.js";
import { addScaled, globalNorm, scale, zerosLike } from "../dist/tensor/params.js";
import { stream } from "../dist/tensor/random.js";
import { openTinyModel, recordOf } from "./audit-model.mjs";

const MODULE = "base_model.model.model.layers.0.self_attn.v_proj";
const EPS = 1e-5;

/** Which tokens does an update name? The `count` tokens nearest to the span of its rows, out of the whole vocabulary. */
function tokensIn(update, model, count) {
  const b = update.get(`${MODULE}.lora_B.weight`);
  const a = model.start.get(`${MODULE}.lora_A.weight`);
  const [out, rank] = b.shape;
  const gram = Array.from({ length: rank }, (_, i) =>
    Array.from({ length: rank }, (_, j) => {
      let sum = 0;
      for (let row = 0; row < out; row++) sum += b.data[row * rank + i] * b.data[row * rank + j];
      return sum;
    }),
  );
  const span = largestEigenvectors(gram, Math.min(count, rank - 1));
  const [vocabulary, hidden] = model.embedding.shape;
  const distances = Array.from({ length: vocabulary }, (_, token) => {
    const x = normalised(model.embedding.data.subarray(token * hidden, (token + 1) * hidden));
    const seen = Array.from({ length: rank }, (_, r) => x.reduce((sum, v, i) => sum + v * a.data[r * hidden + i], 0));
    const size = seen.reduce((sum, v) => sum + v * v, 0);
    const inside = span.reduce((sum, v) => sum + v.reduce((dot, w, i) => dot + w * seen[i], 0) ** 2, 0);
    return { token, distance: Math.sqrt(Math.max(0, 1 - inside / size)) };
  });
  return distances
    .sort((p, q) => p.distance - q.distance)
    .slice(0, count)
    .map(({ token }) => token);
}

/** RMSNorm of weight 1: what the first layer reads. */
function normalised(embedding) {
  const mean = embedding.reduce((sum, v) => sum + v * v, 0) / embedding.length;
  return Array.from(embedding, (v) => v / Math.sqrt(mean + EPS));
}

/** Eigenvectors of a symmetric matrix by Jacobi's rotations, of the largest eigenvalues. */
function largestEigenvectors(matrix, count) {
  const n = matrix.length;
  const m = matrix.map((row) => [...row]);
  const v = matrix.map((_, i) => matrix.map((_, j) => (i === j ? 1 : 0)));
  for (let sweep = 0; sweep < 30; sweep++) {
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) {
        if (m[p][q] === 0) continue;
        const theta = (m[q][q] - m[p][p]) / (2 * m[p][q]);
        const t = Math.sign(theta || 1) / (Math.abs(theta) + Math.hypot(theta, 1));
        const c = 1 / Math.hypot(t, 1);
        const s = t * c;
        for (let k = 0; k < n; k++) [m[k][p], m[k][q]] = [c * m[k][p] - s * m[k][q], s * m[k][p] + c * m[k][q]];
        for (let k = 0; k < n; k++) [m[p][k], m[q][k]] = [c * m[p][k] - s * m[q][k], s * m[p][k] + c * m[q][k]];
        for (let k = 0; k < n; k++) [v[k][p], v[k][q]] = [c * v[k][p] - s * v[k][q], s * v[k][p] + c * v[k][q]];
      }
    }
  }
  const order = m.map((row, i) => [row[i], i]).sort(([a], [b]) => b - a);
  return order.slice(0, count).map(([, i]) => v.map((row) => row[i]));
}

/** Share of the tokens which a record's answer was computed from that are among those found. The last one is only a label. */
function recall({ tokens }, found) {
  const read = tokens.subarray(0, -1);
  return read.filter((token) => found.includes(token)).length / read.length;
}

const VOCABULARY = 256;
const LENGTH = 16;
const RECORDS = 8;
/** The group whose sum secure aggregation shows. */
const COHORT = 10;
const DELTA = 1e-3;

/** A table of what is read back under each protection: lines of text. */
export async function inversionTable(seed) {
  const model = await openTinyModel({ hidden: 64, vocabulary: VOCABULARY, rank: 24, targets: ["v_proj"] });
  const records = Array.from({ length: RECORDS * COHORT }, (_, i) =>
    recordOf(stream(seed, "inversion", i).permutation(VOCABULARY).slice(0, LENGTH), 2),
  );
  const update = (record, training = {}) => model.train(model.start, [record], { learningRate: 0.1, ...training });
  const clipped = (delta) => scale(delta, Math.min(1, 1 / globalNorm(delta)));
  const key = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`inversion|${seed}`));
  const secret = await keyStream(new Uint8Array(key));
  const z = noiseFor(8, DELTA, 1);
  const sum = async (some, of) => {
    let total = zerosLike(model.start, Float64Array);
    for (const record of some) total = addScaled(total, 1, await of(record));
    return total;
  };
  const groupOf = (i) => records.slice(i * COHORT, (i + 1) * COHORT);
  const views = [
    ["one step of SGD", (i) => update(records[i * COHORT])],
    ["four steps of SGD", (i) => update(records[i * COHORT], { steps: 4 })],
    ["one step of AdamW", (i) => update(records[i * COHORT], { optimizer: "adamw", learningRate: 1e-3 })],
    ["clipped, no noise", async (i) => clipped(await update(records[i * COHORT]))],
    [`secure aggregation: the sum of ${COHORT}`, (i) => sum(groupOf(i), update)],
    ["local noise, ε 8", async (i) => noisy(clipped(await update(records[i * COHORT])), 2 * z, secret)],
    ["noise on each record's gradient, ε 8", async (i) => noisy(clipped(await update(records[i * COHORT])), z, secret)],
    [
      `central noise on the sum of ${COHORT}, ε 8`,
      async (i) => noisy(await sum(groupOf(i), async (record) => clipped(await update(record))), z, secret),
    ],
  ];
  const lines = [
    `tokens of a record of ${LENGTH} read back from what is seen (chance: ${percent(LENGTH / VOCABULARY)})`,
  ];
  for (const [name, view] of views) {
    let found = 0;
    for (let i = 0; i < RECORDS; i++) found += recall(records[i * COHORT], tokensIn(await view(i), model, LENGTH));
    lines.push(`${name.padEnd(40)}${percent(found / RECORDS).padStart(6)}`);
  }
  return lines;
}

const percent = (share) => `${(100 * share).toFixed(0)}%`;

/** Adds discrete Gaussian noise of a standard deviation to each number. */
async function noisy(params, deviation, secret) {
  const step = gridStep(deviation);
  const result = new Map();
  for (const [name, { shape, data }] of params) {
    const noise = await discreteGaussian(secret, deviation / step, data.length);
    result.set(name, { shape, data: Float64Array.from(data, (value, i) => value + noise[i] * step) });
  }
  return result;
}
