import { fail } from "./fault.ts";
import type { Frame } from "./scopes.ts";
import type { Value } from "./values.ts";

/** The values of a frame's names while it runs. A name that is in the frame hides those around it, set or not. */
export class Scope {
  readonly #values = new Map<string, Value | undefined>();
  readonly #outer: Scope | undefined;

  constructor(frame: Frame, outer: Scope | undefined, context: ReadonlyMap<string, Value>) {
    this.#outer = outer;
    for (const [name, origin] of frame.names) {
      const value = origin === "context" ? context.get(name) : origin === "outer" ? outer!.read(name) : undefined;
      this.#values.set(name, value);
    }
  }

  /** Undefined where the name has no value. */
  read(name: string): Value | undefined {
    const value = this.#values.get(name);
    if (value !== undefined || this.#values.has(name)) return value;
    return this.#outer === undefined ? fail(`the name '${name}' is unknown to the frame`) : this.#outer.read(name);
  }

  write(name: string, value: Value | undefined): void {
    this.#values.set(name, value);
  }
}
