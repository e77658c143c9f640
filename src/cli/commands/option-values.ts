import { InvalidArgumentError } from "commander";

/** Collects a flag that may be given again and again. */
export function collect(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, value];
}

/** A parser for a flag that takes a text: an empty one comes from a variable of the shell that is not set. */
export function textFlag(value: string): string {
  if (value.trim() === "") throw new InvalidArgumentError("Expected a text that is not empty.");
  return value;
}

/** A parser for a flag that takes a text, a line break included, and may be given again and again. */
export function collectTexts(value: string, earlier: readonly string[]): readonly string[] {
  if (value === "") throw new InvalidArgumentError("Expected a text that is not empty.");
  return collect(value, earlier);
}

/** A parser for a flag that takes a number in a range. */
export function numberFlag({
  integer = false,
  min,
  max = Infinity,
}: {
  integer?: boolean;
  min: number;
  max?: number;
}): (text: string) => number {
  return (text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (!Number.isFinite(value) || value < min || value > max || (integer && !Number.isSafeInteger(value))) {
      const kind = integer ? "a whole number" : "a number";
      throw new InvalidArgumentError(
        `Expected ${kind}${max === Infinity ? `, ${min} or more` : ` from ${min} to ${max}`}.`,
      );
    }
    return value;
  };
}
