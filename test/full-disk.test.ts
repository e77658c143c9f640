import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Started } from "./support/cli.ts";
import { adapterHash, runIn } from "./support/experiment.ts";
import { natsProgram } from "./support/nats-server.ts";
import { makeParties, simulatedConfig } from "./support/parties.ts";
import { tinyFederation } from "./support/tiny-federation.ts";

const CLIENTS = ["apples", "bolts"];
const ROUNDS = 4;

/** Mounts a small file system of its own on a folder. False where this user may not. */
function mountSmall(folder: string, size: string): boolean {
  mkdirSync(folder, { recursive: true });
  return spawnSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", folder]).status === 0;
}

const canMount = ((): boolean => {
  const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-mount-"));
  const mounted = mountSmall(folder, "64k");
  if (mounted) spawnSync("umount", [folder]);
  rmSync(folder, { recursive: true });
  return mounted;
})();

describe.runIf(natsProgram !== undefined && canMount)(
  "a full disk (skipped where there is no nats-server or nothing may be mounted)",
  () => {
    const { folder, source } = tinyFederation();
    let expected: string;
    const mounted: string[] = [];

    beforeAll(async () => {
      process.env["OPENFEDLLM_CACHE"] = path.join(source, "cache");
      const { summary } = await runIn(source, simulatedConfig(CLIENTS, ROUNDS), { name: "simulated" });
      expected = summary.adapter;
    });
    afterAll(() => {
      for (const place of mounted) spawnSync("umount", ["-l", place]);
      rmSync(folder, { recursive: true, force: true });
    });

    /** Fills the file system of a folder up to some free bytes. Returns the function that frees them. */
    const fill = (place: string, free: number): (() => void) => {
      const { bavail, bsize } = statfsSync(place);
      const filler = path.join(place, "filler");
      writeFileSync(filler, new Uint8Array(bavail * bsize - free));
      return () => rmSync(filler);
    };
    const small = (place: string, size = "4m"): string => {
      const at = path.join(source, place);
      if (!mountSmall(at, size)) throw new Error(`cannot mount ${at}`);
      mounted.push(at);
      return at;
    };
    /** The first command ends with code 5 for the disk, the second goes on with what the first has saved. */
    const endsThenGoesOn = async (
      first: Started,
      error: RegExp,
      free: () => void,
      again: () => Started,
    ): Promise<void> => {
      const full = await first.ended;
      expect([full.code, full.stderr]).toEqual([5, expect.stringMatching(error)]);
      free();
      const ended = await again().ended;
      expect(ended.code, ended.output).toBe(0);
    };
    const endWell = async (parties: readonly Started[]): Promise<void> => {
      for (const party of parties) {
        const { code, output } = await party.ended;
        expect(code, output).toBe(0);
      }
    };

    test("under the coordinator's run folder ends host, and it goes on once there is room", async () => {
      const parties = await makeParties({ source, name: "run", clients: CLIENTS, rounds: ROUNDS });
      const free = fill(small("disk"), 100_000);
      const sites = CLIENTS.map((client) => parties.join(client));
      const host = (): Started => parties.host({}, "--out", "disk/run");
      await endsThenGoesOn(host(), /error: Cannot write disk\/run\/.*: the disk is full \(ENOSPC\)\n/, free, host);
      await endWell(sites);
      expect(adapterHash(source, "disk/run", "adapter")).toBe(expected);
    }, 240_000);

    test("under the server ends host, which says so, while the members wait", async () => {
      const parties = await makeParties({ source, name: "server", clients: CLIENTS, rounds: ROUNDS });
      const place = small("server-federation/server", "64m");
      spawnSync("chmod", ["700", place]);
      const first = parties.host();
      const sites = CLIENTS.map((client) => parties.join(client));
      await first.says("round 1/");
      // The run cannot end while one sleeps.
      const [, sleeper] = sites.map(({ child }) => child);
      sleeper!.kill("SIGSTOP");
      const free = fill(place, 8192);
      sleeper!.kill("SIGCONT");
      const error =
        /error: the disk of the server is full: .*server-federation\/server has \d kB left\nhint: Free some space/;
      await endsThenGoesOn(first, error, free, () => parties.host());
      await endWell(sites);
      expect(adapterHash(source, "server-run", "adapter")).toBe(expected);
    }, 240_000);

    test("under a site ends join, the others wait, and it goes on once there is room", async () => {
      const parties = await makeParties({ source, name: "site", clients: CLIENTS, rounds: ROUNDS });
      const place = small("site-site-apples");
      spawnSync("chmod", ["700", place]);
      const free = fill(place, 40_000);
      const others = [parties.host(), parties.join("bolts")];
      const error = /error: Cannot write site-site-apples\/.*: the disk is full \(ENOSPC\)\n/;
      await endsThenGoesOn(parties.join("apples"), error, free, () => parties.rejoin("apples"));
      await endWell(others);
      expect(adapterHash(source, "site-run", "adapter")).toBe(expected);
    }, 240_000);
  },
);
