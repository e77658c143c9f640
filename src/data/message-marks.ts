import { asText, isBlank } from "./record-fields.ts";
import { typeName, type Row } from "./row.ts";

/**
 * What other programs write beside a turn to say whether it is learnt: `weight` (OpenAI, mistral-finetune), `train` and
 * `training` (axolotl), `loss` and `loss_scale` (ms-swift), and spellings of them.
 */
const MARKS = ["weight", "train", "training", "trainable", "learn", "loss", "loss_mask", "loss_scale", "loss_weight"];

/** Marks of a part of a turn, and marks that mean the contrary in one program and not in another. */
const UNKNOWN_MARKS = ["train_detail", "training_detail", "mask", "masked", "ignore", "ignore_loss", "label_mask"];

const VALUES: Readonly<Record<string, boolean>> = {
  true: true,
  "1": true,
  "1.0": true,
  false: false,
  "0": false,
  "0.0": false,
};

/** The names that are marks: no template writes them. */
export const MARK_NAMES: ReadonlySet<string> = new Set([...MARKS, ...UNKNOWN_MARKS]);

/** Tells if a turn is marked as learnt (undefined: not marked); a problem in words where the mark cannot be followed. */
export function markOf(turn: Row): boolean | undefined | string {
  const unknown = UNKNOWN_MARKS.find((name) => !isBlank(turn[name]) && turn[name] !== false);
  if (unknown !== undefined) {
    return `has "${unknown}", which is not supported: to leave a whole turn out of the loss, write "train": false`;
  }
  let marked: boolean | undefined;
  for (const name of MARKS) {
    const value = turn[name];
    if (isBlank(value)) continue;
    const written = asText(value) ?? typeName(value);
    const key = written.toLowerCase();
    if (!Object.hasOwn(VALUES, key)) return `has the ${name} ${written}, expected 0 or 1 (or false or true)`;
    if (marked !== undefined && marked !== VALUES[key])
      return `has marks that contradict each other (${name} ${written})`;
    marked = VALUES[key];
  }
  return marked;
}
