import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { CODE_LIMITS, type CodeLimit, type CodeOutcome, type LimitFinding } from "../../evaluation/code-runner.ts";

/** What the limits are tried with. */
export interface LimitTrial {
  readonly memoryBytes: number;
  readonly fileBytes: number;
  readonly run: (program: string, timeoutSeconds: number) => Promise<CodeOutcome>;
}

/** Longer than any of these programs takes where it is not stopped. */
const ENOUGH_SECONDS = 30;

/** Tries every limit with a program that oversteps it. Such a program passes where it was kept from it. */
export async function findLimits({
  memoryBytes,
  fileBytes,
  run,
}: LimitTrial): Promise<Record<CodeLimit, LimitFinding>> {
  const outside = await mkdtemp(path.join(tmpdir(), "openfedllm-outside-"));
  await writeFile(path.join(outside, "there.txt"), "there\n");
  const listener = await listen();
  const tryOut = async (deed: string, why: string): Promise<LimitFinding> => {
    const { outcome, detail } = await run(oversteps(deed), ENOUGH_SECONDS);
    if (outcome === "passed") return { held: true };
    return { held: false, why: detail.includes(OVERSTEPPED) ? why : `could not be tried: ${lastLine(detail)}` };
  };
  const trials: Record<CodeLimit, () => Promise<LimitFinding>> = {
    time: async () => {
      const { outcome } = await run("while True: pass", 0.2);
      return outcome === "timed-out" ? { held: true } : { held: false, why: "a program without end was not stopped" };
    },
    memory: () => tryOut(`bytearray(${2 * memoryBytes})`, `a program got ${megabytes(2 * memoryBytes)}`),
    fileSize: () =>
      tryOut(
        `with open("big", "wb") as file:\n    file.seek(${fileBytes})\n    file.write(b"x")`,
        `a program wrote a file of more than ${megabytes(fileBytes)}`,
      ),
    processes: () => tryOut(FORK, "a program started another"),
    network: async () => {
      const finding = await tryOut(
        `import socket\nsocket.create_connection(("127.0.0.1", ${listener.port}), 5).close()`,
        "a program reached a port of this machine",
      );
      return listener.reached() ? { held: false, why: "a program reached a port of this machine" } : finding;
    },
    files: async () => {
      const read = await tryOut(
        `open(${inPython(outside, "there.txt")}).read()`,
        "a program read a file outside its folder",
      );
      if (!read.held) return read;
      return tryOut(`open(${inPython(outside, "new.txt")}, "w").close()`, "a program wrote a file outside its folder");
    },
    signals: async () =>
      // Signal 0 only asks there; on Windows it is Ctrl-C.
      process.platform === "win32"
        ? { held: false, why: "not tried on Windows" }
        : tryOut(`import os\nos.kill(${process.pid}, 0)`, "a program could have stopped this one"),
  };
  try {
    const names = Object.keys(CODE_LIMITS) as CodeLimit[];
    const findings = await Promise.all(names.map(async (name) => [name, await trials[name]()] as const));
    return Object.fromEntries(findings) as Record<CodeLimit, LimitFinding>;
  } finally {
    listener.close();
    await rm(outside, { recursive: true, force: true });
  }
}

const OVERSTEPPED = "the limit was overstepped";

const FORK = `import os
if hasattr(os, "fork"):
    if os.fork() == 0:
        os._exit(0)
else:
    import subprocess, sys
    subprocess.run([sys.executable, "-c", ""], check=True)`;

/** What keeps from a deed is an `OSError` or a `MemoryError`. */
function oversteps(deed: string): string {
  const indented = deed.replaceAll(/^/gm, "    ");
  return `try:\n${indented}\nexcept (OSError, MemoryError):\n    pass\nelse:\n    raise AssertionError("${OVERSTEPPED}")\n`;
}

function inPython(folder: string, name: string): string {
  // A JSON text is a Python one, where no half of a surrogate pair stands alone.
  return JSON.stringify(path.join(folder, name));
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 2 ** 20)} MB`;
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1)!;
}

async function listen(): Promise<{ port: number; reached: () => boolean; close: () => void }> {
  let reached = false;
  const server = createServer((socket) => {
    reached = true;
    socket.destroy();
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return { port: (server.address() as AddressInfo).port, reached: () => reached, close: () => void server.close() };
}
