import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type InventedFigures, inventedFigures } from "../../../test/support/invented-course.ts";
import { comparisonPage } from "./comparison-page.ts";
import { markup, Markup } from "./html.ts";
import { runPage } from "./run-page.ts";

const page = (made: InventedFigures = {}): string => runPage({ ...inventedFigures(made), results: [] });

/** Text and attribute that would run a script, close an attribute, and turn the direction of what follows. */
const HOSTILE = `<script>pwned=1</script>"'><img src=x onerror=pwned=1>\u202etxt.exe\u2066\u0000\u001b[2J`;

describe("a template", () => {
  it("escapes every text, also in attributes, and no markup", () => {
    expect(markup`<b title="${'"<&'}">${["<i>", markup`<i>`, 3, undefined]}</b>`.text).toBe(
      '<b title="&quot;&lt;&amp;">&lt;i&gt;<i>3</b>',
    );
    expect(markup`${new Markup("<hr>")}`.text).toBe("<hr>");
  });
});

describe("the page of a run", () => {
  it("has the figures of the run, with signs and units", () => {
    const html = page({ records: { a: 50, b: 50, c: 20 }, refused: { b: "not finite" }, clients: [{ a: {}, b: {} }] });
    const text = html.replaceAll(/<[^>]*>/g, " ").replaceAll(/\s+/g, " ");
    expect(text).toContain("Held-out loss 4.500 → 3.500 (-22.2%)");
    expect(text).toContain("Sent up and down 4.0 kB, 2.0 kB");
    expect(text).toContain(
      "set records before after change a 40 4.000 3.000 -25.0% b 40 5.000 4.000 -20.0% all 80 4.500 3.500 -22.2%",
    );
    expect(text).toContain("a 50 1 0 0 0 0.3 1.0s 2.0 kB 1.0 kB");
    expect(text).toContain("c 20 0 0 0 1 – 0.0s 0 B 0 B");
    expect(text).toContain("round client reason 1 b not finite");
    expect(text).toContain("round learning rate training loss clients time up down 1 1.0e-3 3.000 1 of 2");
    expect(text).toContain("setting value default model.base model – data.clients 3 clients (a, b, c) –");
    expect(text).toContain("federation.rounds 1 3");
    expect(text).toContain("1 update did not enter the result: b.");
  });

  it("shows the reasons of late clients beside the refused ones", () => {
    expect(page({ clients: [{ a: {} }], late: ["b"] })).toContain("no update before the round was closed");
    expect(page()).toContain("No update was refused or late.");
  });

  it("leaves out what a run does not have", () => {
    const titles = (html: string): string[] => [...html.matchAll(/<h2 id="([\w-]+)">/g)].map(([, id]) => id!);
    expect(titles(page())).toEqual(["glance", "doubts", "training", "held-out", "course", "traffic", "settings"]);
    expect(titles(page({ heldOut: [], clients: [{ a: {} }] }))).not.toContain("held-out");
    const answers = [{ prompt: "Who?", before: "", after: "Me." }];
    expect(titles(page({ summary: { answers } }))).toContain("answers");
    const benchmarks = [{ benchmark: "gsm8k", questions: 50, metrics: { exactMatch: 0.25 } }];
    expect(
      page({ benchmarks })
        .replaceAll(/<[^>]*>/g, " ")
        .replaceAll(/\s+/g, " "),
    ).toMatch(/exact match common, after round 1 50 25\.0%/);
  });

  it("makes all text of others harmless: names, reasons, answers, settings", () => {
    const html = page({
      name: HOSTILE,
      records: { [HOSTILE]: 50 },
      heldOut: [{ [HOSTILE]: 4 }, { [HOSTILE]: 3 }],
      refused: { [HOSTILE]: HOSTILE },
      config: { model: { base: HOSTILE } },
      summary: { adapter: HOSTILE, answers: [{ prompt: HOSTILE, before: HOSTILE, after: HOSTILE }] },
    });
    expect(html.match(/<script/g)).toHaveLength(1);
    expect(html).not.toContain("<img");
    expect(html).not.toContain(`"'>`);
    for (const hidden of ["\u0000", "\u001b", "\u202a", "\u202e", "\u2066", "\u2069"])
      expect(html).not.toContain(hidden);
    expect(html.match(/&lt;script&gt;pwned=1/g)!.length).toBeGreaterThan(15);
  });

  it("allows its own style and script by their hashes, and names nothing elsewhere", () => {
    const html = page();
    const policy = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html)![1]!;
    for (const tag of ["style", "script"]) {
      const inside = [...html.matchAll(new RegExp(`<${tag}>([^]*?)</${tag}>`, "g"))];
      expect(inside).toHaveLength(1);
      const hash = createHash("sha256").update(inside[0]![1]!).digest("base64");
      expect(policy).toContain(`${tag}-src 'sha256-${hash}'`);
    }
    expect(policy).toContain("default-src 'none'");
    expect(html).not.toMatch(/ style="|\bon\w+="|@import|url\(|<(iframe|object|embed|form|base)\b/);
    const links = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, link]) => link!);
    expect(links.filter((link) => !link.startsWith("#"))).toEqual(["data:,"]);
    expect(html.replaceAll('xmlns="http://www.w3.org/2000/svg"', "")).not.toContain("://");
  });

  it("is the same for the same figures", () => {
    expect(page()).toBe(page());
  });
});

describe("the page of a comparison", () => {
  const tables = {
    tables: [
      {
        title: "held-out loss",
        columns: [
          { header: "algorithm", right: false },
          { header: "x", right: true },
        ],
        rows: [[{ text: HOSTILE }, { text: "3.1", range: "3.0–3.2", best: true }]],
      },
    ],
    notes: ["±: of seeds."],
  };

  it("says first what holds for all runs, then what holds for one", () => {
    const doubts = [
      { name: "one", doubts: ["All.", "One."] },
      { name: "two", doubts: ["All."] },
    ];
    const html = comparisonPage({ tables, charts: [], warnings: ["Other data."], doubts });
    expect(html.replaceAll(/>\s+/g, ">").replaceAll(/\s+</g, "<")).toContain(
      '<ul class="doubts"><li>Other data.</li><li>All.</li><li>one:<ul><li>One.</li></ul></li></ul>',
    );
    expect(html).toMatch(/<strong>3\.1<\/strong>\s*<small>3\.0–3\.2<\/small>/);
    expect(html).not.toContain("<script>pwned");
    expect(html).toContain("±: of seeds.");
  });
});
