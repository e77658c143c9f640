import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { CODE_LIMITS, type CodeLimit, type CodeOutcome, type LimitFinding } from "../../evaluation/code-runner.ts";

/** The limits to test, and the way to run a program. */
export interface LimitTrial {
  readonly memoryBytes: number;
  readonly fileBytes: number;
  readonly run: (program: string, timeoutSeconds: number) => Promise<CodeOutcome>;
}

/** More than any of these programs needs where nothing stops it. */
const ENOUGH_SECONDS = 30;

/** Tests every limit with a program that tries to exceed it. The program passes where the limit stops it. */
export async function findLimits({
  memoryBytes,
  fileBytes,
  run,
}: LimitTrial): Promise<Record<CodeLimit, LimitFinding>> {
  const outside = await mkdtemp(path.join(tmpdir(), "openfedllm-outside-"));
  await writeFile(path.join(outside, "there.txt"), "there\n");
  const listener = await listen();
  const test = async (statement: string, why: string): Promise<LimitFinding> => {
    const { outcome, detail } = await run(exceeding(statement), ENOUGH_SECONDS);
    if (outcome === "passed") return { held: true };
    return { held: false, why: detail.includes(EXCEEDED) ? why : `the test failed: ${lastLine(detail)}` };
  };
  const trials: Record<CodeLimit, () => Promise<LimitFinding>> = {
    time: async () => {
      const { outcome } = await run("while True: pass", 0.2);
      return outcome === "timed-out" ? { held: true } : { held: false, why: "a program without end was not stopped" };
    },
    memory: () => test(`bytearray(${2 * memoryBytes})`, `a program got ${megabytes(2 * memoryBytes)}`),
    fileSize: () =>
      test(
        `with open("big", "wb") as file:\n    file.seek(${fileBytes})\n    file.write(b"x")`,
        `a program wrote a file of more than ${megabytes(fileBytes)}`,
      ),
    processes: () => test(FORK, "a program started another"),
    network: async () => {
      const finding = await test(
        `import socket\nsocket.create_connection(("127.0.0.1", ${listener.port}), 5).close()`,
        "a program reached a port of this machine",
      );
      return listener.reached() ? { held: false, why: "a program reached a port of this machine" } : finding;
    },
    files: async () => {
      const read = await test(
        `open(${inPython(outside, "there.txt")}).read()`,
        "a program read a file outside its folder",
      );
      if (!read.held) return read;
      return test(`open(${inPython(outside, "new.txt")}, "w").close()`, "a program wrote a file outside its folder");
    },
    signals: async () =>
      // Signal 0 only asks there; on Windows it is Ctrl-C.
      process.platform === "win32"
        ? { held: false, why: "not tested on Windows" }
        : test(`import os\nos.kill(${process.pid}, 0)`, "a program could have stopped this one"),
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

const EXCEEDED = "the limit was exceeded";

const FORK = `import os
if hasattr(os, "fork"):
    if os.fork() == 0:
        os._exit(0)
else:
    import subprocess, sys
    subprocess.run([sys.executable, "-c", ""], check=True)`;

/** Wraps a statement into a program that passes where the statement ends in an `OSError` or a `MemoryError`. */
function exceeding(statement: string): string {
  const indented = statement.replaceAll(/^/gm, "    ");
  return `try:\n${indented}\nexcept (OSError, MemoryError):\n    pass\nelse:\n    raise AssertionError("${EXCEEDED}")\n`;
}

function inPython(folder: string, name: string): string {
  // A JSON string is a Python string, unless half of a surrogate pair stands alone.
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
