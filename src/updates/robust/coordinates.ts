import { middle } from "./order.ts";

/**
 * Combines the values of one coordinate, one a client, and adds to `shares` what share of the result each client has. `values` may
 * be changed.
 */
export type CoordinateRule = (values: Float64Array, shares: Float64Array) => number;

/** The middle value, or the mean of the two in the middle. */
export function medianRule(): CoordinateRule {
  const sorted = sorter();
  return (values, shares) => {
    const half = values.length >> 1;
    return meanOf(values, sorted(values), values.length % 2 === 1 ? half : half - 1, half + 1, shares);
  };
}

/** The mean of all but the `cut` lowest and the `cut` highest values. */
export function trimmedMeanRule(cut: number): CoordinateRule {
  const sorted = sorter();
  return (values, shares) => meanOf(values, sorted(values), cut, values.length - cut, shares);
}

/** The mean of the `count` values that are nearest to the median. Of values equally near the lowest place is first. */
export function nearestMedianRule(count: number): CoordinateRule {
  const sorted = sorter();
  return (values, shares) => {
    const median = middle(values.slice().sort());
    const order = sorted(values.map((value) => Math.abs(value - median)));
    return meanOf(values, order, 0, count, shares);
  };
}

/** Adds up from −0: 0 + −0 is 0, and zeros of one sign would lose it. */
function meanOf(values: Float64Array, order: Int32Array, from: number, to: number, shares: Float64Array): number {
  let sum = -0;
  for (let at = from; at < to; at++) {
    const place = order[at]!;
    sum += values[place]!;
    shares[place]! += 1 / (to - from);
  }
  return sum / (to - from);
}

/** Below this an insertion is faster than a sort with a comparison. */
const FEW = 48;

/** Makes a function that orders places by their values, the lowest place first among equals. It returns the same array again. */
function sorter(): (values: Float64Array) => Int32Array {
  let order = new Int32Array(0);
  return (values) => {
    if (order.length !== values.length) order = new Int32Array(values.length);
    if (values.length > FEW) {
      for (let i = 0; i < order.length; i++) order[i] = i;
      return order.sort((i, j) => values[i]! - values[j]! || i - j);
    }
    for (let i = 0; i < order.length; i++) {
      const value = values[i]!;
      let at = i;
      for (; at > 0 && values[order[at - 1]!]! > value; at--) order[at] = order[at - 1]!;
      order[at] = i;
    }
    return order;
  };
}
