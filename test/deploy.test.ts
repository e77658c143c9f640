import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { newIdentity } from "../src/identity/keys.ts";
import { initFederation } from "../src/node/federation/federation-folder.ts";
import { writeOperatorConfig } from "../src/node/federation/operator-config.ts";
import { hasOpenssl, makeCertificates } from "./support/certificates.ts";
import { natsProgram } from "./support/nats-server.ts";

const DEPLOY = path.join(import.meta.dirname, "../deploy");

describe.runIf(natsProgram !== undefined && hasOpenssl)(
  "configurations of nats-server (skipped where there is no nats-server or no openssl)",
  () => {
    const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-deploy-"));
    afterAll(() => rmSync(folder, { recursive: true }));

    beforeAll(async () => {
      const { ca, files } = makeCertificates(folder);
      writeFileSync(path.join(folder, "ca.pem"), ca);
      cpSync(files.key, path.join(folder, "server-key.pem"));
      const federation = await initFederation(path.join(folder, "federation"), { name: "Hospitals" });
      cpSync(await writeOperatorConfig(federation), path.join(folder, "operator.conf"));
      // The paths are those of a machine that is set up for it; 2.9 does not know the third setting.
      const old = spawnSync(natsProgram!, ["--version"], { encoding: "utf8" }).stdout.includes("v2.9.");
      for (const name of readdirSync(path.join(DEPLOY, "nats")).filter((each) => each.endsWith(".conf"))) {
        const text = readFileSync(path.join(DEPLOY, "nats", name), "utf8")
          .replaceAll("/certificates/", `${folder}/`)
          .replaceAll("/var/lib/nats", path.join(folder, "nats"))
          .replaceAll("sync_interval: always", old ? "" : "sync_interval: always");
        writeFileSync(path.join(folder, name), text);
      }
    });

    const env = {
      SERVER_NAME: "nats-1",
      ROUTES: "[tls://nats-2.example.org:6222, tls://nats-3.example.org:6222]",
      HUB: "wss://hub.example.org:443",
      SITE_USER: newIdentity("user").publicKey,
    };

    test.each(["compose.conf", "cluster.conf", "site-leaf.conf"])("%s is one that nats-server takes", (name) => {
      const { stderr, status } = spawnSync(natsProgram!, ["-t", "-c", path.join(folder, name)], {
        encoding: "utf8",
        env: { ...process.env, ...env },
      });
      expect([status, stderr]).toEqual([0, expect.stringContaining("is valid")]);
    });
  },
);

test("the compose file and the Dockerfile name the same nats-server, one that may be exposed", () => {
  const { services } = parse(readFileSync(path.join(DEPLOY, "compose.yaml"), "utf8"), { merge: true }) as {
    services: Record<string, { image: string; read_only: boolean; user: string }>;
  };
  const [, version] = /NATS_VERSION=(\S+)/.exec(readFileSync(path.join(DEPLOY, "Dockerfile"), "utf8"))!;
  expect(services["nats"]!.image).toBe(`nats:${version}`);
  const [major, minor] = version!.split(".").map(Number);
  expect([major, minor! >= 15]).toEqual([2, true]);
  for (const [name, service] of Object.entries(services)) {
    expect([name, service.read_only, service.user]).toEqual([name, true, "1000:1000"]);
  }
});
