import type { LibraryTokenizer } from "./huggingface.ts";
import { isRow } from "./row.ts";

/** Characters `start` (included) to `end` (not) of a text, in UTF-16 units. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * A part of a text that reaches the tokenizer's model in one piece, or an added token. `normalized` is the text that the
 * model sees. Token i covers the bytes `ends[i − 1]` to `ends[i]` of its UTF-8 (a character may be split among tokens).
 */
export interface Section extends Span {
  readonly normalize: ((text: string) => string) | undefined;
  readonly normalized: string;
  /** Characters the pre-tokenizer put before `normalized` (a space), in bytes. */
  readonly leadBytes: number;
  readonly ends: readonly number[];
}

const SPACE_MARK = "\u2581";
const encoder = new TextEncoder();
const MOST_SURFACES = 500_000;

/**
 * Makes a function that finds the place of tokens in their text. The library reports no offsets, so they are found from the
 * tokens' surface forms: the byte alphabet of byte-level BPE, the mark ▁ for a space, `<0x0A>` for a byte, added tokens
 * as they are written. The function returns undefined where the surfaces do not add up to the text, byte for byte.
 */
export function surfaceReader(
  tokenizerJson: unknown,
  inner: LibraryTokenizer,
): (text: string, tokens: readonly string[]) => Section[] | undefined {
  const json = isRow(tokenizerJson) ? tokenizerJson : {};
  const preTokenizers = parts(json["pre_tokenizer"], "pretokenizers");
  const byteLevel = preTokenizers.some(({ type }) => type === "ByteLevel");
  const metaspace = preTokenizers.some(({ type }) => type === "Metaspace");
  const byteFallback = isRow(json["model"]) && json["model"]["byte_fallback"] === true;
  const normalizer = inner.normalizer;
  const normalize = normalizer === null ? undefined : (text: string): string => normalizer.normalize(text);
  const added = new Map([...inner.get_added_tokens_decoder().values()].map((token) => [token.content, token]));
  const literals = [...added.values()]
    .filter((token) => normalize === undefined || !token.normalized)
    .map(({ content }) => content);
  const split = literalSplitter(literals);

  const surfaces = new Map<string, Uint8Array>();
  const surface = (token: string): Uint8Array => {
    const found = surfaces.get(token) ?? surfaceOf(token);
    // A tokenizer has so many tokens; a broken one may make others.
    if (surfaces.size < MOST_SURFACES) surfaces.set(token, found);
    return found;
  };
  const surfaceOf = (token: string): Uint8Array => {
    if (added.has(token)) return encoder.encode(token);
    const byte = byteFallback ? /^<0x([0-9A-F]{2})>$/.exec(token) : null;
    if (byte !== null) return Uint8Array.of(Number.parseInt(byte[1]!, 16));
    return (byteLevel ? fromByteAlphabet(token) : undefined) ?? encoder.encode(token);
  };

  return (text, tokens) => {
    const sections: Section[] = [];
    let next = 0;
    for (const piece of split(text)) {
      const { start, end, literal } = piece;
      const written = text.slice(start, end);
      if (literal) {
        if (tokens[next++] !== written) return undefined;
        sections.push({
          start,
          end,
          normalize: undefined,
          normalized: written,
          leadBytes: 0,
          ends: [byteLength(written)],
        });
        continue;
      }
      let normalized = normalize === undefined ? written : normalize(written);
      const marked = metaspace ? (s: string): string => s.replaceAll(" ", SPACE_MARK) : undefined;
      if (marked !== undefined) normalized = marked(normalized);
      const bytes = encoder.encode(normalized);
      const lead = encoder.encode(metaspace ? SPACE_MARK : " ");
      const first = next < tokens.length ? surface(tokens[next]!) : new Uint8Array();
      const leadBytes = bytes.length > 0 && startsWith(first, lead) && !startsWith(bytes, lead) ? lead.length : 0;
      const ends: number[] = [];
      let at = -leadBytes;
      while (at < bytes.length) {
        if (next === tokens.length) return undefined;
        const form = surface(tokens[next++]!);
        for (let i = 0; i < form.length; i++, at++) {
          if (form[i] !== (at < 0 ? lead[at + leadBytes] : bytes[at])) return undefined;
        }
        ends.push(at);
      }
      if (at !== bytes.length) return undefined;
      const compose =
        marked === undefined ? normalize : (s: string): string => marked(normalize === undefined ? s : normalize(s));
      sections.push({ start, end, normalize: compose, normalized, leadBytes, ends });
    }
    return next === tokens.length ? sections : undefined;
  };
}

/**
 * Tells for each token if it holds a character of a span. A mark that the tokenizer itself puts before a text (▁) belongs
 * to the span that begins there, because the model has to predict it first. The result is exact, also where a normaliser
 * rewrote the text: the place of a boundary is found by normalising the text before it.
 */
export function supervisedBySurface(
  text: string,
  spans: readonly Span[],
  sections: readonly Section[] | undefined,
): boolean[] | undefined {
  if (sections === undefined) return undefined;
  const supervised: boolean[] = [];
  for (const section of sections) {
    const ranges = spans
      .filter((span) => span.start < section.end && span.end > section.start && span.start < span.end)
      .map((span) => ({ start: firstByte(text, section, span.start), end: lastByte(text, section, span.end) }));
    let from = -section.leadBytes;
    for (const to of section.ends) {
      supervised.push(ranges.some((range) => range.start < to && range.end > from));
      from = to;
    }
  }
  return supervised;
}

/**
 * The fallback where surfaces do not add up (an unknown token, a tokenizer that drops spaces). A span begins at the first
 * token in which the text up to it and the whole text differ. A token on both sides of a boundary is supervised.
 */
export function supervisedByPrefix(
  text: string,
  spans: readonly Span[],
  ids: readonly number[],
  encode: (text: string) => number[],
): boolean[] {
  const supervised = Array<boolean>(ids.length).fill(false);
  for (const { start, end } of spans) {
    if (start === end) continue;
    const before = common(encode(text.slice(0, start)), ids).length;
    const upTo = encode(text.slice(0, end));
    const after = common(upTo, ids);
    const last = end === text.length ? ids.length : after.length + (after.clean ? 0 : 1);
    supervised.fill(true, before, last);
  }
  return supervised;
}

function firstByte(text: string, section: Section, boundary: number): number {
  if (boundary <= section.start) return -section.leadBytes;
  return carried(text, section, boundary).byte;
}

function lastByte(text: string, section: Section, boundary: number): number {
  if (boundary >= section.end) return byteLength(section.normalized);
  const { byte, clean } = carried(text, section, boundary);
  // The normaliser joined the characters on both sides: all of the result belongs to the span.
  return clean ? byte : byte + 1;
}

/** Finds a boundary of the text in the normalised section, in bytes; `clean`: no character crosses it. */
function carried(
  text: string,
  { start, normalize, normalized }: Section,
  boundary: number,
): { byte: number; clean: boolean } {
  const written = text.slice(start, boundary);
  const prefix = normalize === undefined ? written : normalize(written);
  if (normalized.startsWith(prefix)) return { byte: byteLength(prefix), clean: true };
  let length = 0;
  while (prefix[length] === normalized[length]) length++;
  if (/[\uD800-\uDBFF]/.test(normalized[length - 1] ?? "")) length--;
  return { byte: byteLength(normalized.slice(0, length)), clean: false };
}

function common(a: readonly number[], b: readonly number[]): { length: number; clean: boolean } {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return { length, clean: length === a.length };
}

/** Cuts a text at the literal tokens. At each place the longest one that matches counts, as in the library. */
function literalSplitter(literals: readonly string[]): (text: string) => (Span & { literal: boolean })[] {
  const byFirst = new Map<string, string[]>();
  for (const literal of literals.toSorted((a, b) => b.length - a.length)) {
    if (literal === "") continue;
    byFirst.set(literal[0]!, [...(byFirst.get(literal[0]!) ?? []), literal]);
  }
  return (text) => {
    const pieces: (Span & { literal: boolean })[] = [];
    let start = 0;
    for (let at = 0; at < text.length;) {
      const match = byFirst.get(text[at]!)?.find((literal) => text.startsWith(literal, at));
      if (match === undefined) {
        at++;
        continue;
      }
      if (at > start) pieces.push({ start, end: at, literal: false });
      pieces.push({ start: at, end: at + match.length, literal: true });
      at += match.length;
      start = at;
    }
    if (start < text.length) pieces.push({ start, end: text.length, literal: false });
    return pieces;
  };
}

/** GPT-2's byte alphabet: printable bytes stand for themselves, the others for the characters from U+0100 on. */
const BYTE_OF: ReadonlyMap<string, number> = (() => {
  const alphabet = new Map<string, number>();
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    alphabet.set(String.fromCharCode(printable ? byte : next++), byte);
  }
  return alphabet;
})();

function fromByteAlphabet(token: string): Uint8Array | undefined {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = BYTE_OF.get(token[i]!);
    if (byte === undefined) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}

function parts(config: unknown, list: string): { type: unknown }[] {
  if (!isRow(config)) return [];
  const inner = config[list];
  return Array.isArray(inner) ? inner.flatMap((item) => parts(item, list)) : [{ type: config["type"] }];
}

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return prefix.every((byte, i) => bytes[i] === byte);
}

function byteLength(text: string): number {
  return encoder.encode(text).length;
}
