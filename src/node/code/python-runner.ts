import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { UserError } from "../../diagnostics/user-error.ts";
import type { CodeRunner } from "../../evaluation/code-runner.ts";
import { findLimits } from "./code-limits.ts";
import { runConfined, type Confinement } from "./confined-run.ts";
import { sweepFolders } from "./program-folder.ts";
import { errorCode } from "../../diagnostics/error-code.ts";

export interface CodeRunnerOptions {
  /** A Python 3; default: `OPENFEDLLM_PYTHON`, else `python3` of the search path. */
  readonly python?: string | undefined;
  /** Address space of a program, bytes; default 512 MB. */
  readonly memoryBytes?: number;
  /** The longest a file may become, bytes; default 16 MB. */
  readonly fileBytes?: number;
}

const TIMEOUT_SECONDS = 10;

/**
 * Finds Python, removes the folders that earlier runners left when they were killed, and tests the limits on this machine.
 *
 * @throws UserError("config") where there is no Python 3.8 or newer
 */
export async function openCodeRunner(options: CodeRunnerOptions = {}): Promise<CodeRunner> {
  const { python, version } = await findPython(options.python ?? process.env["OPENFEDLLM_PYTHON"] ?? DEFAULT_PYTHON);
  const confinement: Confinement = {
    python,
    memoryBytes: options.memoryBytes ?? 512 * 2 ** 20,
    fileBytes: options.fileBytes ?? 16 * 2 ** 20,
    kernelRules: true,
  };
  await sweepFolders();
  const limits = await findLimits({
    ...confinement,
    run: (program, timeoutSeconds) => runConfined(program, confinement, { timeoutSeconds }),
  });
  return {
    interpreter: `Python ${version.join(".")}`,
    limits,
    run: (program, { timeoutSeconds = TIMEOUT_SECONDS, signal } = {}) =>
      runConfined(program, confinement, { timeoutSeconds, signal }),
  };
}

const DEFAULT_PYTHON = process.platform === "win32" ? "python" : "python3";

/** Finds the interpreter behind a name, which may be a wrapper that needs this process's environment. Programs do not get that. */
async function findPython(name: string): Promise<{ python: string; version: readonly number[] }> {
  const ask = "import json, sys; print(json.dumps([sys.executable, sys.version_info[:3]]))";
  const hint = "Install Python 3 (apt install python3), or set OPENFEDLLM_PYTHON to it.";
  let found: unknown;
  try {
    const { stdout } = await promisify(execFile)(name, ["-I", "-S", "-c", ask], { timeout: 60_000 });
    found = JSON.parse(stdout);
  } catch (cause) {
    const why = errorCode(cause) === "ENOENT" ? "there is no such program" : "it does not run as Python 3 does";
    throw new UserError("config", `generated code needs Python 3, and ${name} cannot be used: ${why}`, { hint, cause });
  }
  const [python, version] = found as [string, number[]];
  if (version[0]! < 3 || (version[0] === 3 && version[1]! < 8)) {
    throw new UserError("config", `generated code needs Python 3.8 or newer, and ${name} is ${version.join(".")}`, {
      hint,
    });
  }
  return { python, version };
}
