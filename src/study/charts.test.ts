import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { inventedRun, inventedRuns, PREFERENCES } from "../../test/support/invented-runs.ts";
import { chartsOf } from "./charts.ts";
import { compareRuns } from "./comparison.ts";
import { dotChart } from "./dot-chart.ts";
import { lineChart } from "./line-chart.ts";
import { linearScale, paddedRange, spreadOut, ticksOf, tickTexts } from "./scale.ts";
import { fitted, textPixels } from "./svg.ts";

interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  text: string;
}

/** Reads an SVG strictly: every tag closed in order, every attribute quoted, no bare < or &. */
function read(svg: string): Element[] {
  const elements: Element[] = [];
  const open: Element[] = [];
  const token = /<(\/?)([a-z]+)((?: [\w:-]+="[^"<]*")*)(\/?)>|([^<]+)/gy;
  while (token.lastIndex < svg.length) {
    const at = token.lastIndex;
    const match = token.exec(svg);
    if (match === null) throw new Error(`not well-formed at ${JSON.stringify(svg.slice(at, at + 60))}`);
    const [, closing, name, attributes, alone, words] = match;
    if (words !== undefined) {
      expect(words).not.toMatch(/&(?!(amp|lt|gt|quot);)/);
      if (open.length > 0) open.at(-1)!.text += unescaped(words);
    } else if (closing === "/") {
      expect(open.pop()?.name).toBe(name);
    } else {
      const pairs = [...attributes!.matchAll(/ ([\w:-]+)="([^"]*)"/g)].map(([, key, value]) => [key!, value!] as const);
      expect(new Set(pairs.map(([key]) => key)).size).toBe(pairs.length);
      const element = { name: name!, attributes: Object.fromEntries(pairs), text: "" };
      elements.push(element);
      if (alone !== "/") open.push(element);
    }
  }
  expect(open).toEqual([]);
  expect(elements[0]).toMatchObject({ name: "svg", attributes: { xmlns: "http://www.w3.org/2000/svg" } });
  return elements;
}

function unescaped(text: string): string {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"').replaceAll("&amp;", "&");
}

const words = (elements: readonly Element[]) => elements.filter(({ name }) => name === "text");
const textOf = (elements: readonly Element[], text: string) => words(elements).find((each) => each.text === text);
const numbers = ({ attributes }: Element, ...keys: string[]) => keys.map((key) => Number(attributes[key]));

/** No text leaves the picture, by a narrower measure of letters than the one it was laid out with. */
function expectInside(elements: readonly Element[]): void {
  const [width, height] = numbers(elements[0]!, "width", "height") as [number, number];
  for (const { attributes, text } of words(elements)) {
    const long = textPixels(text, Number(attributes["font-size"])) * 0.95;
    const x = Number(attributes["x"]) - { start: 0, middle: 0.5, end: 1 }[attributes["text-anchor"] as "start"] * long;
    expect(x).toBeGreaterThanOrEqual(0);
    expect(x + long).toBeLessThanOrEqual(width);
    expect(Number(attributes["y"])).toBeGreaterThan(8);
    expect(Number(attributes["y"])).toBeLessThan(height);
  }
}

describe("a line chart", () => {
  const series = [
    { label: "fedavg", points: [0, 1, 2].map((x) => ({ x, y: 4 - x, min: 3.9 - x, max: 4.1 - x })) },
    { label: 'a <b> & "c"', points: [0, 2].map((x) => ({ x, y: 4 - x, min: 4 - x, max: 4 - x })) },
  ];
  const svg = lineChart({ title: "T", subtitle: "s", xLabel: "round", series, reference: { label: "base", value: 4 } });
  const elements = read(svg);

  /** The places of two ticks give the scale back. */
  const scaleOf = (axis: "x" | "y", low: string, high: string) => {
    const [from, to] = [low, high].map(
      (tick) => Number(textOf(elements, tick)!.attributes[axis]) - (axis === "y" ? 4 : 0),
    );
    return (value: number) => from! + ((value - Number(low)) / (Number(high) - Number(low))) * (to! - from!);
  };

  it("puts points where its axes say they are", () => {
    const [x, y] = [scaleOf("x", "0", "2"), scaleOf("y", "2.0", "4.0")];
    const dots = elements.filter(({ name }) => name === "circle").map((dot) => numbers(dot, "cx", "cy"));
    const expected = [...[0, 1, 2], ...[0, 2]].map((at) => [x(at), y(4 - at)]);
    expect(dots).toHaveLength(5);
    for (const [i, [cx, cy]] of dots.entries()) {
      expect(cx).toBeCloseTo(expected[i]![0]!, 1);
      expect(cy).toBeCloseTo(expected[i]![1]!, 1);
    }
    // Less is lower.
    expect(y(2)).toBeGreaterThan(y(4));
    const [band, ...others] = elements.filter(({ attributes }) => attributes["fill-opacity"] !== undefined);
    expect(others).toEqual([]);
    const corners = [...band!.attributes["d"]!.matchAll(/[ML]([\d.]+),([\d.]+)/g)].map((match) =>
      match.slice(1).map(Number),
    );
    const edges = [...[0, 1, 2].map((at) => [x(at), y(4.1 - at)]), ...[2, 1, 0].map((at) => [x(at), y(3.9 - at)])];
    for (const [i, corner] of corners.entries()) {
      expect(corner[0]).toBeCloseTo(edges[i]![0]!, 1);
      expect(corner[1]).toBeCloseTo(edges[i]![1]!, 1);
    }
    const dashed = elements.find(
      ({ name, attributes }) => name === "line" && attributes["stroke-dasharray"] === "4 4",
    )!;
    expect(numbers(dashed, "y1", "y2")).toEqual([expect.closeTo(y(4), 1), expect.closeTo(y(4), 1)]);
  });

  it("names each line beside its end, apart from the others and inside the picture", () => {
    const names = ["fedavg", 'a <b> & "c"'].map((name) => numbers(textOf(elements, name)!, "y")[0]!);
    expect(Math.abs(names[0]! - names[1]!)).toBeGreaterThanOrEqual(15.9);
    expectInside(elements);
  });

  it("is readable where the viewer is dark", () => {
    const style = elements.find(({ name }) => name === "style")!.text;
    expect(style).toMatch(/^@media \(prefers-color-scheme:dark\)\{/);
    for (const { attributes } of elements)
      for (const each of attributes["class"]?.split(" ") ?? []) expect(style).toContain(`.${each}{`);
  });

  it("leaves out what is no number, and draws with nothing to draw", () => {
    const nothing = { title: "T", subtitle: "", xLabel: "", reference: undefined };
    const gap = [{ x: 0, y: Number.NaN, min: Number.NaN, max: Number.NaN }];
    for (const points of [[], gap]) {
      const drawn = lineChart({ ...nothing, series: [{ label: "x", points }] });
      read(drawn);
      expect(drawn).not.toMatch(/NaN|Infinity|undefined/);
    }
  });

  it("stays inside the picture and well-formed whatever the names and numbers", () => {
    const value = fc.double({ min: -1e9, max: 1e9, noNaN: true });
    const point = fc.record({ x: fc.nat(500), y: value, min: value, max: value });
    const anySeries = fc.record({
      label: fc.string({ unit: "grapheme", maxLength: 60 }),
      points: fc.array(point, { maxLength: 5 }),
    });
    fc.assert(
      fc.property(fc.array(anySeries, { maxLength: 14 }), value, (many, base) => {
        const drawn = lineChart({
          title: "T",
          subtitle: "",
          xLabel: "x",
          series: many,
          reference: { label: "b", value: base },
        });
        expect(drawn).not.toMatch(/NaN|Infinity|undefined/);
        expectInside(read(drawn));
      }),
      { numRuns: 60 },
    );
  });
});

describe("a dot chart", () => {
  const rows = [
    {
      label: "fedavg",
      value: 3,
      text: "3.000",
      parts: [
        { name: "clinic", value: 2 },
        { name: "bank", value: 4 },
        { name: "shop", value: 3 },
      ],
    },
    { label: "local", value: 2.5, text: "2.500", parts: [] },
  ];

  it("puts dots where its axis says they are, and names the ends", () => {
    const elements = read(
      dotChart({ title: "T", subtitle: "s", rows, nameParts: true, reference: { label: "base 3.5", value: 3.5 } }),
    );
    const [from, to] = ["2.0", "4.0"].map((tick) => numbers(textOf(elements, tick)!, "x")[0]!) as [number, number];
    const x = (value: number) => from + ((value - 2) / 2) * (to - from);
    const dots = elements.filter(({ name }) => name === "circle").map((dot) => numbers(dot, "cx", "cy", "r"));
    expect(dots.map(([cx]) => cx)).toEqual([2, 3, 4, 3, 2.5].map((value) => expect.closeTo(x(value), 1)));
    expect(dots.map(([, , r]) => r)).toEqual([3.5, 3.5, 3.5, 6, 6]);
    expect(new Set(dots.slice(0, 4).map(([, cy]) => cy)).size).toBe(1);
    const dashed = elements.find(({ attributes }) => attributes["stroke-dasharray"] !== undefined)!;
    expect(numbers(dashed, "x1", "x2")).toEqual([expect.closeTo(x(3.5), 1), expect.closeTo(x(3.5), 1)]);
    const [clinic, bank] = ["clinic", "bank"].map((name) => numbers(textOf(elements, name)!, "x")[0]!);
    expect(clinic).toBeCloseTo(x(2), 1);
    expect(bank).toBeGreaterThan(x(3));
    expect(textOf(elements, "shop")).toBeUndefined();
    expectInside(elements);
  });

  it("only names a base that is so far off that the rows could not be told apart", () => {
    const chart = { title: "T", subtitle: "s", rows, nameParts: false, reference: { label: "base 90", value: 90 } };
    const elements = read(dotChart(chart));
    expect(textOf(elements, "base 90 →")).toBeDefined();
    expect(elements.some(({ attributes }) => attributes["stroke-dasharray"] !== undefined)).toBe(false);
  });
});

describe("charts of a comparison", () => {
  it("are two for the common set and two for the clients' own", () => {
    const charts = chartsOf(compareRuns(inventedRuns()), {
      metric: "loss",
      name: "loss",
      percent: false,
      format: (value) => value.toFixed(3),
    });
    expect(charts.map(({ name }) => name)).toEqual([
      "loss-common-by-round",
      "loss-common-final",
      "loss-own-by-round",
      "loss-own-final",
    ]);
    for (const { svg } of charts) expectInside(read(svg));
    expect(textOf(read(charts[1]!.svg), "3.100 ± 0.141")).toBeDefined();
    expect(textOf(read(charts[3]!.svg), "base 4.500")).toBeDefined();
  });

  it("are as many as there is something to draw for", () => {
    const format = String;
    const own = compareRuns([inventedRun({ rounds: [{ heldOut: { a: 2 } }, { heldOut: { a: 1 } }] })]);
    expect(chartsOf(own, { metric: "loss", name: "loss", percent: false, format }).map(({ name }) => name)).toEqual([
      "loss-own-by-round",
      "loss-own-final",
    ]);
    const untrained = compareRuns([inventedRun({ rounds: [{ heldOut: { a: 2 } }], finished: false })]);
    expect(chartsOf(untrained, { metric: "loss", name: "loss", percent: false, format })).toEqual([]);
  });
});

describe("charts of runs with different objectives", () => {
  const charts = chartsOf(compareRuns(PREFERENCES.map(inventedRun)), {
    metric: "accuracy",
    name: "accuracy",
    percent: true,
    format: (value) => `${(100 * value).toFixed(1)}%`,
  });
  const [byRound, final] = charts.map(({ svg }) => read(svg)) as [Element[], Element[]];

  it("draw no base in common, but each row's own", () => {
    expect(byRound.some(({ name, attributes }) => name === "line" && attributes["stroke-dasharray"] === "4 4")).toBe(
      false,
    );
    const marks = final.filter(({ attributes }) => attributes["stroke-dasharray"] === "4 4");
    const [from, to] = ["50%", "60%"].map((tick) => numbers(textOf(final, tick)!, "x")[0]!) as [number, number];
    const x = (value: number) => from + ((value - 0.5) / 0.1) * (to - from);
    expect(marks.map((mark) => numbers(mark, "x1")[0])).toEqual(
      [0.5, 0.5, 0.5, 0.5, 0.48, 0.48].map((value) => expect.closeTo(x(value), 1)),
    );
    expect(words(final)[1]!.text).toBe("higher is better; small dots: clients; dashes: each row's own base");
    expectInside(final);
  });
});

describe("scales", () => {
  it("are straight lines", () => {
    expect([3, 4, 5].map(linearScale([3, 5], [100, 0]))).toEqual([100, 50, 0]);
    expect(linearScale([2, 2], [0, 10])(2)).toBe(5);
  });

  it("have ticks at round numbers, with the decimals they need", () => {
    expect(tickTexts(ticksOf([3.43, 4.12], 6))).toEqual(["3.6", "3.8", "4.0"]);
    expect(tickTexts(ticksOf([0, 10], 10, 1))).toEqual(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10"]);
    expect(tickTexts(ticksOf([0, 3], 10, 1))).toEqual(["0", "1", "2", "3"]);
    expect(tickTexts(ticksOf([0.071, 0.078], 7))).toEqual([
      "0.071",
      "0.072",
      "0.073",
      "0.074",
      "0.075",
      "0.076",
      "0.077",
      "0.078",
    ]);
    expect(tickTexts(ticksOf([-1, 1], 4))).toEqual(["-1.0", "-0.5", "0.0", "0.5", "1.0"]);
    expect(tickTexts(ticksOf([0.41, 0.62], 5), true)).toEqual(["45%", "50%", "55%", "60%"]);
    expect(paddedRange([1, 3, Number.NaN], 0.5)).toEqual([0, 4]);
    expect(paddedRange([])).toEqual([0, 1]);
  });

  it("keep labels apart and in order", () => {
    expect(spreadOut([10, 50], 16, [0, 100])).toEqual([10, 50]);
    expect(spreadOut([50, 50], 16, [0, 100])).toEqual([42, 58]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 12 }), (wanted) => {
        const places = spreadOut(wanted, 16, [0, 300]).sort((a, b) => a - b);
        for (let i = 1; i < places.length; i++) expect(places[i]! - places[i - 1]!).toBeGreaterThan(15.99);
        for (const place of places) expect(place).toBeGreaterThan(-0.01);
        for (const place of places) expect(place).toBeLessThan(300.01);
      }),
    );
  });

  it("cut text to what fits", () => {
    expect(fitted("fedavg", 12, 200)).toBe("fedavg");
    expect(fitted("a very long name", 12, 60)).toMatch(/^a ve.*…$/);
  });
});
