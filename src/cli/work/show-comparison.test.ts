import { describe, expect, it } from "vitest";
import { inventedRun, PREFERENCES } from "../../../test/support/invented-runs.ts";
import { showComparison } from "./show-comparison.ts";
import { plainStyle } from "../output.ts";

/** The texts of both streams, in order, as on a screen. */
async function shown(columns: number | undefined, options: Parameters<typeof showComparison>[3] = {}): Promise<string> {
  let screen = "";
  const output = {
    write: (text: string) => void (screen += text),
    style: plainStyle,
    live: false,
    columns: () => columns,
  };
  const runs = PREFERENCES.map(inventedRun);
  await showComparison({ runs, warnings: [] }, {}, { stdout: output, stderr: output }, options);
  return screen;
}

describe("a comparison", () => {
  it("stands apart from what was on the terminal before it, and nowhere else", async () => {
    expect(await shown(100, { after: true })).toMatch(/^\nwarning: .*\nheld-out accuracy/);
    expect(await shown(100)).toMatch(/^warning: /);
    expect(await shown(undefined, { after: true })).toMatch(/^warning: /);
  });

  it("shows settings as far as the terminal has room", async () => {
    expect(await shown(100)).toMatch(/^algorithm +objective +runs/m);
    expect(await shown(60)).toMatch(/^run +runs/m);
  });

  it("says which runs stopped early, and which round was best", async () => {
    let screen = "";
    const stdout = {
      write: (text: string) => void (screen += text),
      style: plainStyle,
      live: false,
      columns: () => 100,
    };
    const rounds = [5, 4, 4.5].map((loss) => ({ heldOut: { a: loss } }));
    const run = (seed: number, more: object) => inventedRun({ name: `s-seed${seed}`, seed, rounds, ...more });
    const early = { plannedRounds: 9, stoppedEarly: true, best: { metric: "loss", round: 1, value: 4 } };
    const chosen = { best: { ...early.best, chosenOn: "validation" } };
    const runs = [run(1, early), run(2, { plannedRounds: 9 }), run(3, { ...chosen, plannedRounds: 9 })];
    await showComparison({ runs, warnings: [] }, {}, { stdout, stderr: stdout });
    expect(screen.replaceAll("\n", " ")).toContain(
      "fedavg: seed 1 stopped after round 2, best round 1 (loss 4.000, on what is reported); seed 3 best round 1 (loss 4.000, on the validation part).",
    );
    expect(screen).not.toContain("seed 2");
  });

  it("calls a metric what the reader called it", async () => {
    const context = { write: () => {}, style: plainStyle, live: false, columns: () => 80 };
    const found = { runs: PREFERENCES.map(inventedRun), warnings: [] };
    const called = (key: string) => `claim.yaml: compare.${key}`;
    const show = showComparison(found, { metric: "macroF1" }, { stdout: context, stderr: context }, { called });
    await expect(show).rejects.toThrow("claim.yaml: compare.metric macroF1: no run measured it");
  });
});
