import { execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CodeRunner } from "../../evaluation/code-runner.ts";
import { openCodeRunner } from "./python-runner.ts";
import { removeFolder, sweepFolders } from "./program-folder.ts";

/** Programs that go around a limit. The rules that stop them are Linux's. */
const LINUX = process.platform === "linux" && ["x64", "arm64"].includes(process.arch);
const MEGABYTE = 2 ** 20;
const scratch = mkdtempSync(path.join(tmpdir(), "openfedllm-confinement-test-"));
const programs = path.join(scratch, "programs");
mkdirSync(programs);
process.env["TMPDIR"] = programs;
let runner: CodeRunner;

beforeAll(async () => {
  runner = await openCodeRunner({ memoryBytes: 128 * MEGABYTE, fileBytes: MEGABYTE });
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const run = (...lines: string[]) => runner.run(lines.join("\n"));

describe.runIf(LINUX)("a program cannot", () => {
  test.each([
    ["F_SETOWN", "fcntl.fcntl(r, fcntl.F_SETOWN, os.getppid())"],
    ["F_SETOWN of a group", "fcntl.fcntl(r, fcntl.F_SETOWN, -os.getppid())"],
    ["F_SETOWN_EX", "fcntl.fcntl(r, 15, struct.pack('ii', 1, os.getppid()))"],
    ["F_SETSIG", "fcntl.fcntl(r, 10, 23)"],
    ["F_NOTIFY", "fcntl.fcntl(os.open('.', os.O_RDONLY), 1026, 1)"],
    ["F_SETLEASE", "fcntl.fcntl(os.open('x', os.O_CREAT | os.O_RDONLY), 1024, 0)"],
    ["FIOSETOWN", "fcntl.ioctl(s, 0x8901, struct.pack('i', os.getppid()))"],
    ["SIOCSPGRP", "fcntl.ioctl(s, 0x8902, struct.pack('i', os.getppid()))"],
    ["setpriority", "os.setpriority(os.PRIO_PROCESS, os.getppid(), 19)"],
    ["sched_setaffinity", "os.sched_setaffinity(os.getppid(), {0})"],
    ["pidfd_open", "os.pidfd_open(os.getppid())"],
    ["prlimit", "import resource; resource.prlimit(os.getppid(), resource.RLIMIT_CPU, (1, 1))"],
  ])("signal or slow another process: %s", async (_, statement) => {
    let signals = 0;
    const count = (): void => void signals++;
    process.on("SIGURG", count).on("SIGIO", count);
    const { outcome, detail } = await run(
      "import fcntl, os, socket, struct, time",
      "r, w = os.pipe()",
      "s, t = socket.socketpair()",
      statement,
      "fcntl.fcntl(r, fcntl.F_SETFL, os.O_ASYNC)",
      "os.write(w, b'x')",
    );
    process.off("SIGURG", count).off("SIGIO", count);
    expect({ outcome, signals, detail }).toEqual({
      outcome: "failed",
      signals: 0,
      detail: expect.stringMatching(/Errno (1|13|95)\]/),
    });
  });

  test.each([
    ["a datagram pair", "socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)"],
    ["a packet pair", "socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)"],
    ["connect", "socket.socketpair()[0].connect('\\0openfedllm')"],
    ["bind", "socket.socketpair()[0].bind('here')"],
    ["sendmsg", "socket.socketpair()[0].sendmsg([b'x'])"],
    ["a descriptor in flight", "one, other = socket.socketpair(); socket.send_fds(one, [b'x'], [0])"],
    ["an option", "socket.socketpair()[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 30)"],
  ])("reach a socket: %s", async (_, statement) => {
    expect(await run("import socket", statement)).toMatchObject({
      outcome: "failed",
      detail: expect.stringContaining("[Errno 13]"),
    });
  });

  test.each([
    ["a queue of System V", "msgget(0x5EC04, 0o1600)"],
    ["semaphores", "semget(0x5EC04, 1, 0o1600)"],
    ["shared memory", "shmget(0x5EC04, 4096, 0o1600)"],
    ["a POSIX queue", "mq_open(b'/openfedllm', 66, 0o600, None)"],
    ["a key", "syscall(248 if x86 else 217, b'user', b'openfedllm', b'x', 1, -3)"],
    ["a key ring", "syscall(250 if x86 else 219, 0, -3, 1)"],
    ["a file without a name", "syscall(319 if x86 else 279, b'openfedllm', 0)"],
    ["io_uring", "syscall(425, 1, bytes(120))"],
    ["bpf", "syscall(321 if x86 else 280, 0, bytes(72), 72)"],
    ["userfaultfd", "syscall(282 if x86 else 323, 1)"],
    ["perf", "syscall(298 if x86 else 241, bytes(120), 0, -1, -1, 0)"],
    ["another name space", "unshare(0x10000000)"],
  ])("leave a message, or use memory beside the limit: %s", async (_, call) => {
    const { outcome, detail } = await run(
      "import ctypes, os",
      "x86 = os.uname().machine == 'x86_64'",
      "libc = ctypes.CDLL('librt.so.1', use_errno=True)",
      `print(libc.${call}, ctypes.get_errno())`,
    );
    expect({ outcome, detail }).toEqual({ outcome: "passed", detail: expect.stringMatching(/^-1 (1|38)$/) });
  });

  test("make a pipe larger", async () => {
    expect(await run("import fcntl, os", "fcntl.fcntl(os.pipe()[0], 1031, 1 << 20)")).toMatchObject({
      outcome: "failed",
      detail: expect.stringContaining("[Errno 1]"),
    });
  });

  test.each([
    ["chmod", "os.chmod(file, 0o777)"],
    ["fchmodat", "os.chmod('kept.txt', 0o777, dir_fd=os.open(folder, os.O_PATH))"],
    ["utime", "os.utime(file, (1, 1))"],
    ["setxattr", "os.setxattr(file, 'user.x', b'x')"],
    ["chown", "os.chown(file, -1, os.getgid())"],
    ["truncate", "os.truncate(file, 0)"],
    ["O_TRUNC for reading", "os.open(file, os.O_RDONLY | os.O_TRUNC)"],
    ["rename", "os.rename(file, 'taken')"],
    ["link", "os.link(file, 'linked')"],
    ["flags", "import fcntl; fcntl.ioctl(os.open(file, os.O_RDONLY), 0x40086602, b'\\x40' + bytes(7))"],
  ])("change a file elsewhere: %s", async (_, statement) => {
    const folder = mkdtempSync(path.join(scratch, "elsewhere-"));
    const file = path.join(folder, "kept.txt");
    writeFileSync(file, "kept", { mode: 0o600 });
    const before = statSync(file);
    await run("import os", `folder, file = ${JSON.stringify([folder, file])}`, statement);
    const { mode, mtimeMs, ctimeMs, size, uid, gid } = statSync(file);
    const change = runner.limits.files.held ? { ctimeMs, size } : {};
    expect({ mode, mtimeMs, uid, gid, ...change }).toMatchObject({ mode: before.mode, mtimeMs: before.mtimeMs });
    if (runner.limits.files.held) expect({ ctimeMs, size }).toEqual({ ctimeMs: before.ctimeMs, size: 4 });
  });

  test("outlive its runner", async () => {
    const { detail } = await run(
      "import ctypes",
      "libc = ctypes.CDLL(None)",
      "signal = ctypes.c_int()",
      "print(libc.prctl(1, 0, 0, 0, 0), libc.prctl(2, ctypes.byref(signal), 0, 0, 0), signal.value)",
    );
    expect(detail).toBe("-1 0 9");
  });
});

test.runIf(LINUX)("what a program of the library needs is there", async () => {
  const { outcome, detail } = await run(
    "import asyncio, concurrent.futures, fcntl, mmap, os, random, select, shutil, signal, socket, tempfile, threading, time, zipfile",
    "asyncio.run(asyncio.wait_for(asyncio.to_thread(time.sleep, 0.01), 5))",
    "with concurrent.futures.ThreadPoolExecutor(4) as pool: assert list(pool.map(abs, [-1, -2])) == [1, 2]",
    "one, other = socket.socketpair(); one.sendall(b'hi'); assert other.recv(5) == b'hi'",
    "with tempfile.TemporaryDirectory() as folder:",
    "    os.makedirs(folder + '/a/b'); open(folder + '/a/b/c', 'w').write('x')",
    "    shutil.copytree(folder + '/a', folder + '/d'); assert os.listdir(folder + '/d/b') == ['c']",
    "    shutil.copy2(folder + '/a/b/c', folder + '/e'); shutil.move(folder + '/e', folder + '/f')",
    "with zipfile.ZipFile('a.zip', 'w') as z: z.writestr('a', 'b')",
    "os.chmod('a.zip', 0o600); os.utime('a.zip'); os.symlink('a.zip', 'b'); os.replace('b', 'c')",
    "os.posix_fallocate(os.open('space', os.O_RDWR | os.O_CREAT), 0, 100); assert os.stat('space').st_size == 100",
    "with open('lock', 'w') as file: fcntl.flock(file, fcntl.LOCK_EX)",
    "mmap.mmap(-1, 4096)[:1] = b'a'",
    "got = []",
    "signal.signal(signal.SIGALRM, lambda *_: got.append(1))",
    "signal.setitimer(signal.ITIMER_REAL, 0.01); time.sleep(0.05); signal.raise_signal(signal.SIGALRM)",
    "assert len(got) == 2 and len(os.urandom(8)) == 8 and os.cpu_count() > 0",
  );
  expect({ outcome, detail }).toEqual({ outcome: "passed", detail: "" });
});

test("the tests of a program are not in its line cache", async () => {
  expect(await run("import linecache", "assert linecache.getline('program.py', 1) == ''")).toMatchObject({
    outcome: "passed",
  });
});

/** Each leaves in its folder something that is hard to remove. */
const LEFTOVERS: [string, string[]][] = [
  ["a path longer than the system takes", ["for _ in range(60): os.mkdir('d' * 200); os.chdir('d' * 200)"]],
  ["folders deeper than a recursion", ["for _ in range(1200): os.mkdir('d'); os.chdir('d')"]],
  ["locked folders", ["os.umask(0o777)", "os.mkdir('a')", "os.mkdir('b', 0)"]],
  ["names that are no text", [String.raw`os.mkdir(b'\xff'); open(b'\xff/\xfe\n', 'w').close()`]],
  ["many files", ["for i in range(3000): open(str(i), 'w').close()"]],
  ["links", ["os.symlink('/', 'root'); os.symlink('loop', 'loop'); os.mkfifo('pipe')"]],
];

describe.runIf(process.platform !== "win32")("nothing is left of", () => {
  test.each(LEFTOVERS)("%s", async (_, lines) => {
    expect(await run("import os", ...lines)).toMatchObject({ outcome: "passed" });
    expect(readdirSync(programs)).toEqual([]);
  });

  test("a folder that holds locked folders", async () => {
    const folder = mkdtempSync(path.join(scratch, "locked-"));
    mkdirSync(path.join(folder, "a/b/c"), { recursive: true });
    for (const inner of ["a/b/c", "a/b", "a"]) chmodSync(path.join(folder, inner), 0);
    await removeFolder(folder);
    expect(existsSync(folder)).toBe(false);
  });

  test("a folder that cannot be removed in time is named in a warning, and nothing fails", async () => {
    const folder = mkdtempSync(path.join(scratch, "slow-"));
    const warnings: string[] = [];
    const listen = ({ message }: Error): void => void warnings.push(message);
    process.on("warning", listen);
    await removeFolder(folder, -1);
    await removeFolder(path.join(scratch, "nowhere"), 5);
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", listen);
    expect(warnings).toEqual([expect.stringContaining(`${folder} could not be removed`)]);
  });

  test("a runner that was killed; the folders of others stay", async () => {
    const code = `import { runConfined } from ${JSON.stringify(new URL("../../../dist/node/code/confined-run.js", import.meta.url))};
      const run = runConfined("open('begun', 'w').close()\\nwhile True: pass",
        { python: "python3", memoryBytes: 2 ** 28, fileBytes: 1000, kernelRules: true }, { timeoutSeconds: 60 });
      await run;`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: "inherit" });
    const ended = new Promise((resolve) => child.on("exit", resolve));
    const left = () => readdirSync(programs).filter((name) => name.includes(`-${child.pid}-`));
    await expect
      .poll(() => left().some((name) => existsSync(path.join(programs, name, "begun"))), { timeout: 20_000 })
      .toBe(true);
    await sweepFolders();
    expect(left()).toHaveLength(1);
    child.kill("SIGKILL");
    await ended;
    const others = [
      "openfedllm-code-ffffffff-999999999-abc",
      "openfedllm-data-abc",
      left()[0]!.replace(`-${child.pid}-`, `-${process.pid}-`),
    ];
    for (const other of others) mkdirSync(path.join(programs, other));
    writeFileSync(path.join(programs, left()[0]!.replace(/-[^-]*$/, "-file")), "");
    await sweepFolders();
    expect(left()).toEqual([expect.stringMatching(/-file$/)]);
    for (const other of [...others, ...left()]) {
      expect(existsSync(path.join(programs, other))).toBe(true);
      rmSync(path.join(programs, other), { recursive: true });
    }
  });
});

/** A Python that every user can read. */
const PYTHON = "/usr/bin/python3";

// Capabilities make root's rules different: the same must hold of an ordinary user.
test.runIf(LINUX && process.getuid!() === 0 && existsSync(PYTHON) && existsSync("/usr/bin/setpriv"))(
  "of another user the same limits hold, and nothing is left",
  { timeout: 60_000 },
  () => {
    const folder = path.join(scratch, "other");
    mkdirSync(folder);
    for (const [place, mode] of [
      [scratch, 0o755],
      [folder, 0o777],
    ] as const)
      chmodSync(place, mode);
    const code = `import { readFileSync } from "node:fs";
      import { openCodeRunner } from ${JSON.stringify(new URL("../../../dist/node/code/python-runner.js", import.meta.url))};
      const runner = await openCodeRunner({ python: ${JSON.stringify(PYTHON)} });
      const outcomes = [];
      for (const lines of ${JSON.stringify(LEFTOVERS.map(([, lines]) => lines))}) {
        outcomes.push((await runner.run(["import os", ...lines].join("\\n"), { timeoutSeconds: 30 })).outcome);
      }
      console.log(JSON.stringify({ limits: runner.limits, outcomes }));`;
    const said = execFileSync(
      "/usr/bin/setpriv",
      ["--reuid", "65534", "--regid", "65534", "--clear-groups", process.execPath, "--input-type=module", "-e", code],
      { cwd: "/", env: { PATH: process.env["PATH"], TMPDIR: folder, HOME: "/nonexistent" }, encoding: "utf8" },
    );
    expect(JSON.parse(said)).toEqual({ limits: runner.limits, outcomes: LEFTOVERS.map(() => "passed") });
    expect(readdirSync(folder)).toEqual([]);
  },
);
