import { fail } from "./fault.ts";
import { equal, iterate, sizeOf } from "./operators.ts";
import { type Args, Callable, type Env, Live, Tuple, Undefined, type Value } from "./values.ts";

/** The variable `loop`. It reads one element ahead at most, unless its length is asked for. */
export class Loop extends Live {
  readonly typeName = "LoopContext";
  index0 = -1;
  readonly #depth0: number;
  readonly #recurse: ((iterable: Value, depth0: number) => Value) | undefined;
  #iterator: Iterator<Value>;
  #size: number | undefined;
  #ahead: IteratorResult<Value> | undefined;
  #current: Value | undefined;
  #before: Value | undefined;
  #changed: Tuple | undefined;

  constructor(
    iterable: Value | Iterator<Value>,
    depth0: number,
    recurse: ((iterable: Value, depth0: number) => Value) | undefined,
  ) {
    super();
    if (typeof iterable === "object" && iterable !== null && "next" in iterable) {
      this.#iterator = iterable;
    } else {
      this.#iterator = iterate(iterable)[Symbol.iterator]();
      this.#size = sizeOf(iterable);
    }
    this.#depth0 = depth0;
    this.#recurse = recurse;
  }

  /** Goes to the next element. */
  next(): IteratorResult<Value> {
    const result = this.#peek();
    this.#ahead = undefined;
    if (result.done !== true) {
      this.index0++;
      this.#before = this.#current;
      this.#current = result.value;
    }
    return result;
  }

  #peek(): IteratorResult<Value> {
    this.#ahead ??= this.#iterator.next();
    return this.#ahead;
  }

  #length(): number {
    if (this.#size !== undefined) return this.#size;
    const rest: Value[] = [];
    for (let next = this.#iterator.next(); next.done !== true; next = this.#iterator.next()) rest.push(next.value);
    this.#iterator = rest[Symbol.iterator]();
    const ahead = this.#ahead !== undefined && this.#ahead.done !== true ? 1 : 0;
    this.#size = rest.length + this.index0 + 1 + ahead;
    return this.#size;
  }

  attribute(name: string): Value | undefined {
    switch (name) {
      case "index0":
        return BigInt(this.index0);
      case "index":
        return BigInt(this.index0 + 1);
      case "length":
        return BigInt(this.#length());
      case "revindex0":
        return BigInt(this.#length() - this.index0 - 1);
      case "revindex":
        return BigInt(this.#length() - this.index0);
      case "first":
        return this.index0 === 0;
      case "last":
        return this.#peek().done === true;
      case "depth0":
        return BigInt(this.#depth0);
      case "depth":
        return BigInt(this.#depth0 + 1);
      case "previtem":
        return this.index0 === 0 ? new Undefined("there is no previous item") : this.#before!;
      case "nextitem": {
        const next = this.#peek();
        return next.done === true ? new Undefined("there is no next item") : next.value;
      }
      case "cycle":
        return new Callable(name, ({ positional }) => {
          if (positional.length === 0) fail("no items for cycling given");
          return positional[this.index0 % positional.length]!;
        });
      case "changed":
        return new Callable(name, ({ positional }, env) => {
          const value = new Tuple(positional);
          const changed = this.#changed === undefined || !equal(this.#changed, value, env);
          this.#changed = value;
          return changed;
        });
      default:
        return undefined;
    }
  }

  shown(): string {
    return `<LoopContext ${this.index0 + 1}/${this.#length()}>`;
  }

  override call({ positional, named }: Args, _: Env): Value {
    if (this.#recurse === undefined) fail("The loop must have the 'recursive' marker to be called recursively.");
    if (positional.length !== 1 || named.size > 0) fail("loop() takes one iterable");
    return this.#recurse(positional[0]!, this.#depth0 + 1);
  }
}
