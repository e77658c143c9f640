import { UserError } from "../diagnostics/user-error.ts";

/** The longest string of V8. */
const MOST_TEXT_BYTES = 2 ** 29 - 25;

/**
 * Decodes bytes to text without the byte order mark: UTF-8, or UTF-16 as its byte order mark or its first character says
 * (spreadsheets save "Unicode text" so). `where` names the place in the error.
 */
export function decodeText(bytes: Uint8Array, where: string): string {
  return decode(bytes, utf16Of(bytes) ?? "utf-8", where);
}

/** The bytes as UTF-8, for readers that decode a file in parts. */
export function asUtf8(bytes: Uint8Array, where: string): Uint8Array {
  const encoding = utf16Of(bytes);
  return encoding === undefined ? bytes : new TextEncoder().encode(decode(bytes, encoding, where));
}

/** Decodes UTF-8 without the byte order mark. */
export function decodeUtf8(bytes: Uint8Array, where: string): string {
  return decode(bytes, "utf-8", where);
}

/** Names a size for a sentence: `64 MB`. */
export function megabytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MB`;
}

type Encoding = "utf-8" | "utf-16le" | "utf-16be";

function utf16Of([first, second]: Uint8Array): Encoding | undefined {
  if (first === 0xff && second === 0xfe) return "utf-16le";
  if (first === 0xfe && second === 0xff) return "utf-16be";
  // Without a mark: no table and no JSON begins with a NUL, and one character of them is ASCII.
  if (second === 0 && first !== 0 && first !== undefined) return "utf-16le";
  return first === 0 && second !== 0 && second !== undefined ? "utf-16be" : undefined;
}

function decode(bytes: Uint8Array, encoding: Encoding, where: string): string {
  if (bytes.length > MOST_TEXT_BYTES) {
    throw new UserError(
      "data",
      `${where}: ${megabytes(bytes.length)}, expected at most ${megabytes(MOST_TEXT_BYTES)}`,
      {
        hint: "Save it as JSON Lines or Parquet, or as several files.",
      },
    );
  }
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new UserError("data", `${where}: not ${encoding.toUpperCase()} text`, {
      cause,
      hint: 'Save the file again with the encoding UTF-8 (a spreadsheet\'s "CSV UTF-8").',
    });
  }
}
