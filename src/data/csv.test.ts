import { parse } from "csv-parse/sync";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { readDelimited, splitCells } from "./csv.ts";

/** A cell as RFC 4180 writes it. */
function write(value: string, quoted: boolean): string {
  return quoted || /[",;|\n\r\t]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
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
  ['a,b\n"1"x,2\n', "f.csv line 2: text after the closing quote of a cell"],
  ["a,a\n1,2\n", 'f.csv line 1: two columns are named "a"'],
])("refuses %j", (text, message) => {
  expect(() => readDelimited(bytes(text), "f.csv", ",")).toThrow(expect.objectContaining({ kind: "data", message }));
});

it.each([
  ["semicolons", "question;answer\nOne, two?;Three\n", { question: "One, two?", answer: "Three" }],
  ["tabs", "question\tanswer\nOne; two?\tThree\n", { question: "One; two?", answer: "Three" }],
  ["pipes", "question|answer\nOne, two?|Three\n", { question: "One, two?", answer: "Three" }],
  ["semicolons where a name has a comma", "question;answer, short\na;c\n", { question: "a", "answer, short": "c" }],
  ["commas where a name has a bar", "question|text,answer\na,b\n", { "question|text": "a", answer: "b" }],
  ["a first line", 'sep=;\nquestion;answer\n"a;b";c\n', { question: "a;b", answer: "c" }],
  ["a quoted first line", '"sep=|"\r\nquestion|answer\r\na,b|c\r\n', { question: "a,b", answer: "c" }],
  ["one column", "text\nno separator; none\n", { text: "no separator; none" }],
])("finds the separator: %s", (_, text, fields) => {
  expect(readDelimited(bytes(text), "f.csv", ",").map((row) => row.fields)).toEqual([fields]);
  expect(readDelimited(bytes(text), "f.tsv", "\t").map((row) => row.fields)).toEqual([fields]);
});

it("takes the separator that is given", () => {
  const rows = (text: string, delimiter: string) =>
    readDelimited(bytes(text), "f.csv", ",", { delimiter }).map(({ fields }) => fields);
  expect(rows("a^b\n1,2;3^4\n", "^")).toEqual([{ a: "1,2;3", b: "4" }]);
  expect(rows("a,b;c\n1;2\n", "semicolon")).toEqual([{ "a,b": "1", c: "2" }]);
  expect(rows("sep=,\na,b;c\n1;2\n", ";")).toEqual([{ "a,b": "1", c: "2" }]);
});

it("counts lines of files with CR alone, in quotes too, and of files with a separator line", () => {
  const lines = (text: string) => readDelimited(bytes(text), "f.csv", ",").map(({ source }) => source.line);
  expect(lines('a,b\r1,"x\ry"\r\r2,3\r')).toEqual([2, 5]);
  expect(lines("sep=;\na;b\n1;2\n")).toEqual([3]);
});

it("takes a quote inside a cell as it stands", () => {
  const text = 'question,answer\nHow wide is a 5.25" disk?,It is 5.25" wide.\n"quoted, with ""one""",b\n';
  expect(readDelimited(bytes(text), "f.csv", ",").map(({ fields }) => fields)).toEqual([
    { question: 'How wide is a 5.25" disk?', answer: 'It is 5.25" wide.' },
    { question: 'quoted, with "one"', answer: "b" },
  ]);
});

it("reads quotes as characters where they make no table of tabs", () => {
  const rows = (text: string) => readDelimited(bytes(text), "f.tsv", "\t").map(({ fields }) => fields);
  expect(rows('q\ta\n"Yes" is what?\tA word\nAn open " and "\tb\n"begun\tc\n')).toEqual([
    { q: '"Yes" is what?', a: "A word" },
    { q: 'An open " and "', a: "b" },
    { q: '"begun', a: "c" },
  ]);
  // Quoted cells are there, and one is broken: quotes would stay around all of them.
  expect(() => rows('q\ta\n"one"\t"two"\n"three"x\t"four"\n')).toThrow("f.tsv line 3: text after the closing quote");
});

it("names columns without a name as pandas does", () => {
  expect(readDelimited(bytes(",a, b ,,\n0,1,2,,\n"), "f.csv", ",")[0]!.fields).toEqual({
    "Unnamed: 0": "0",
    a: "1",
    b: "2",
    "Unnamed: 3": "",
    "Unnamed: 4": "",
  });
});

it("agrees with csv-parse on any table", () => {
  const cell = fc.string({
    unit: fc.constantFrom("a", "é", "🙂", " ", ",", ";", "|", '"', "\n", "\r\n", "\r", "\t", "'"),
  });
  const table = fc
    .integer({ min: 2, max: 4 })
    .chain((columns) => fc.array(fc.array(cell, { minLength: columns, maxLength: columns }), { minLength: 1 }));
  fc.assert(
    fc.property(
      table,
      fc.boolean(),
      fc.constantFrom("\n", "\r\n", "\r"),
      fc.constantFrom(",", "\t", ";", "|"),
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
