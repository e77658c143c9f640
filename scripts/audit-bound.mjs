// Lower bounds on ε from guesses about runs with and without a member (Jagielski et al. 2020, arXiv 2006.07709).
import { proportion } from "../dist/evaluation/metrics/estimate.js";

/** log of the least likelihood ratio that `hits` of n where a client is, and `alarms` of n where it is not, allow: 95%. */
function ratioOf(hits, alarms, n, delta) {
  return Math.log(Math.max(1e-9, proportion(hits, n).low - delta) / proportion(alarms, n).high);
}

/** Lower bound on ε at δ: the threshold is chosen on one half of the runs, and judged on the other. */
export function lowerBound(members, others, delta) {
  const half = Math.floor(members.length / 2);
  const above = (values, threshold, sign) => values.filter((value) => sign * value > sign * threshold).length;
  let best = { bound: -Infinity };
  for (const threshold of [...members.slice(0, half), ...others.slice(0, half)]) {
    for (const [sign, first, second] of [
      [1, members, others],
      [-1, others, members],
    ]) {
      const hits = above(first.slice(0, half), threshold, sign);
      const bound = ratioOf(hits, above(second.slice(0, half), threshold, sign), half, delta);
      if (bound > best.bound) best = { bound, threshold, sign, first, second };
    }
  }
  const { threshold, sign, first, second } = best;
  const n = members.length - half;
  return Math.max(
    0,
    ratioOf(above(first.slice(half), threshold, sign), above(second.slice(half), threshold, sign), n, delta),
  );
}
