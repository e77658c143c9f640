import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { COMMANDS } from "../src/cli/program.ts";
import { EXIT_CODES } from "../src/diagnostics/user-error.ts";
import { cliIn } from "./support/cli.ts";

const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-completion-"));
const cli = cliIn(folder, { ...process.env, NO_COLOR: "1" });

const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];
const isThere = (shell: Shell): boolean => spawnSync(shell, ["-c", "true"]).status === 0;

/** A program of each shell that prints what Tab behind some words offers, a candidate a line. */
const ASK: Readonly<Record<Shell, (words: readonly string[]) => string>> = {
  bash: (words) => `source ./script.bash
    COMP_WORDS=(${words.map(quoted).join(" ")}); COMP_CWORD=${words.length - 1}; _openfedllm; printf '%s\\n' "\${COMPREPLY[@]}"`,
  // Outside of a line that is edited there are no builtins of completion.
  zsh: (words) => `compdef() { : }
    compset() { current="\${current#*=}" }
    compadd() { local each; while [[ $1 != -- ]] shift; shift; for each in "$@"; do [[ $each == $current* ]] && print -r -- $each; done }
    _files() { case "$1" in -/) print -l -- $current*(N/) ;; -g) print -l -- $current\${~2}(N) $current*(N/) ;; *) print -l -- $current*(N) ;; esac }
    source ./script.zsh
    words=(${words.map(quoted).join(" ")}); CURRENT=${words.length}; _openfedllm`,
  fish: (words) => `source ./script.fish; complete -C ${quoted(words.join(" "))}`,
};

function quoted(text: string): string {
  return `'${text}'`;
}

function offered(shell: Shell, ...words: string[]): string[] {
  const flags = shell === "bash" ? ["--norc"] : shell === "zsh" ? ["-f"] : ["--no-config"];
  const { stdout, stderr } = spawnSync(shell, [...flags, "-c", ASK[shell](["openfedllm", ...words])], {
    cwd: folder,
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  const each = stdout.split("\n").map((line) => line.split("\t")[0]!.replace(/\/$/, ""));
  return [...new Set(each.filter((line) => line !== ""))].sort();
}

beforeAll(() => {
  for (const shell of SHELLS) {
    const { status, stdout } = cli("completion", shell);
    expect(status).toBe(0);
    writeFileSync(path.join(folder, `script.${shell}`), stdout);
  }
  for (const name of ["runs/first", "runs/second", "data"]) mkdirSync(path.join(folder, name), { recursive: true });
  writeFileSync(path.join(folder, "runs/first/config.json"), "{}");
  writeFileSync(path.join(folder, "my.yaml"), "");
  writeFileSync(path.join(folder, "notes.txt"), "");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(SHELLS)("in %s", (shell) => {
  test.skipIf(!isThere(shell))(
    "commands, flags and their values, settings, run folders and files are completed",
    () => {
      const first = new Set(COMMANDS.map(({ name }) => name.split(" ")[0]!));
      expect(offered(shell, "")).toEqual([...first].sort());
      expect(offered(shell, "pl")).toEqual(["plan"]);
      expect(offered(shell, "federation", "")).toEqual(["init", "invite", "members", "purge", "revoke", "status"]);
      expect(offered(shell, "federation", "invite", "--exp")).toEqual(["--expires"]);
      expect(offered(shell, "run", "my.yaml", "--thr")).toEqual(["--threads"]);
      expect(offered(shell, "export", "runs/first", "--to", "gg")).toEqual(["gguf", "gguf-lora"]);
      expect(offered(shell, "completion", "")).toEqual(["bash", "fish", "zsh"]);
      expect(offered(shell, "run", "my.yaml", "--set", "federation.ag")).toEqual(["federation.aggregator="]);
      expect(offered(shell, "run", "m")).toEqual(["my.yaml"]);
      expect(offered(shell, "run", "my.yaml", "--plugin", "no")).toEqual(["notes.txt"]);
      expect(offered(shell, "report", "")).toEqual(expect.arrayContaining(["data", "runs"]));
      expect(offered(shell, "generate", "")).toEqual(expect.arrayContaining(["runs/first", "runs", "data"]));
      expect(offered(shell, "generate", "")).not.toContain("runs/second");
      // Of a number nothing can be guessed.
      expect(offered(shell, "run", "my.yaml", "--threads", "")).toEqual([]);
    },
  );
});

test.skipIf(!isThere("bash"))(
  "nothing of the line is run, and the script needs nothing of the shell's start-up",
  () => {
    expect(offered("bash", "run", "$(touch ran)", "--ou")).toEqual(["--out"]);
    expect(existsSync(path.join(folder, "ran"))).toBe(false);
    // As --flag=value, of which bash makes three words.
    expect(offered("bash", "export", "runs/first", "--to", "=", "me")).toEqual(["merged"]);
  },
);

test("another shell is refused", () => {
  const { status, stderr } = cli("completion", "csh");
  expect(status).toBe(EXIT_CODES.config);
  expect(stderr).toMatch(/'csh' is invalid .* bash, zsh, fish/);
  expect(cli("completion").status).toBe(EXIT_CODES.config);
});
