/** Sums of measurements with what to divide them by, so that those of steps, micro-batches and clients add up. */
export type Tally = Readonly<Record<string, { readonly sum: number; readonly count: number }>>;

/** All of both; what has the same name is added up. */
export function addTallies(a: Tally, b: Tally): Tally {
  const total: Record<string, { sum: number; count: number }> = { ...a };
  for (const [name, { sum, count }] of Object.entries(b)) {
    total[name] = { sum: (a[name]?.sum ?? 0) + sum, count: (a[name]?.count ?? 0) + count };
  }
  return total;
}

/** The mean of each, without those that nothing was counted for. */
export function meansOf(tally: Tally): Record<string, number> {
  return Object.fromEntries(
    Object.entries(tally).flatMap(([name, { sum, count }]) => (count === 0 ? [] : [[name, sum / count]])),
  );
}
