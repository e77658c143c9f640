import { excerpt } from "./excerpt.ts";

/** Writes a value of unknown size for a message, as JSON of at most `most` characters. */
export function shownJson(value: unknown, most = 80): string {
  try {
    return excerpt(JSON.stringify(value) ?? String(value), most);
  } catch {
    // Too deep, or within itself.
    return "a value that JSON cannot hold";
  }
}
