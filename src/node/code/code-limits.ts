import { lstat, readFile, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import path from "node:path";
import { CODE_LIMITS, type CodeLimit, type CodeOutcome, type LimitFinding } from "../../evaluation/code-runner.ts";
import { makeFolder, removeFolder } from "./program-folder.ts";

/** The limits to test, and the way to run a program. */
export interface LimitTrial {
  readonly memoryBytes: number;
  readonly fileBytes: number;
  readonly run: (program: string, timeoutSeconds: number) => Promise<CodeOutcome>;
}

/** More than any of these programs needs where nothing stops it. */
const ENOUGH_SECONDS = 30;

/** Tests every limit with programs that try to exceed it. A program passes where the limit stops it. */
export async function findLimits({
  memoryBytes,
  fileBytes,
  run,
}: LimitTrial): Promise<Record<CodeLimit, LimitFinding>> {
  const outside = await makeFolder();
  const there = path.join(outside, "there.txt");
  await writeFile(there, "there\n");
  const stateOf = async (): Promise<string> => {
    const { ctimeMs, mode } = await lstat(there);
    return JSON.stringify([ctimeMs, mode, await readFile(there, "utf8")]);
  };
  const before = await stateOf();
  const listener = await listen();
  let signals = 0;
  const onSignal = (): void => void signals++;
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
    memory: () =>
      first(
        () => test(`bytearray(${2 * memoryBytes})`, `a program got ${megabytes(2 * memoryBytes)}`),
        () => test(MEMORY_BESIDE, "a program got memory that the limit does not count"),
      ),
    fileSize: () =>
      test(
        `with open("big", "wb") as file:\n    file.seek(${fileBytes})\n    file.write(b"x")`,
        `a program wrote a file of more than ${megabytes(fileBytes)}`,
      ),
    processes: () => test(FORK, "a program started another"),
    network: async () => {
      const finding = await first(
        () =>
          test(
            `import socket\nsocket.create_connection(("127.0.0.1", ${listener.port}), 5).close()`,
            "a program reached a port of this machine",
          ),
        () => test(datagram(there), "a program sent a message to a socket of this machine"),
      );
      return listener.reached() ? { held: false, why: "a program reached a port of this machine" } : finding;
    },
    files: () =>
      first(
        () => test(`open(${inPython(there)}).read()`, "a program read a file outside its folder"),
        () =>
          test(
            `open(${inPython(path.join(outside, "new.txt"))}, "w").close()`,
            "a program wrote a file outside its folder",
          ),
        async () => {
          const finding = await test(changes(there), "");
          const why = "a program changed the mode, the times or the attributes of a file outside its folder";
          return (await stateOf()) === before || !finding.held ? finding : { held: false, why };
        },
      ),
    signals: async () => {
      // Signal 0 only asks there; on Windows it is Ctrl-C.
      if (process.platform === "win32") return { held: false, why: "not tested on Windows" };
      const why = "a program could have stopped this one";
      const finding = await first(
        () => test(`import os\nos.kill(${process.pid}, 0)`, why),
        () => test(signalByFileOwner(process.pid), why),
      );
      return signals > 0 ? { held: false, why } : finding;
    },
  };
  // The signal of the trial; without a listener nothing happens.
  if (process.platform !== "win32") process.on("SIGURG", onSignal);
  try {
    const names = Object.keys(CODE_LIMITS) as CodeLimit[];
    const findings = await Promise.all(names.map(async (name) => [name, await trials[name]()] as const));
    return Object.fromEntries(findings) as Record<CodeLimit, LimitFinding>;
  } finally {
    process.off("SIGURG", onSignal);
    listener.close();
    await removeFolder(outside);
  }
}

/** Tries one after the other, up to the first that the limit does not stop. */
async function first(...tries: (() => Promise<LimitFinding>)[]): Promise<LimitFinding> {
  let finding: LimitFinding = { held: true };
  for (const attempt of tries) {
    finding = await attempt();
    if (!finding.held) break;
  }
  return finding;
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

/** Memory of a file without a name, of a file in flight, of a queue of messages, each beside the address space. */
const MEMORY_BESIDE = `import ctypes, os, socket, sys
got = []
def attempt(work):
    try:
        got.append(work())
    except (OSError, AttributeError):
        pass
def in_flight():
    one, other = socket.socketpair()
    one.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, bytes(ctypes.c_int(0)))])
def queue():
    made = ctypes.CDLL(None).msgget(0, 0o600)
    if made < 0:
        raise OSError
    ctypes.CDLL(None).msgctl(made, 0, None)
attempt(lambda: os.memfd_create("beside"))
if sys.platform == "linux":
    attempt(in_flight)
    attempt(queue)
if not got:
    raise OSError`;

/** Sends to a file that is no socket: the kernel refuses the connection only where it has tried. */
function datagram(file: string): string {
  return `import errno, socket
try:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
except (AttributeError, ValueError):
    raise OSError
try:
    one.sendto(b"x", ${inPython(file)})
except OSError as error:
    if error.errno not in (errno.ECONNREFUSED, errno.ENOTSOCK):
        raise`;
}

/** Tries changes that leave the content of a file; a program cannot tell whether they did something. */
function changes(file: string): string {
  return `import os
for name, *values in ("chmod", 0o777), ("utime", (1, 1)), ("setxattr", "user.x", b"x"), ("chown", -1, -1):
    try:
        getattr(os, name)(${inPython(file)}, *values)
    except (OSError, AttributeError):
        pass
raise OSError`;
}

/** Makes a process the owner of a socket, who gets a signal when something arrives. SIGURG does no harm. */
function signalByFileOwner(pid: number): string {
  return `import fcntl, os, socket, struct, sys, time
F_SETOWN, F_SETSIG, F_SETOWN_EX, FIOSETOWN = 8, 10, 15, 0x8901
reader, writer = socket.socketpair()
owners = [lambda: fcntl.fcntl(reader, fcntl.F_SETOWN, ${pid})]
if sys.platform == "linux":
    owners.append(lambda: fcntl.fcntl(reader, F_SETOWN_EX, struct.pack("ii", 1, ${pid})))
    owners.append(lambda: fcntl.ioctl(reader, FIOSETOWN, struct.pack("i", ${pid})))
owned = 0
for own in owners:
    try:
        own()
        owned += 1
    except OSError:
        pass
if owned == 0:
    raise OSError
if sys.platform == "linux":
    # Without this the signal is another, which would end the process.
    fcntl.fcntl(reader, F_SETSIG, 23)
    fcntl.fcntl(reader, fcntl.F_SETFL, fcntl.fcntl(reader, fcntl.F_GETFL) | os.O_ASYNC)
    writer.send(b"x")
    time.sleep(0.2)
    raise OSError`;
}

function inPython(file: string): string {
  // A JSON string is a Python string, unless half of a surrogate pair stands alone.
  return JSON.stringify(file);
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
