import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { startIn } from "./support/cli.ts";
import { adapterHash } from "./support/experiment.ts";
import { natsProgram } from "./support/nats-server.ts";
import { tinyConfig } from "./support/tiny-federation.ts";
import { writeTinyData, writeTinyModel } from "./support/tiny-model.ts";

const CLIENTS = ["apples", "bolts", "candles"];

/** All files under a folder. */
function filesIn(folder: string): string[] {
  const entries = existsSync(folder) ? readdirSync(folder, { recursive: true, withFileTypes: true }) : [];
  return entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
}

describe.skipIf(natsProgram === undefined)("a private federation over a network (needs nats-server)", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-private-federation-"));
  const start = (...args: string[]) =>
    startIn(folder, { ...process.env, OPENFEDLLM_CACHE: path.join(folder, "cache"), NO_COLOR: "1" }, ...args);

  beforeAll(() => {
    writeTinyModel(path.join(folder, "model"));
    for (const [i, name] of CLIENTS.entries()) {
      writeTinyData(path.join(folder, `${name}.jsonl`), name, 9 + 4 * i);
      writeTinyData(path.join(folder, `${name}.heldout.jsonl`), `${name} spare`, 4);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test.each(["central", "local", "distributed"] as const)(
    "%s noise: all end with one adapter, and no figure and no single update is left",
    async (mechanism) => {
      const config = {
        ...tinyConfig("fedavg"),
        privacy: { client: { mechanism } },
        ...(mechanism === "distributed" && {
          secureAggregation: { minCohort: 3 },
          federation: { algorithm: "fedavg", rounds: 2 },
        }),
      };
      writeFileSync(path.join(folder, "my.yaml"), stringify(config));
      const { code, output } = await start("rehearse", "my.yaml", "--out", mechanism).ended;
      expect(code, output).toBe(0);
      const run = path.join(mechanism, "run");
      const expected = adapterHash(folder, run, "adapter");
      for (const client of CLIENTS) {
        expect(adapterHash(folder, path.join(mechanism, "sites", client, "runs", "run"), "adapter")).toBe(expected);
      }
      const cells = path.join(folder, run, "exchange", "cells");
      const submissions = filesIn(cells).filter((file) => file.includes(`${path.sep}update${path.sep}`));
      expect(submissions).toHaveLength(6);
      for (const file of submissions) {
        const submission = JSON.parse(readFileSync(file, "utf8"));
        expect(Object.keys(submission).sort()).toEqual(["base", "bytesDown", "bytesUp", "client", "ledger", "update"]);
        expect(filesIn(path.join(folder, run)).filter((each) => each.endsWith(submission.update))).toEqual([]);
      }
      // The host's log has no step and no loss of anybody, and no site's ledger or key.
      expect(readFileSync(path.join(folder, run, "events.jsonl"), "utf8")).not.toContain('"loss"');
      expect(filesIn(path.join(folder, run, "private", "cells", "ledger"))).toHaveLength(6);
      const ledgers = CLIENTS.flatMap((client) =>
        filesIn(path.join(folder, mechanism, "sites", client, "runs", "run", "clients", "cells", "ledger")),
      );
      expect(ledgers).toHaveLength(mechanism === "central" ? 0 : 6);
      // A site knows how many clients there are, and so has the noise that the coordinator charges for.
      const multiplierIn = (file: string): number => JSON.parse(readFileSync(file, "utf8")).noiseMultiplier as number;
      const [charged] = filesIn(path.join(folder, run, "private", "cells", "ledger"));
      for (const file of ledgers) expect(multiplierIn(file)).toBe(multiplierIn(charged!));
    },
    240_000,
  );
});
