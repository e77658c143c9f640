import { phi } from "../privacy/log-phi.ts";
import { type Params, subtract, type Tensor } from "../tensor/params.ts";

/** The mean and the standard deviation (over the clients, divided by their number) of each coordinate, in float64. */
export function spreadOf(changes: readonly Params[]): { readonly mean: Params; readonly deviation: Params } {
  const [first] = changes;
  if (first === undefined) throw new Error("no honest change to look at");
  const mean = new Map<string, Tensor>();
  const deviation = new Map<string, Tensor>();
  for (const [name, { shape, data }] of first) {
    const all = changes.map((change) => change.get(name)!.data);
    const means = Float64Array.from(data, (_, i) => all.reduce((sum, each) => sum + each[i]!, 0) / all.length);
    const deviations = means.map((centre, i) =>
      Math.sqrt(all.reduce((sum, each) => sum + (each[i]! - centre) ** 2, 0) / all.length),
    );
    mean.set(name, { shape, data: means });
    deviation.set(name, { shape, data: deviations });
  }
  return { mean, deviation };
}

/** ⟨a, b⟩. */
export function innerProduct(a: Params, b: Params): number {
  let sum = 0;
  for (const [name, { data }] of a) {
    const other = b.get(name)!.data;
    for (let i = 0; i < data.length; i++) sum += data[i]! * other[i]!;
  }
  return sum;
}

/** ‖a − b‖². */
export function squaredDistance(a: Params, b: Params): number {
  const difference = subtract(a, b);
  return innerProduct(difference, difference);
}

/** Finds the largest γ ≥ 0 that is allowed, where all smaller ones are too: doubling, then 100 halvings. */
export function largest(allowed: (gamma: number) => boolean): number {
  let high = 1;
  while (allowed(high) && high < 1e12) high *= 2;
  let low = 0;
  for (let i = 0; i < 100; i++) {
    const middle = (low + high) / 2;
    if (allowed(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/** Φ⁻¹(share), by bisection. */
export function normalQuantile(share: number): number {
  let [low, high] = [-40, 40];
  for (let i = 0; i < 200; i++) {
    const middle = (low + high) / 2;
    if (phi(middle) < share) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}
