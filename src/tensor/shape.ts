/** A size of a shape: a number, or in a graph also a symbol such as `batch`. */
type Size = number | string;

/** `[2, 3]`, as error messages print a shape. */
export function formatShape(shape: readonly Size[]): string {
  return `[${shape.join(", ")}]`;
}

export function sameShape(a: readonly Size[], b: readonly Size[]): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}
