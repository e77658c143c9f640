// What the long tests of federations share: a tiny model, records of two sites, the adapter that they have to end with, and the
// built command line as processes.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { runnerImport } from "vite";
import { stringify } from "yaml";
import { formatInvitation } from "../../dist/identity/invitation.js";
import { initFederation } from "../../dist/node/federation/federation-folder.js";
import { inviteMember } from "../../dist/node/federation/invite.js";

export const CLI = path.join(import.meta.dirname, "../../dist/cli/main.js");
export const SITES = ["apples", "bolts"];

/** sha256 of the adapter of a run. */
export const adapterOf = (folder) =>
  createHash("sha256")
    .update(readFileSync(path.join(folder, "adapter/adapter_model.safetensors")))
    .digest("hex");

/**
 * Makes a temporary folder with `source/my.yaml` and what it names, and runs it undisturbed.
 *
 * `changes`: settings that replace those of the configuration. `model`: options of the tiny model.
 */
export async function makeSource(name, changes = {}, model = {}) {
  const root = mkdtempSync(path.join(tmpdir(), `openfedllm-${name}-`));
  const source = path.join(root, "source");
  const env = { ...process.env, OPENFEDLLM_CACHE: path.join(root, "cache"), NO_COLOR: "1" };
  const { module: tiny } = await runnerImport(path.join(import.meta.dirname, "tiny-model.ts"));
  tiny.writeTinyModel(path.join(source, "model"), model);
  for (const [i, site] of SITES.entries()) {
    tiny.writeTinyData(path.join(source, `${site}.jsonl`), site, 9 + 4 * i);
    tiny.writeTinyData(path.join(source, `${site}.heldout.jsonl`), `${site} spare`, 4);
  }
  const config = {
    model: { base: "model" },
    adapter: { rank: 4, alpha: 8, dropout: 0.1 },
    data: {
      maxLength: 96,
      clients: SITES.map((site) => ({ name: site, train: `${site}.jsonl`, heldOut: `${site}.heldout.jsonl` })),
    },
    training: { batchSize: 3, localSteps: 2, learningRate: 5e-3 },
    federation: { algorithm: "scaffold", rounds: 2 },
    evaluation: { every: 1 },
    runtime: { threads: 1 },
    ...changes,
  };
  writeFileSync(path.join(source, "my.yaml"), stringify(config));
  const run = spawnSync(process.execPath, [CLI, "run", "my.yaml", "--out", path.join(root, "undisturbed")], {
    cwd: source,
    env,
    encoding: "utf8",
  });
  if (run.status !== 0) throw new Error(run.stderr);
  const expected = adapterOf(path.join(root, "undisturbed"));
  return { root, env, expected, remove: () => rmSync(root, { recursive: true, force: true }) };
}

/**
 * Makes a federation in a folder, and an invitation SITE.txt of each site beside it. `serversOf`: the addresses that a site gets;
 * `ca`: the authority of their certificates.
 */
export async function makeFederation(folder, { serversOf, ca }) {
  const federation = await initFederation(folder, { name: "Fruit and tools" });
  for (const client of SITES) {
    const invitation = await inviteMember(federation, { client, servers: serversOf(client), ca, hours: 1 });
    writeFileSync(path.join(folder, `../${client}.txt`), `${await formatInvitation(invitation)}\n`);
  }
  return federation;
}

/** Arguments of a site's command in a folder beside `source`. */
export const joinArgs = (site) =>
  `join ${site}.txt --site ${site} --yes --base ../source/model --data ../source/${site}.jsonl --held-out ../source/${site}.heldout.jsonl`;

/**
 * Starts a command in a folder, with its words in NAME.log. `before`: a program and arguments that start it; `script`: another
 * program than the command line. `ended` gives the exit code; null: it was killed. `says` waits for a text.
 */
export function startProcess(folder, name, args, { env, before = [], script = CLI }) {
  const [program, ...rest] = [...before, process.execPath, script, ...args];
  const child = spawn(program, rest, { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (bytes) => {
      said += String(bytes);
      appendFileSync(path.join(folder, `${name}.log`), bytes);
    });
  }
  let isOver = false;
  const ended = new Promise((resolve) => {
    child.on("close", (code) => {
      isOver = true;
      resolve(code);
    });
  });
  const says = async (text) => {
    while (!said.includes(text)) {
      if (isOver) throw new Error(`${name} ended before it said ${text}: ${said.slice(-500)}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  return { child, ended, says, words: () => said };
}

/** @throws Error where a party ends with another adapter, or the audit logs do not agree. */
export function checkEnds(folder, expected) {
  for (const place of ["run", ...SITES.map((site) => `${site}/runs/run`)]) {
    const found = adapterOf(path.join(folder, place));
    if (found !== expected) throw new Error(`${place} ends with another adapter, ${found}`);
  }
  const audit = spawnSync(process.execPath, [CLI, "audit", "federation", ...SITES], { cwd: folder, encoding: "utf8" });
  if (audit.status !== 0) throw new Error(`the audit logs do not agree: ${audit.stdout}${audit.stderr}`);
}
