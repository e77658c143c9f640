import { z } from "zod";
import { DELIMITER_NAMES } from "../data/csv.ts";

/** Schema of the names of a registry. */
export function names<T extends object>(registry: T): z.ZodEnum<{ [K in Extract<keyof T, string>]: K }> {
  return z.enum(Object.keys(registry) as [Extract<keyof T, string>]) as never;
}

export const count: z.ZodInt = z.int().min(1);
export const natural: z.ZodInt = z.int().min(0);
export const positive: z.ZodNumber = z.number().positive();
export const fraction: z.ZodNumber = z.number().min(0).lt(1);
export const text: z.ZodString = z.string().min(1);
export const files: z.ZodUnion<[z.ZodString, z.ZodArray<z.ZodString>]> = z.union([text, z.array(text).min(1)]);

/** One character, or its name. */
export const delimiter: z.ZodType<string> = text.refine(
  (given) => Object.hasOwn(DELIMITER_NAMES, given) || /^[^"\r\n]$/.test(given),
  { error: `expected one character, or one of ${Object.keys(DELIMITER_NAMES).slice(0, 4).join(", ")}` },
);
