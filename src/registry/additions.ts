/** Counts what was added to registries since the program began, and what was taken back. */
let changes = 0;

/** Adds a thing to a registry. What `derived` has made from it is made anew. */
export function addTo(registry: object, name: string, thing: unknown): void {
  (registry as Record<string, unknown>)[name] = thing;
  changes += 1;
}

/** Takes a thing out of a registry. */
export function removeFrom(registry: object, name: string): void {
  delete (registry as Record<string, unknown>)[name];
  changes += 1;
}

/** Something that is made from registries: once, and anew after a change of any. */
export function derived<T>(make: () => T): () => T {
  let made: { readonly value: T; readonly at: number } | undefined;
  return () => {
    if (made?.at !== changes) made = { value: make(), at: changes };
    return made.value;
  };
}
