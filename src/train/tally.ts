/** Sums of measurements with the counts to divide them by, so that steps, micro-batches and clients add up. */
export type Tally = Readonly<Record<string, { readonly sum: number; readonly count: number }>>;

/** Adds two tallies, name by name. */
export function addTallies(a: Tally, b: Tally): Tally {
  const total: Record<string, { sum: number; count: number }> = { ...a };
  for (const [name, { sum, count }] of Object.entries(b)) {
    total[name] = { sum: (a[name]?.sum ?? 0) + sum, count: (a[name]?.count ?? 0) + count };
  }
  return total;
}

/** Computes the mean of each measurement; one with the count 0 is left out. */
export function meansOf(tally: Tally): Record<string, number> {
  return Object.fromEntries(
    Object.entries(tally).flatMap(([name, { sum, count }]) => (count === 0 ? [] : [[name, sum / count]])),
  );
}
