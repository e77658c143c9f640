import { bind, textArgument } from "./arguments.ts";
import { strftime } from "./clock-format.ts";
import { fail, refuse, TemplateFault } from "./fault.ts";
import { indexOf } from "./numbers.ts";
import { iterate } from "./operators.ts";
import { str } from "./text.ts";
import {
  orElse,
  type Args,
  Callable,
  Dict,
  type Env,
  Live,
  Namespace,
  Range,
  textOf,
  Undefined,
  type Value,
} from "./values.ts";

/** The sandbox refuses longer ones. */
const LONGEST_RANGE = 100_000;

function range(given: Args): Value {
  const [first, second, third] = bind("range", "start stop= step= /", given);
  const start = indexOf(first!, "an argument of range");
  const step = third === undefined ? 1n : indexOf(third, "an argument of range");
  if (step === 0n) fail("range() arg 3 must not be zero");
  const made =
    second === undefined ? new Range(0n, start, 1n) : new Range(start, indexOf(second, "an argument of range"), step);
  if (made.length > LONGEST_RANGE) {
    fail(`Range too big. The sandbox blocks ranges larger than MAX_RANGE (${LONGEST_RANGE}).`);
  }
  return made;
}

/** The entries of `dict(…)`: of a mapping or of pairs, then the named ones. */
function entriesOf(called: string, { positional, named }: Args): (readonly [Value, Value])[] {
  if (positional.length > 1) fail(`${called} expected at most 1 argument, got ${positional.length}`);
  const [from] = positional;
  const entries: (readonly [Value, Value])[] = [];
  if (from instanceof Undefined) fail(from.message);
  if (from instanceof Dict) entries.push(...from.entries());
  else if (from !== undefined) {
    for (const pair of iterate(from)) {
      const [key, value, ...rest] = iterate(pair);
      if (key === undefined || value === undefined || rest.length > 0) fail(`${called} takes pairs of key and value`);
      entries.push([key, value]);
    }
  }
  return [...entries, ...named];
}

class Cycler extends Live {
  readonly typeName = "Cycler";
  readonly #items: readonly Value[];
  #at = 0;

  constructor(items: readonly Value[]) {
    super();
    this.#items = items;
  }
  attribute(name: string): Value | undefined {
    if (name === "current") return this.#items[this.#at]!;
    if (name === "items" || name === "pos") return refuse(`the attribute ${name} of a cycler`);
    if (name === "next") {
      return new Callable(name, () => {
        const item = this.#items[this.#at]!;
        this.#at = (this.#at + 1) % this.#items.length;
        return item;
      });
    }
    if (name !== "reset") return undefined;
    return new Callable(name, () => {
      this.#at = 0;
      return null;
    });
  }
  shown(): undefined {
    return undefined;
  }
}

class Joiner extends Live {
  readonly typeName = "Joiner";
  readonly #separator: Value;
  #used = false;

  constructor(separator: Value) {
    super();
    this.#separator = separator;
  }
  attribute(name: string): Value | undefined {
    if (name === "sep") return this.#separator;
    return name === "used" ? this.#used : undefined;
  }
  shown(): undefined {
    return undefined;
  }
  override call(given: Args): Value {
    bind("joiner", "", given);
    const first = !this.#used;
    this.#used = true;
    return first ? "" : this.#separator;
  }
}

function fn(name: string, call: (given: Args, env: Env) => Value): [string, Value] {
  return [name, new Callable(name, call)];
}

/** What Jinja and transformers put into every template. */
export function globals(clock: (() => Date) | undefined): Map<string, Value> {
  return new Map([
    fn("range", range),
    fn("dict", (given) => new Dict(entriesOf("dict", given))),
    fn("namespace", (given) => {
      const entries = entriesOf("namespace", given);
      return new Namespace(
        entries.map(([key, value]) => [textOf(key) ?? refuse("a name that is no text"), value] as const),
      );
    }),
    fn("cycler", ({ positional, named }) => {
      if (named.size > 0) fail("cycler() takes no keyword arguments");
      return positional.length === 0 ? fail("at least one item has to be provided") : new Cycler(positional);
    }),
    fn("joiner", (given) => new Joiner(orElse<Value>(bind("joiner", "sep=", given)[0], () => ", "))),
    fn("lipsum", () => refuse("lipsum(), which writes random text,")),
    fn("raise_exception", (given) => {
      throw new TemplateFault("raised", str(bind("raise_exception", "message", given)[0]!));
    }),
    ...(clock === undefined
      ? []
      : [
          fn("strftime_now", (given) =>
            strftime(clock(), textArgument(bind("strftime_now", "format", given)[0], "strftime_now")),
          ),
        ]),
  ]);
}
