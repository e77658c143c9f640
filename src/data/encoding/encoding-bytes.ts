import type { Encoded } from "./encoder.ts";
import { aMoment } from "./encode-all.ts";

/** Items of one block: reading it takes a few milliseconds. */
const ITEMS_A_BLOCK = 256;
const HEAD_BYTES = 8;

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Lists of numbers that items hold, by the letter that stands for them. */
const LISTS = { i: Int32Array, b: Uint8Array } as const;

/**
 * Writes encoded items as bytes: blocks of the items as JSON, and behind it the lists of numbers they hold, which the JSON names
 * by kind, start and length. The first block has the counts.
 */
export async function encodingBlocks({ examples, report }: Encoded): Promise<readonly Uint8Array[]> {
  const blocks = [block(report as unknown as Json)];
  for (let start = 0; start < examples.length; start += ITEMS_A_BLOCK) {
    blocks.push(block(examples.slice(start, start + ITEMS_A_BLOCK) as unknown as Json));
    await aMoment();
  }
  return blocks;
}

/** Reads them. @throws for bytes that were not written so. */
export async function encodingFrom(bytes: Uint8Array): Promise<Encoded> {
  const examples: unknown[] = [];
  let report: unknown;
  for (let at = 0; at < bytes.length;) {
    const { value, end } = unblock(bytes, at);
    if (at === 0) report = value;
    else for (const item of value as unknown[]) examples.push(item);
    at = end;
    await aMoment();
  }
  return { examples: examples as Encoded["examples"], report: report as Encoded["report"] };
}

function block(value: Json): Uint8Array {
  const lists: { readonly bytes: Uint8Array; readonly start: number }[] = [];
  let size = 0;
  const text = JSON.stringify(value, (_key, item: unknown) => {
    const kind = item instanceof Int32Array ? "i" : item instanceof Uint8Array ? "b" : undefined;
    if (kind === undefined) return item;
    const list = item as Int32Array | Uint8Array;
    // Numbers of four bytes begin at a multiple of four.
    const start = Math.ceil(size / 4) * 4;
    lists.push({ bytes: new Uint8Array(list.buffer, list.byteOffset, list.byteLength), start });
    size = start + list.byteLength;
    return { [`$${kind}`]: [start, list.length] };
  });
  const json = new TextEncoder().encode(text);
  const listsAt = HEAD_BYTES + Math.ceil(json.length / 4) * 4;
  const bytes = new Uint8Array(listsAt + Math.ceil(size / 4) * 4);
  new Uint32Array(bytes.buffer, 0, 2).set([json.length, size]);
  bytes.set(json, HEAD_BYTES);
  for (const { bytes: list, start } of lists) bytes.set(list, listsAt + start);
  return bytes;
}

function unblock(bytes: Uint8Array, at: number): { value: unknown; end: number } {
  // A copy, so that numbers begin at a multiple of four whatever `bytes` is a part of.
  const [jsonBytes, size] = new Uint32Array(bytes.slice(at, at + HEAD_BYTES).buffer);
  const listsAt = at + HEAD_BYTES + Math.ceil(jsonBytes! / 4) * 4;
  const end = listsAt + Math.ceil(size! / 4) * 4;
  if (end > bytes.length) throw new Error("the bytes end within a block");
  const lists = bytes.slice(listsAt, end).buffer;
  const text = new TextDecoder("utf-8", { fatal: true }).decode(
    bytes.subarray(at + HEAD_BYTES, at + HEAD_BYTES + jsonBytes!),
  );
  const value: unknown = JSON.parse(text, (_key, item: unknown) => {
    if (typeof item !== "object" || item === null || Array.isArray(item)) return item;
    for (const [kind, List] of Object.entries(LISTS)) {
      const place = (item as Record<string, unknown>)[`$${kind}`];
      if (Array.isArray(place)) return new List(lists, place[0] as number, place[1] as number);
    }
    return item;
  });
  return { value, end };
}
