import type { Content } from "./content.ts";

/** A record's content without what people do not see as a difference: case, spaces, and forms of one character. */
export function contentKey({ content }: { readonly content: Content }): string {
  const known = keys.get(content);
  if (known !== undefined) return known;
  const key = keyOf(content);
  keys.set(content, key);
  return key;
}

/** A set is compared with several others. */
const keys = new WeakMap<Content, string>();

function keyOf(content: Content): string {
  return JSON.stringify(content, (_, value: unknown) => {
    if (typeof value === "bigint") return String(value);
    return typeof value === "string" ? value.normalize("NFKC").toLowerCase().replace(/\s+/g, " ").trim() : value;
  });
}

/** Number of records that say what an earlier one says. */
export function repeatedRecords(records: readonly { readonly content: Content }[]): number {
  return records.length - new Set(records.map(contentKey)).size;
}
