/**
 * One dimension of a shape: a number, a symbol that is known only when the graph runs (`batch`, `length`, `rows`), or a
 * product of both, `4*batch*length`. Factors are in order, so equal products are equal strings.
 */
export type Dim = number | string;

/** Multiplies dimensions, in canonical form. The empty product is 1. */
export function product(dims: readonly Dim[]): Dim {
  let coefficient = 1;
  const symbols: string[] = [];
  for (const dim of dims) {
    for (const factor of String(dim).split("*")) {
      const value = Number(factor);
      if (Number.isNaN(value)) symbols.push(factor);
      else coefficient *= value;
    }
  }
  if (symbols.length === 0) return coefficient;
  symbols.sort();
  return (coefficient === 1 ? symbols : [String(coefficient), ...symbols]).join("*");
}

/** Computes a dimension from the values of its symbols. */
export function resolveDim(dim: Dim, bindings: ReadonlyMap<string, number>): number {
  let value = 1;
  for (const factor of String(dim).split("*")) {
    const number = bindings.get(factor) ?? Number(factor);
    if (Number.isNaN(number)) throw new Error(`dimension '${dim}': symbol '${factor}' is not bound by any input`);
    value *= number;
  }
  return value;
}
