import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { CodeRunner } from "../../evaluation/code-runner.ts";
import { findLimits } from "./code-limits.ts";
import { openCodeRunner } from "./python-runner.ts";
import { runConfined } from "./confined-run.ts";

// Programs get their folders here, so that what stays behind is seen.
const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-runner-test-"));
process.env["TMPDIR"] = folder;
const MEGABYTE = 2 ** 20;
let runner: CodeRunner;

beforeAll(async () => {
  runner = await openCodeRunner({ memoryBytes: 128 * MEGABYTE, fileBytes: MEGABYTE });
});
afterEach(() => expect(readdirSync(folder)).toEqual([]));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (...lines: string[]) => runner.run(lines.join("\n"));
/** Where the rules of Linux hold; elsewhere the findings are only compared with what programs can do. */
const LINUX = process.platform === "linux" && ["x64", "arm64"].includes(process.arch);

describe("a program", () => {
  test("passes when its last line was reached", async () => {
    expect(await run("import heapq, math, re", "assert math.comb(5, 2) == 10")).toEqual({
      outcome: "passed",
      detail: "",
    });
  });

  test("fails with its exception, at its line", async () => {
    const { outcome, detail } = await run("def half(n):", "    return n // 2", "", "assert half(9) == 4.5, 'rounded'");
    expect(outcome).toBe("failed");
    expect(detail).toContain('File "program.py", line 4, in <module>\n    assert half(9) == 4.5');
    expect(detail).toContain("AssertionError: rounded");
    expect(detail).not.toContain("launch");
  });

  test.each(["def half(n:", "  indented()", "x = '\u0000'", "x = '\ud800'"])(
    "fails where it is no Python: %j",
    async (program) => {
      expect(await runner.run(program)).toMatchObject({ outcome: "failed", detail: expect.stringMatching(/Error/) });
    },
  );

  test.each([
    "import sys; sys.exit(0)",
    "import os; os._exit(0)",
    "raise SystemExit",
    "import os; os.kill(os.getpid(), 9)",
    "import os; os.write(3, b'passed\\n'); print('passed'); os._exit(0)",
    "import os; os.closerange(0, 64); os._exit(0)",
  ])("that leaves before its last line fails: %s", async (leave) => {
    expect(await run(leave, "assert False")).toMatchObject({ outcome: "failed" });
  });

  test("finds the library, threads, its own folder, words in any language; not us, not site packages, no input", async () => {
    const { outcome, detail } = await run(
      "import asyncio, dataclasses, os, sys, threading, typing",
      "@dataclasses.dataclass",
      "class Crate:",
      "    apples: 'int'",
      "assert typing.get_type_hints(Crate) == {'apples': int}",
      "seen = []",
      "thread = threading.Thread(target=seen.append, args=(Crate(3),))",
      "thread.start(); thread.join()",
      "assert seen == [Crate(3)]",
      "asyncio.run(asyncio.sleep(0))",
      "open('note.txt', 'w').write('Grüße, 世界')",
      "assert open('note.txt').read() == 'Grüße, 世界' and os.listdir() == ['note.txt']",
      "assert os.path.expanduser('~') == os.getcwd()",
      "assert not any('site-packages' in place for place in sys.path)",
      "assert 'launch' not in globals() and 'json' not in globals() and __name__ != '__main__'",
      "try:",
      "    input()",
      "except EOFError:",
      "    print('no input, 世界')",
    );
    expect({ outcome, detail }).toEqual({ outcome: "passed", detail: "no input, 世界" });
  });

  test("orders sets of words alike every time", async () => {
    const once = await run("print({'plum', 'pear', 'fig', 'quince', 'apple', 'cherry'})");
    expect(await run("print({'plum', 'pear', 'fig', 'quince', 'apple', 'cherry'})")).toEqual(once);
  });

  test("keeps no more than the end of what it writes, and is stopped where that has no end", async () => {
    const long = await run("print('x' * 100_000)", "print('the end')");
    expect(long.outcome).toBe("passed");
    expect(long.detail.length).toBeLessThanOrEqual(4096);
    expect(long.detail).toMatch(/x\nthe end$/);
    const flood = await run("while True: print('x' * 1000)");
    expect(flood.outcome).toBe("limit");
    expect(flood.detail).toMatch(/wrote more than 8 MB$/);
  });

  test("leaves nothing behind, even from locked folders", async () => {
    expect(
      await run(
        "import os",
        "os.makedirs('a/b')",
        "open('a/b/c', 'w').close()",
        "os.chmod('a/b', 0)",
        "os.chmod('a', 0)",
      ),
    ).toMatchObject({ outcome: "passed" });
  });
});

describe("limits", () => {
  test("are all tried, and on Linux they hold", () => {
    const findings = Object.entries(runner.limits);
    const open = findings.filter(([, { held }]) => !held);
    expect(findings).toHaveLength(7);
    expect(open.filter(([, { why }]) => why === undefined)).toEqual([]);
    // The files' rules depend on how the kernel was made.
    expect(LINUX ? open.filter(([name]) => name !== "files") : []).toEqual([]);
  });

  test.each([
    ["a loop", "while True: pass"],
    [
      "a loop that catches everything",
      "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    ],
    ["sleep", "import time; time.sleep(1000)"],
    ["a loop in C", "sum(range(10 ** 14))"],
    ["deaf to signals", "import signal\nfor s in (15, 24, 14): signal.signal(s, signal.SIG_IGN)\nwhile True: pass"],
  ])("time: %s", async (_, program) => {
    expect(await runner.run(program, { timeoutSeconds: 0.3 })).toEqual({
      outcome: "timed-out",
      detail: "it did not end within 0.3 s",
    });
  });

  test("memory", async () => {
    const { outcome, detail } = await run("held = []", "for _ in range(60): held.append(bytearray(4_000_000))");
    expect(outcome).toBe(runner.limits.memory.held ? "limit" : "passed");
    if (outcome === "limit") expect(detail).toMatch(/it reached a limit: memory$/);
  });

  test("file size", async () => {
    const { outcome, detail } = await run("file = open('big', 'wb')", "while True: file.write(bytes(100_000))");
    expect({ outcome, last: detail.split("\n").at(-1) }).toEqual({
      outcome: "limit",
      last: "it reached a limit: file size",
    });
  });

  test("processes", async () => {
    const { outcome, detail } = await run("import os", "for _ in range(4): os.fork()");
    expect(outcome).toBe(runner.limits.processes.held ? "limit" : "passed");
    if (outcome === "limit") expect(detail).toMatch(/it reached a limit: processes$/);
    const started = await run("import subprocess", "subprocess.run(['true'], check=True)");
    expect(started.outcome).toBe(runner.limits.processes.held ? "limit" : "passed");
  });

  test("network", async () => {
    let reached = 0;
    const server = createServer((socket) => {
      reached++;
      socket.destroy();
    });
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const { outcome } = await run("import socket", `socket.create_connection(('127.0.0.1', ${port}))`);
    server.close();
    expect({ outcome, reached }).toEqual(
      runner.limits.network.held ? { outcome: "failed", reached: 0 } : { outcome: "passed", reached: 1 },
    );
  });

  test("files", async () => {
    const outside = mkdtempSync(path.join(process.cwd(), "node_modules/.outside-"));
    try {
      const kept = path.join(outside, "kept.txt");
      writeFileSync(kept, "kept");
      const expected = runner.limits.files.held ? "failed" : "passed";
      for (const deed of ["open(kept).read()", "os.remove(kept)", "os.mkdir(kept + '-new')"]) {
        expect(await run("import os", `kept = ${JSON.stringify(kept)}`, deed)).toMatchObject({ outcome: expected });
      }
    } finally {
      rmSync(outside, { recursive: true });
    }
  });

  test("secrets: not in its environment, nor in ours", async () => {
    process.env["HF_TOKEN"] = "hf_secret";
    try {
      const { detail } = await run("import os", "print(sorted(os.environ))");
      expect(detail).not.toMatch(/TOKEN|KEY|SECRET/);
      const parent = await run("import os", "print(open(f'/proc/{os.getppid()}/environ').read())");
      expect(parent.detail.includes("hf_secret")).toBe(process.platform === "linux" && !runner.limits.files.held);
    } finally {
      delete process.env["HF_TOKEN"];
    }
  });

  test("many at once", async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 12 }, async (_, i) => (await runner.run(`assert ${i} % 3 > 0`)).outcome),
    );
    expect(outcomes).toEqual(Array.from({ length: 12 }, (_, i) => (i % 3 > 0 ? "passed" : "failed")));
  });

  test("abort", async () => {
    const abort = new AbortController();
    const running = runner.run("while True: pass", { signal: abort.signal });
    setTimeout(() => abort.abort(new Error("enough")), 200);
    await expect(running).rejects.toThrow("enough");
    await expect(runner.run("pass", { signal: abort.signal })).rejects.toThrow("enough");
  });
});

describe("without the rules of Linux", () => {
  const bare = (program: string, timeoutSeconds = 20) =>
    runConfined(
      program,
      { python: "python3", memoryBytes: 128 * MEGABYTE, fileBytes: MEGABYTE, kernelRules: false },
      { timeoutSeconds },
    );

  test("what does not hold is found not to", async () => {
    const limits = await findLimits({ memoryBytes: 128 * MEGABYTE, fileBytes: MEGABYTE, run: bare });
    expect(limits.time).toEqual({ held: true });
    expect(limits.fileSize).toEqual({ held: true });
    expect(limits.network).toEqual({ held: false, why: "a program reached a port of this machine" });
    expect(limits.files).toEqual({ held: false, why: "a program read a file outside its folder" });
    expect(limits.signals).toEqual({ held: false, why: "a program could have stopped this one" });
  });

  test("what a program started and left behind is killed", async () => {
    // The socket closes when the one behind it is gone.
    const server = createServer();
    await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
    const gone = new Promise<void>((resolve) => {
      server.on("connection", (socket) =>
        socket
          .on("error", () => {})
          .on("close", resolve)
          .write("go"),
      );
    });
    const { outcome } = await bare(
      [
        "import os, socket, time",
        "line = socket.create_connection(('127.0.0.1', " + String((server.address() as AddressInfo).port) + "))",
        "line.recv(2)",
        "if os.fork() == 0:",
        "    time.sleep(1000)",
      ].join("\n"),
    );
    // Only root may still start processes.
    expect(outcome).toBe(process.getuid!() === 0 ? "passed" : "limit");
    await gone;
    server.close();
  });
});

describe("Python", () => {
  test.each([
    [path.join(folder, "nowhere/python3"), "there is no such program"],
    [process.execPath, "it does not run as Python 3 does"],
  ])("%s cannot be used", async (python, why) => {
    await expect(openCodeRunner({ python })).rejects.toThrow(
      `generated code needs Python 3, and ${python} cannot be used: ${why}`,
    );
  });
});
