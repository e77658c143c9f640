import { parse } from "csv-parse/sync";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { readDelimited, splitCells } from "./csv.ts";

/** A cell as RFC 4180 writes it. */
function write(value: string, quoted: boolean): string {
  return quoted || /[",\n\r\t]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

it("reads quoted delimiters, doubled quotes, line breaks, CRLF, a byte order mark and blank lines, with exact lines", () => {
  const text = '\uFEFFquestion,answer\r\n"a ""b"", c","x\r\ny"\r\n\r\nplain,\n';
  expect(readDelimited(bytes(text), "f.csv", ",")).toEqual([
    { source: { file: "f.csv", line: 2, record: 1 }, fields: { question: 'a "b", c', answer: "x\r\ny" } },
    { source: { file: "f.csv", line: 5, record: 2 }, fields: { question: "plain", answer: "" } },
  ]);
});

it("reads tab-separated values without a line break at the end", () => {
  expect(readDelimited(bytes("a\tb\n1,5\t2"), "f.tsv", "\t").map(({ fields }) => fields)).toEqual([
    { a: "1,5", b: "2" },
  ]);
});

it.each([
  ["a,b\n1,2\n3\n", "f.csv line 3: 1 cells, expected 2 (a, b)"],
  ['a,b\n1,"2\n3,4\n', "f.csv line 2: a quoted cell has no closing quote"],
  ['a,b\n1,x"2"\n', "f.csv line 2: a quote inside a cell that is not quoted"],
  ['a,b\n"1"x,2\n', "f.csv line 2: text after the closing quote of a cell"],
  ["a,a\n1,2\n", 'f.csv line 1: two columns are named "a"'],
])("refuses %j", (text, message) => {
  expect(() => readDelimited(bytes(text), "f.csv", ",")).toThrow(expect.objectContaining({ kind: "data", message }));
});

it("agrees with csv-parse on any table", () => {
  const cell = fc.string({ unit: fc.constantFrom("a", "é", "🙂", " ", ",", '"', "\n", "\r\n", "\t", "'") });
  const table = fc
    .integer({ min: 2, max: 4 })
    .chain((columns) => fc.array(fc.array(cell, { minLength: columns, maxLength: columns }), { minLength: 1 }));
  fc.assert(
    fc.property(
      table,
      fc.boolean(),
      fc.constantFrom("\n", "\r\n"),
      fc.constantFrom(",", "\t"),
      (rows, quoted, newline, delimiter) => {
        const text = rows.map((row) => row.map((value) => write(value, quoted)).join(delimiter)).join(newline);
        const ours = splitCells(text, "f", delimiter).map(({ cells }) => cells);
        expect(ours).toEqual(parse(text, { delimiter, record_delimiter: newline }));
        expect(ours).toEqual(rows);
      },
    ),
  );
});

it("reads as many columns as a file has; a wrong row is described by the first", () => {
  const names = Array.from({ length: 300_000 }, (_, i) => `c${i}`);
  const file = (row: string) => new TextEncoder().encode(`${names.join(",")}\n${row}\n`);
  const [row] = readDelimited(file(`${"x,".repeat(names.length - 1)}y`), "f", ",");
  expect([row!.fields["c0"], row!.fields["c299999"]]).toEqual(["x", "y"]);
  let message = "";
  try {
    readDelimited(file("x"), "f", ",");
  } catch (error) {
    ({ message } = error as Error);
  }
  expect(message).toMatch(/^f line 2: 1 cells, expected 300000 \(c0, c1, /);
  expect(message.length).toBeLessThan(500);
});
