import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { blockBar, divideColumns, progressBar } from "./views/bar.ts";
import { formatBytes, formatChange, formatDuration, formatLoss } from "./views/quantities.ts";
import { commandLines, shellQuote, typedPath } from "./shell.ts";
import { tableLines } from "./tables/table.ts";
import { clip, oneLine, padEnd, printable, textWidth, wrap } from "./views/text-width.ts";
import { wordWrapper } from "./views/word-wrapper.ts";

const RED = "\u001b[31mred\u001b[39m";

describe("text width", () => {
  it("counts wide characters twice, marks and colours not at all", () => {
    expect(textWidth("clinic")).toBe(6);
    expect(textWidth("市役所")).toBe(6);
    expect(textWidth("e\u0301")).toBe(1);
    expect(textWidth("👩‍⚕️")).toBe(2);
    expect(textWidth("한국")).toBe(4);
    expect(textWidth(RED)).toBe(3);
    expect(textWidth("━╸█▏…–")).toBe(6);
  });

  it("clips to columns, never half a wide character, and ends a colour it cut", () => {
    expect(clip("abcdef", 6)).toBe("abcdef");
    expect(clip("abcdef", 4)).toBe("abc…");
    expect(clip("市役所", 4)).toBe("市…");
    expect(clip(`${RED} and more`, 5)).toBe(`${RED} …\u001b[0m`);
    for (let width = 1; width < 12; width++)
      expect(textWidth(clip(`a市${RED}役 and`, width))).toBeLessThanOrEqual(width);
  });

  it("wraps at spaces, and inside what has none", () => {
    expect(wrap("one two three", 7)).toEqual(["one two", "three"]);
    expect(wrap("abcdefgh", 3)).toEqual(["abc", "def", "gh"]);
    expect(wrap("市役所です", 4)).toEqual(["市役", "所で", "す"]);
    expect(wrap("a\nb", 9)).toEqual(["a", "b"]);
    expect(wrap("  if so:\n    go on", 12)).toEqual(["  if so:", "    go on"]);
    expect(wrap("    indented words", 9)).toEqual(["indented", "words"]);
  });

  it("wraps a text that comes in pieces as one that is whole", () => {
    const words = fc.string({ unit: fc.constantFrom("a", "b", "市", " ", "\n"), maxLength: 60 });
    fc.assert(
      fc.property(words, fc.array(fc.nat({ max: 60 })), fc.integer({ min: 2, max: 12 }), (text, cuts, width) => {
        const wrapper = wordWrapper(width);
        const ends = [...new Set([0, ...cuts, text.length])].filter((end) => end <= text.length).sort((a, b) => a - b);
        const written = ends.map((end, i) => wrapper.add(text.slice(ends[i - 1] ?? 0, end))).join("") + wrapper.end();
        // Nothing is lost but spaces, and only words wider than a line are broken.
        expect(written.replaceAll(/\s/g, "")).toBe(text.replaceAll(/\s/g, ""));
        for (const line of written.split("\n")) expect(textWidth(line)).toBeLessThanOrEqual(width);
        const unbroken = written.split(/\s+/).filter((word) => textWidth(word) > 0);
        for (const word of text.split(/\s+/).filter((each) => each !== "" && textWidth(each) < width / 2)) {
          expect(unbroken).toContain(word);
        }
      }),
    );
    const wrapper = wordWrapper(7);
    expect(Array.from("one two three", (piece) => wrapper.add(piece)).join("") + wrapper.end()).toBe("one two\nthree");
  });

  it("takes out what steers a terminal", () => {
    expect(printable("a\u001b[2Jb\rc\u0007\u202ed\ne")).toBe("abcd\ne");
    expect(oneLine(" a\n\tb ")).toBe("a b");
  });
});

describe("tables and bars", () => {
  it("aligns columns by what a terminal shows", () => {
    const lines = tableLines(
      [{ header: "client" }, { header: "n", align: "right" }],
      [
        ["市役所", "5"],
        [RED, "1,200"],
        ["bank", ""],
      ],
    );
    expect(lines).toEqual(["client      n", "市役所      5", `${padEnd(RED, 6)}  1,200`, "bank"]);
  });

  it("draws progress in half columns", () => {
    expect(progressBar(0, 4)).toEqual({ done: "", left: "────" });
    expect(progressBar(0.5, 4)).toEqual({ done: "━━", left: "──" });
    expect(progressBar(0.63, 4)).toEqual({ done: "━━╸", left: "─" });
    expect(progressBar(7, 4)).toEqual({ done: "━━━━", left: "" });
    expect(progressBar(Number.NaN, 2)).toEqual({ done: "", left: "──" });
  });

  it("draws lengths in eighths, and never nothing for something", () => {
    expect(blockBar(0.5, 3)).toBe("█▌");
    expect(blockBar(1e-9, 3)).toBe("▏");
    expect(blockBar(0, 3)).toBe("");
  });

  it("divides columns without losing any", () => {
    expect(divideColumns([1, 1, 1], 10)).toEqual([4, 3, 3]);
    expect(divideColumns([98, 1, 1], 10)).toEqual([10, 0, 0]);
    expect(divideColumns([0, 0], 10)).toEqual([0, 0]);
  });
});

describe("quantities", () => {
  it("fits durations to their size", () => {
    expect([4.06, 9.97, 59.4, 59.6, 725, 3599.6, 11_230, 180_000, Number.NaN].map(formatDuration)).toEqual([
      "4.1s",
      "10s",
      "59s",
      "1m 00s",
      "12m 05s",
      "1h 00m",
      "3h 07m",
      "2d 02h",
      "–",
    ]);
  });

  it("signs changes, and none for none", () => {
    expect(formatChange(2, 1.5)).toBe("-25.0%");
    expect(formatChange(2, 2.01)).toBe("+0.5%");
    expect(formatChange(2, 1.99999)).toBe("0.0%");
    expect(formatChange(2, 2)).toBe("0.0%");
    expect(formatChange(Number.NaN, 2)).toBe("–");
  });

  it("writes losses and bytes", () => {
    expect([2.3456, null, Number.NaN, 12_345].map(formatLoss)).toEqual(["2.346", "–", "–", "1.23e+4"]);
    expect([999, 1_000, 3_400_000, 999_600].map(formatBytes)).toEqual(["999 B", "1.0 kB", "3.4 MB", "1.0 MB"]);
  });
});

describe("commands to type", () => {
  it("quotes what a shell would take apart", () => {
    expect(shellQuote("runs/quickstart/adapter")).toBe("runs/quickstart/adapter");
    expect(shellQuote("It's $5")).toBe(String.raw`'It'\''s $5'`);
    expect(shellQuote("")).toBe("''");
  });

  it("breaks lines where a shell may", () => {
    expect(commandLines(["a b", "--c d", "--e f"], 12)).toEqual(["a b --c d \\", "  --e f"]);
  });

  it("turns paths of a configuration into paths of the working directory", () => {
    expect(typedPath("examples", "quickstart/a.jsonl", "/repo")).toBe("examples/quickstart/a.jsonl");
    expect(typedPath("../other", "a.jsonl", "/repo")).toBe("../other/a.jsonl");
  });
});
