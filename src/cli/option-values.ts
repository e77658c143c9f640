import { InvalidArgumentError } from "commander";

/** Collects a flag that may be given again and again. */
export function collect(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, value];
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
    if (Number.isNaN(value) || value < min || value > max || (integer && !Number.isSafeInteger(value))) {
      const kind = integer ? "a whole number" : "a number";
      throw new InvalidArgumentError(
        `Expected ${kind}${max === Infinity ? `, ${min} or more` : ` from ${min} to ${max}`}.`,
      );
    }
    return value;
  };
}
