import { TemplateFault } from "./fault.ts";

/** What one rendering may use. Templates come with models, that is from strangers. */
export interface Limits {
  /** Expressions, statements and elements that are gone through. */
  readonly steps: number;
  /** Characters of all texts that are made on the way. */
  readonly characters: number;
  readonly milliseconds: number;
}

const DEFAULT_LIMITS: Limits = { steps: 20_000_000, characters: 200_000_000, milliseconds: 60_000 };

const STEPS_BETWEEN_LOOKS = 0x3fff;

/** Counts the work of one rendering and ends it where it passes a limit. */
export class Budget {
  readonly #limits: Limits;
  readonly #end: number;
  #steps = 0;
  #looked = 0;
  #characters = 0;

  constructor(limits: Limits = DEFAULT_LIMITS) {
    this.#limits = limits;
    this.#end = Date.now() + limits.milliseconds;
  }

  step(count = 1): void {
    this.#steps += count;
    if (this.#steps > this.#limits.steps) {
      throw new TemplateFault("limit", `it takes more than ${this.#limits.steps} steps`);
    }
    if (this.#steps - this.#looked > STEPS_BETWEEN_LOOKS) {
      this.#looked = this.#steps;
      if (Date.now() > this.#end) {
        throw new TemplateFault("limit", `it takes longer than ${this.#limits.milliseconds / 1000} seconds`);
      }
    }
  }

  /** Counts a text (or a list) before it is made. */
  make(length: number): void {
    this.#characters += length;
    if (!(this.#characters <= this.#limits.characters)) {
      throw new TemplateFault("limit", `it makes more than ${this.#limits.characters} characters of text`);
    }
  }
}
