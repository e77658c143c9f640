#!/usr/bin/env node
import { CommanderError } from "commander";
import { EXIT_CODES, UserError } from "../diagnostics/user-error.ts";
import { storageReason } from "../node/store/durable-file.ts";
import { describeFailure } from "./failure.ts";
import { outputTo } from "./output.ts";
import { createProgram } from "./program.ts";
import { VERSION } from "./work/software.ts";

const stdout = outputTo(process.stdout);
const stderr = outputTo(process.stderr);

const flags = process.argv.slice(2);
const debug = flags.includes("--debug");

function fail(error: unknown): void {
  const { lines, exitCode } = describeFailure(error, { style: stderr.style, debug });
  stderr.write(`${lines.join("\n")}\n`);
  process.exitCode = exitCode;
  // Work that takes no signal may still be under way.
  if (exitCode === EXIT_CODES.interrupted) process.stderr.write("", () => process.exit());
}

// A reader that closes the pipe (`| head`) is no error. The same command continues a run that this stops.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  fail(
    new UserError("storage", `the results cannot be written to stdout: ${storageReason(error)}`, {
      hint: "Free space at the destination of stdout, or choose another. Run the same command again to continue a run.",
      cause: error,
    }),
  );
  process.exit();
});
// An error here has no place to be shown.
process.stderr.on("error", () => {});

process.on("uncaughtException", (error) => {
  fail(error);
  process.exit();
});

const helpAll = flags.includes("--help-all");

try {
  const args = withHelp(flags);
  if (args.some((arg) => arg.startsWith("--plugin"))) {
    const { loadPlugins } = await import("./work/plugins.ts");
    await loadPlugins(args);
  }
  const program = await createProgram({ version: VERSION, args, context: { stdout, stderr }, helpAll });
  await program.parseAsync(args, { from: "user" });
} catch (error) {
  if (!(error instanceof CommanderError)) fail(error);
}

/** Rewrites all requests for help to the form that the program knows: `--help` after the command. */
function withHelp(given: readonly string[]): string[] {
  if (given.length === 0) return ["--help"];
  const [first, ...rest] = given.map((flag) => (flag === "--help-all" ? "--help" : flag));
  return first === "help" ? [...rest, "--help"] : [first!, ...rest];
}
