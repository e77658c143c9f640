import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

const PREFIX = "openfedllm-suite-";

/**
 * Gives the suite one temporary folder, in which every test makes its own. It is removed by a process that the suite does not
 * wait for: thousands of folders of killed runs take a busy machine longer than any time limit of a hook. Folders of suites
 * that were killed go with it.
 */
export default function setup(): () => void {
  const system = tmpdir();
  const root = mkdtempSync(path.join(system, `${PREFIX}${process.pid}-`));
  // Tests as another user pass through it.
  chmodSync(root, 0o711);
  process.env["TMPDIR"] = root;
  return () => {
    const left = readdirSync(system).filter((name) => {
      const owner = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
      return owner !== undefined && (Number(owner) === process.pid || !isAlive(Number(owner)));
    });
    const remove =
      "for (const folder of process.argv.slice(1)) require('node:fs').rmSync(folder, { recursive: true, force: true })";
    spawn(process.execPath, ["-e", remove, ...left.map((name) => path.join(system, name))], {
      detached: true,
      stdio: "ignore",
    }).unref();
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
