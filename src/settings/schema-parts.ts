import { z } from "zod";
import { DELIMITER_NAMES } from "../data/csv.ts";
import { ALIASES } from "../data/record.ts";
import { FORMATS } from "../data/source.ts";

/** Schema of the names of a registry. */
export function names<T extends object>(registry: T): z.ZodEnum<{ [K in Extract<keyof T, string>]: K }> {
  return z.enum(Object.keys(registry) as [Extract<keyof T, string>]) as never;
}

export const count: z.ZodInt = z.int().min(1);
export const natural: z.ZodInt = z.int().min(0);
export const positive: z.ZodNumber = z.number().positive();
export const fraction: z.ZodNumber = z.number().min(0).lt(1);
/** A part of a whole that leaves something to both sides. */
export const share: z.ZodNumber = z.number().gt(0).lt(1);
export const text: z.ZodString = z.string().min(1);
export const files: z.ZodUnion<[z.ZodString, z.ZodArray<z.ZodString>]> = z.union([text, z.array(text).min(1)]);

/** One character, or its name. */
const delimiter = text.refine((given) => Object.hasOwn(DELIMITER_NAMES, given) || /^[^"\r\n]$/.test(given), {
  error: `expected one character, or one of ${Object.keys(DELIMITER_NAMES).slice(0, 4).join(", ")}`,
});

/** Threads of the engine, of a run and of a site. Without a default: the identity of runs does not name it. */
export function threads(besides = ""): z.ZodOptional<z.ZodInt> {
  const description = "Number of threads of the engine. Default: one for each processor.";
  return count.max(256).optional().describe(`${description}${besides}`);
}

/** How files of records are read: settings of a run and of a site. Those without a default keep the identity of runs. */
export const readingFields = {
  info: text
    .optional()
    .describe(
      "LLaMA-Factory's dataset_info.json. Where files are named, the names of its datasets stand for their records (docs/own-data.md).",
    ),
  fields: z
    .partialRecord(names(ALIASES), z.union([text, z.literal(false)]))
    .default({})
    .describe(
      "Columns of the parts of a record, such as { instruction: question, response: answer }. False leaves a part out: { system: false }.",
    ),
  format: names(FORMATS).optional().describe("Format of the files. Default: from the extension of each file."),
  delimiter: delimiter
    .optional()
    .describe(
      "Character between the columns of CSV and TSV files, or its name: comma, semicolon, tab, pipe. Default: a first line `sep=;`, or else the first rows tell it.",
    ),
  invalid: z
    .enum(["refuse", "skip"])
    .optional()
    .describe(
      "Action for rows that are not usable records: refuse the file, or skip and count the rows. Default: refuse for files, skip for datasets of the Hugging Face Hub.",
    ),
};
