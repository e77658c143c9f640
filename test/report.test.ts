import { createServer, type Server } from "node:http";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import axe from "axe-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { type Chromium, chromiumProgram, startChromium } from "./support/chromium.ts";
import { cliIn, killedAfterEvents, startRun } from "./support/cli.ts";
import { inventedFolder, type InventedFigures } from "./support/invented-course.ts";
import { writeTinyData, writeTinyModel } from "./support/tiny-model.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-report-"));
const env = { ...process.env, OPENFEDLLM_CACHE: path.join(folder, "cache"), NO_COLOR: "1" };
const cli = cliIn(folder, env);
const at = (...parts: string[]): string => path.join(folder, ...parts);
const textOf = (html: string): string => html.replaceAll(/<[^>]*>/g, " ").replaceAll(/\s+/g, " ");

const HOSTILE = `<script>pwned=1</script>"'><img src=http://127.0.0.1:1/x onerror=pwned=1>\u202eevil\u2066`;

/** A run with every part of a page, and hostile text everywhere. */
const FULL: InventedFigures = {
  records: { [HOSTILE]: 20, b: 50, c: 10 },
  heldOut: [
    { [HOSTILE]: 4, b: 5 },
    { [HOSTILE]: 4.2, b: 4 },
    { [HOSTILE]: 4.3, b: 4.9 },
  ],
  heldOutRecords: 8,
  clients: [
    { [HOSTILE]: { examples: 200 }, b: {} },
    { [HOSTILE]: { examples: 200 }, b: {} },
  ],
  late: ["c"],
  refused: { b: HOSTILE },
  cut: [1, 1],
  benchmarks: [{ benchmark: "gsm8k", questions: 20, metrics: { exactMatch: 0.25 } }],
  summary: { answers: [{ prompt: HOSTILE, before: `${HOSTILE}\n${"long ".repeat(200)}`, after: "x".repeat(500) }] },
};

function writeRun(name: string, made: InventedFigures): void {
  const { config, metrics, events } = inventedFolder(made);
  mkdirSync(at(name), { recursive: true });
  writeFileSync(at(name, "config.json"), JSON.stringify(config));
  writeFileSync(at(name, "metrics.json"), JSON.stringify(metrics));
  writeFileSync(at(name, "events.jsonl"), `${events.map((event) => JSON.stringify(event)).join("\n")}\n{"type":"half`);
}

function config(changes: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    model: { base: "model" },
    adapter: { rank: 4, alpha: 8 },
    data: {
      maxLength: 96,
      clients: ["apples", "bolts"].map((name) => ({ name, train: `${name}.jsonl`, heldOut: `${name}.heldout.jsonl` })),
    },
    training: { batchSize: 3, localSteps: 2, learningRate: 5e-3 },
    federation: { rounds: 2 },
    evaluation: { every: 1, prompts: ["What is apples item 1?"], maxNewTokens: 4 },
    runtime: { threads: 1 },
    ...changes,
  };
}

beforeAll(() => {
  writeTinyModel(at("model"));
  for (const name of ["apples", "bolts"]) {
    writeTinyData(at(`${name}.jsonl`), name, 12);
    writeTinyData(at(`${name}.heldout.jsonl`), `${name} spare`, 4);
  }
  writeFileSync(at("experiment.yaml"), stringify(config()));
  writeRun("full", FULL);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("a run", () => {
  test("leaves its page, names it at the end, and `report` makes the same one anew", () => {
    const { status, stdout, stderr } = cli("run", "experiment.yaml", "--out", "first");
    expect([status, stderr]).toEqual([0, expect.not.stringContaining("note:")]);
    expect(stdout).toContain(`report      ${path.join("first", "report.html")}\n`);
    const page = readFileSync(at("first", "report.html"), "utf8");
    const metrics = JSON.parse(readFileSync(at("first", "metrics.json"), "utf8"));
    const { before, after } = metrics.summary.heldOut[0];
    expect(textOf(page)).toContain(`apples 4 ${before.toFixed(3)} ${after.toFixed(3)}`);
    expect(textOf(page)).toContain("apples 12 2 0 0 0 1.0 ");
    expect(textOf(page)).toContain("Held-out sets of fewer than 30 records say little: apples 4, bolts 4.");
    rmSync(at("first", "report.html"));
    expect(cli("report", "first")).toMatchObject({ status: 0, stdout: `${path.join("first", "report.html")}\n` });
    expect(readFileSync(at("first", "report.html"), "utf8")).toBe(page);
    expect(readdirSync(at("first")).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  test("that goes often through few records gets a note for each client before it", () => {
    writeFileSync(
      at("often.yaml"),
      stringify(config({ training: { batchSize: 4, localSteps: 8, learningRate: 5e-3 } })),
    );
    const { status, stderr } = cli("run", "often.yaml", "--out", "often");
    expect(status).toBe(0);
    expect(stderr.split("\n").filter((line) => line.startsWith("note: "))).toEqual(
      ["apples", "bolts"].map(
        (name) =>
          `note: ${name} goes 5.3 times through its 12 records in this run and may learn them by heart; a lower training.localSteps or federation.rounds makes fewer passes.`,
      ),
    );
    expect(textOf(readFileSync(at("often", "report.html"), "utf8"))).toContain(
      "Clients went more than 5 times through their records: apples 5.3 times (12 records), bolts 5.3 times (12 records).",
    );
  });

  test("that was killed can have its page made, and that was continued leaves one by itself", async () => {
    writeFileSync(at("killed.yaml"), stringify(config({ federation: { rounds: 30 } })));
    expect(await killedAfterEvents(startRun(folder, env, "killed.yaml", "--out", "killed"), 30)).toBe(true);
    expect(existsSync(at("killed", "report.html"))).toBe(false);
    expect(cli("report", "killed").status).toBe(0);
    expect(textOf(readFileSync(at("killed", "report.html"), "utf8"))).toMatch(
      /The run is not finished: \d+ of 30 rounds are done\./,
    );
  });

  test("that is interrupted leaves its page", async () => {
    writeFileSync(at("stopped.yaml"), stringify(config({ federation: { rounds: 300 } })));
    const child = startRun(folder, env, "stopped.yaml", "--out", "stopped");
    const ended = new Promise((resolve) => child.on("exit", resolve));
    let seen = "";
    child.stdout!.on("data", (chunk: Buffer) => {
      seen += String(chunk);
      if (seen.includes('"type":"round-end","round":2') && !child.killed) child.kill("SIGINT");
    });
    expect(await ended).toBe(130);
    expect(textOf(readFileSync(at("stopped", "report.html"), "utf8"))).toMatch(
      /The run is not finished: [123] of 300 rounds/,
    );
  });
});

describe("openfedllm report", () => {
  test("reads the folders of older versions, and refuses what is no run", () => {
    const { config: stored } = inventedFolder();
    mkdirSync(at("old"));
    mkdirSync(at("empty"));
    writeFileSync(at("old", "config.json"), JSON.stringify(stored));
    const round = { round: 1, learningRate: 1e-3, loss: null, seconds: 1, clients: {}, refused: {}, heldOut: {} };
    writeFileSync(at("old", "metrics.json"), JSON.stringify({ rounds: [round] }));
    expect(cli("report", "old", "--out", "old.html")).toMatchObject({ status: 0, stdout: "old.html\n" });
    expect(textOf(readFileSync(at("old.html"), "utf8"))).toContain("Run old");
    expect(cli("report", "empty")).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("empty is not a run folder"),
    });
    expect(cli("report", "old", "--out", "no/such/folder.html")).toMatchObject({
      status: 5,
      stderr: expect.stringContaining("Cannot write no/such/folder.html: a folder of the path is missing"),
    });
  });

  test("makes text of hostile clients and models harmless", () => {
    expect(cli("report", "full").status).toBe(0);
    const page = readFileSync(at("full", "report.html"), "utf8");
    expect(page.match(/<script/g)).toHaveLength(1);
    expect(page).not.toMatch(/<img|\u202e|\u2066/);
  });

  test("is what `compare --out` writes too", () => {
    writeRun("other", { config: { federation: { algorithm: "fedprox", rounds: 1 } } });
    expect(cli("compare", "full", "other", "--out", "compared").status).toBe(0);
    const page = textOf(readFileSync(at("compared", "comparison.html"), "utf8"));
    const markdown = readFileSync(at("compared", "comparison.md"), "utf8");
    const row = /^\| fedprox \|.*$/m.exec(markdown)![0].replaceAll("|", " ").replaceAll(/\s+/g, " ").trim();
    expect(page).toContain(row);
    expect(page).toContain("Held-out loss was lowest after round 1 (4.100)");
    expect(page).toContain("This is one run with one seed (7)");
  });
});

describe.skipIf(chromiumProgram === undefined)(
  `in Chromium${chromiumProgram === undefined ? " (skipped: no chromium is on the path)" : ""}`,
  () => {
    const asked: string[] = [];
    let server: Server;
    let browser: Chromium;

    beforeAll(async () => {
      cli("report", "full");
      cli("compare", "full", "--out", "compared");
      server = createServer((request, response) => {
        asked.push(request.url!);
        const file = at(request.url!.slice(1));
        if (!existsSync(file)) response.writeHead(404).end();
        else response.writeHead(200, { "content-type": "text/html" }).end(readFileSync(file));
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      browser = await startChromium();
    });

    afterAll(async () => {
      await browser.close();
      server.close();
    });

    const PAGES = ["full/report.html", "compared/comparison.html"];
    const address = (page: string): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}/${page}`;

    test.each(PAGES)("%s asks for nothing but itself, and runs nothing of others", async (page) => {
      asked.length = 0;
      const tab = await browser.openTab();
      await tab.open(address(page));
      expect(await tab.evaluate("typeof pwned")).toBe("undefined");
      // Also a script that came in could send nothing.
      const sent = "fetch('/stolen').then(() => 'sent', () => 'refused')";
      const before = [...tab.complaints];
      expect(await tab.evaluate(sent)).toBe("refused");
      expect(asked).toEqual([`/${page}`]);
      expect(tab.requests.filter((url) => !url.startsWith("data:"))).toEqual([address(page)]);
      expect(before).toEqual([]);
    });

    test.each(
      PAGES.flatMap((page) =>
        ["light", "dark"].flatMap((theme) => [360, 1600].map((width) => ({ page, theme, width }))),
      ),
    )("$page has no accessibility violation, $theme, at $width pixels", async ({ page, theme, width }) => {
      const tab = await browser.openTab();
      await tab.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: theme }] });
      await tab.send("Emulation.setDeviceMetricsOverride", { width, height: 800, deviceScaleFactor: 1, mobile: false });
      await tab.open(address(page));
      await tab.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true })");
      const paper = await tab.evaluate("getComputedStyle(document.body).backgroundColor");
      expect(paper).toBe(theme === "dark" ? "rgb(22, 27, 34)" : "rgb(255, 255, 255)");
      // Charts have the paper of the page.
      expect(await tab.evaluate("getComputedStyle(document.querySelector('svg rect')).fill")).toBe(paper);
      expect(await tab.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
      const violations = await tab.evaluate<{ id: string; impact: string; nodes: string[] }[]>(
        `${axe.source}; axe.run(document).then(({ violations }) => violations.map(({ id, impact, nodes }) => ({ id, impact, nodes: nodes.map(({ html }) => html) })))`,
      );
      expect(violations).toEqual([]);
    });

    test("changes its colours at the button, by the keyboard too, and keeps the choice", async () => {
      const tab = await browser.openTab();
      await tab.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: "light" }] });
      await tab.open(address(PAGES[0]!));
      const state = (): Promise<string> =>
        tab.evaluate(
          "`${document.getElementById('theme').textContent} ${getComputedStyle(document.querySelector('svg rect')).fill}`",
        );
      expect(await state()).toBe("Dark colours rgb(255, 255, 255)");
      await tab.evaluate("document.getElementById('theme').focus()");
      for (const type of ["keyDown", "keyUp"]) {
        await tab.send("Input.dispatchKeyEvent", {
          type,
          key: "Enter",
          code: "Enter",
          windowsVirtualKeyCode: 13,
          text: "\r",
        });
      }
      expect(await state()).toBe("Light colours rgb(22, 27, 34)");
      await tab.open(address(PAGES[0]!));
      expect(await state()).toBe("Light colours rgb(22, 27, 34)");
    });
  },
);
