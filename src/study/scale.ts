/** A linear map from a quantity to a place in pixels. */
export type Scale = (value: number) => number;

export function linearScale([from, to]: readonly [number, number], [start, end]: readonly [number, number]): Scale {
  const span = to - from;
  return (value) => (span === 0 ? (start + end) / 2 : start + ((value - from) / span) * (end - start));
}

/** Steps of 1, 2 or 5 times a power of ten, about `count` of them, that lie within the range. */
export function ticksOf([from, to]: readonly [number, number], count: number, least = 0): number[] {
  if (!(to > from)) return [from];
  const rough = Math.max((to - from) / count, least);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => power * factor >= rough * (1 - 1e-9))!;
  const first = Math.ceil(from / step - 1e-9);
  const last = Math.floor(to / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

/** Writes ticks with the number of decimals that their step needs; with `percent`, shares in per cent. */
export function tickTexts(ticks: readonly number[], percent = false): string[] {
  if (percent) return tickTexts(ticks.map((tick) => 100 * tick)).map((tick) => `${tick}%`);
  const step = ticks.length < 2 ? 0 : ticks[1]! - ticks[0]!;
  const decimals = step === 0 ? 3 : Math.min(12, Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
  return ticks.map((tick) => (Math.abs(tick) >= 1e6 ? tick.toExponential(1) : tick.toFixed(decimals)));
}

/** The range of the values with a margin on both sides. Values that are not finite do not count. */
export function paddedRange(values: readonly number[], share = 0.06): readonly [number, number] {
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0) return [0, 1];
  const [min, max] = [Math.min(...finite), Math.max(...finite)];
  // A range of width 0 would have no ticks.
  const margin = Math.max(max > min ? (max - min) * share : Math.abs(max) * share || 1, 1e-6);
  return [min - margin, max + margin];
}

/**
 * Places in the given order of size, at least `gap` apart and, as far as possible, within the limits; each as near as
 * can be to where it wants to be (least squares, by pooling neighbours that would overlap).
 */
export function spreadOut(wanted: readonly number[], gap: number, [low, high]: readonly [number, number]): number[] {
  const order = wanted.map((_, i) => i).sort((a, b) => wanted[a]! - wanted[b]!);
  // Without the gaps between them, places only must not decrease.
  const pools: { readonly members: number[]; mean: number }[] = [];
  for (const [rank, i] of order.entries()) {
    let pool = { members: [i], mean: wanted[i]! - rank * gap };
    while (pools.length > 0 && pools.at(-1)!.mean > pool.mean) {
      const before = pools.pop()!;
      const [m, n] = [before.members.length, pool.members.length];
      pool = { members: [...before.members, ...pool.members], mean: (m * before.mean + n * pool.mean) / (m + n) };
    }
    pools.push(pool);
  }
  const last = high - (wanted.length - 1) * gap;
  const places = [...wanted];
  let rank = 0;
  for (const { members, mean } of pools)
    for (const i of members) places[i] = Math.max(low, Math.min(last, mean)) + gap * rank++;
  return places;
}
