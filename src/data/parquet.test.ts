import { parquetWriteBuffer } from "hyparquet-writer";
import { expect, it } from "vitest";
import { readParquet } from "./parquet.ts";

type Field = [id: number, value: Value];
type Value = { i32: number } | { i64: number } | { text: string } | { list: Value[] } | { struct: Field[] };

const MAGIC = new TextEncoder().encode("PAR1");
const little = (n: number): number[] => [...new Uint8Array(Uint32Array.of(n).buffer)];
const varint = (n: number): number[] => (n < 128 ? [n] : [(n % 128) + 128, ...varint(Math.floor(n / 128))]);
const zigzag = (n: number): number[] => varint(n < 0 ? -2 * n - 1 : 2 * n);
const codeOf = (value: Value): number =>
  "i32" in value ? 5 : "i64" in value ? 6 : "text" in value ? 8 : "list" in value ? 9 : 12;

/** Thrift's compact protocol, as much of it as a Parquet footer needs. */
function thrift(value: Value): number[] {
  if ("i32" in value) return zigzag(value.i32);
  if ("i64" in value) return zigzag(value.i64);
  if ("text" in value) {
    const bytes = [...new TextEncoder().encode(value.text)];
    return [...varint(bytes.length), ...bytes];
  }
  if ("list" in value) return [value.list.length * 16 + codeOf(value.list[0]!), ...value.list.flatMap(thrift)];
  let last = 0;
  const fields = value.struct.flatMap(([id, field]) => {
    const header = (id - last) * 16 + codeOf(field);
    last = id;
    return [header, ...thrift(field)];
  });
  return [...fields, 0];
}

/** Counts that a file may claim in place of its own. */
interface Claims {
  readonly rows?: number;
  readonly values?: number;
  /** Bytes of a page, unpacked. */
  readonly pageBytes?: number;
}

/** One row group, two required columns (`question`: UTF-8, `count`: int64), one page each. */
function writeParquet(
  rows: { question: string; count: bigint }[],
  codec: "snappy" | "lzo",
  claims: Claims = {},
): Uint8Array {
  const texts = rows.flatMap(({ question }) => {
    const bytes = [...new TextEncoder().encode(question)];
    return [...little(bytes.length), ...bytes];
  });
  const counts = rows.flatMap(({ count }) => [...new Uint8Array(BigInt64Array.of(count).buffer)]);
  const file = [...MAGIC];
  const codecId = codec === "snappy" ? 1 : 3;
  const chunks = [texts, counts].map((plain, column): Value => {
    // Snappy with a single literal: its length, then the tag of a literal of up to 256 bytes.
    const packed = [...varint(plain.length), 60 * 4, plain.length - 1, ...plain];
    const page = thrift({
      struct: [
        [1, { i32: 0 }],
        [2, { i32: claims.pageBytes ?? plain.length }],
        [3, { i32: packed.length }],
        [
          5,
          {
            struct: [
              [1, { i32: rows.length }],
              [2, { i32: 0 }],
              [3, { i32: 3 }],
              [4, { i32: 3 }],
            ],
          },
        ],
      ],
    });
    const offset = file.length;
    file.push(...page, ...packed);
    const meta: Field[] = [
      [1, { i32: column === 0 ? 6 : 2 }],
      [2, { list: [{ i32: 0 }] }],
      [3, { list: [{ text: column === 0 ? "question" : "count" }] }],
      [4, { i32: codecId }],
      [5, { i64: claims.values ?? rows.length }],
      [6, { i64: page.length + plain.length }],
      [7, { i64: page.length + packed.length }],
      [9, { i64: offset }],
    ];
    return {
      struct: [
        [2, { i64: offset }],
        [3, { struct: meta }],
      ],
    };
  });
  const footer = thrift({
    struct: [
      [1, { i32: 1 }],
      [
        2,
        {
          list: [
            {
              struct: [
                [4, { text: "schema" }],
                [5, { i32: 2 }],
              ],
            },
            {
              struct: [
                [1, { i32: 6 }],
                [3, { i32: 0 }],
                [4, { text: "question" }],
                [6, { i32: 0 }],
              ],
            },
            {
              struct: [
                [1, { i32: 2 }],
                [3, { i32: 0 }],
                [4, { text: "count" }],
              ],
            },
          ],
        },
      ],
      [3, { i64: rows.length }],
      [
        4,
        {
          list: [
            {
              struct: [
                [1, { list: chunks }],
                [2, { i64: file.length }],
                [3, { i64: claims.rows ?? rows.length }],
              ],
            },
          ],
        },
      ],
    ],
  });
  return Uint8Array.from([...file, ...footer, ...little(footer.length), ...MAGIC]);
}

it("reads text and 64-bit integers, Snappy-compressed, from bytes in the middle of a buffer", async () => {
  const bytes = writeParquet(
    [
      { question: "天空?", count: 7n },
      { question: "why", count: 2n ** 60n },
    ],
    "snappy",
  );
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  expect(await readParquet(shifted.subarray(3), "a.parquet")).toEqual([
    { source: { file: "a.parquet", record: 1 }, fields: { question: "天空?", count: 7 } },
    { source: { file: "a.parquet", record: 2 }, fields: { question: "why", count: "1152921504606846976" } },
  ]);
});

it("says what to do about a compression it lacks, and about a file that is no Parquet", async () => {
  await expect(readParquet(writeParquet([{ question: "a", count: 1n }], "lzo"), "a.parquet")).rejects.toMatchObject({
    kind: "data",
    hint: "Write it again with Snappy compression, or as JSON Lines.",
  });
  await expect(readParquet(new TextEncoder().encode("not parquet at all"), "a.parquet")).rejects.toThrow(
    /a\.parquet: not a Parquet file/,
  );
});

it.each([
  ["a billion rows", { rows: 1_000_000_000 }, /has 1000000000 rows, but its column question 3 values/],
  ["a billion rows and values", { rows: 1_000_000_000, values: 1_000_000_000 }, /1000000000 rows, .* question holds 3/],
  ["a row too many, and values", { rows: 4, values: 4 }, /4 rows, but its column question holds 3/],
  ["a row too few", { rows: 2 }, /2 rows, but its column question 3 values/],
  ["a row too few, and values", { rows: 2, values: 2 }, /2 rows, but its column question holds 3/],
  ["no row", { rows: 0 }, /0 rows, but its column question 3 values/],
  ["rows below zero", { rows: -5 }, /has -5 rows/],
  ["a page of 1 GB", { pageBytes: 2 ** 30 }, /a page has 1073741824 bytes unpacked, expected at most 268435456/],
] as const)("refuses a file of three rows that claims %s", async (_, claims, message) => {
  const rows = ["a", "b", "c"].map((question) => ({ question, count: 1n }));
  await expect(readParquet(writeParquet(rows, "snappy", claims), "a.parquet")).rejects.toMatchObject({
    kind: "data",
    message: expect.stringMatching(message),
  });
});

it("counts rows in nested columns, nulls, several groups and pages, and a constant column", async () => {
  const rows = Array.from({ length: 5000 }, (_, i) => ({
    text: i % 3 === 0 ? null : `text ${i}`,
    constant: "same",
    messages: Array.from({ length: i % 4 }, (__, turn) => ({ role: "user", content: `${i}.${turn}` })),
  }));
  const column = (name: "text" | "constant") => ({ name, data: rows.map((row) => row[name]) });
  const bytes = parquetWriteBuffer({
    schema: [
      { name: "root", num_children: 3 },
      { name: "text", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
      { name: "constant", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "REQUIRED" },
      { name: "messages", num_children: 1, converted_type: "LIST", repetition_type: "OPTIONAL" },
      { name: "list", num_children: 1, repetition_type: "REPEATED" },
      { name: "element", num_children: 2, repetition_type: "OPTIONAL" },
      { name: "role", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
      { name: "content", type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" },
    ],
    columnData: [column("text"), column("constant"), { name: "messages", data: rows.map(({ messages }) => messages) }],
    rowGroupSize: 2000,
    pageSize: 1000,
  });
  const read = await readParquet(new Uint8Array(bytes), "a.parquet");
  expect(read.map(({ fields }) => fields)).toEqual(rows);
});
