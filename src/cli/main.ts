#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { CommanderError } from "commander";
import { EXIT_CODES, UserError } from "../diagnostics/user-error.ts";
import { storageReason } from "../node/store/durable-file.ts";
import { describeFailure } from "./failure.ts";
import { outputTo } from "./output.ts";
import { createProgram } from "./program.ts";

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

// A reader that has seen enough (`| head`) is no error; a run that is cut off so goes on when typed again.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  fail(
    new UserError("storage", `the results cannot be written to stdout: ${storageReason(error)}`, {
      hint: "Make room where stdout goes, or send it elsewhere. A run goes on when its command is typed again.",
      cause: error,
    }),
  );
  process.exit();
});
// Nobody left to tell.
process.stderr.on("error", () => {});

process.on("uncaughtException", (error) => {
  fail(error);
  process.exit();
});

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};
const helpAll = flags.includes("--help-all");
const given = flags.length === 0 ? ["--help"] : flags.map((flag) => (flag === "--help-all" ? "--help" : flag));

try {
  await createProgram({ version, context: { stdout, stderr }, helpAll }).parseAsync(given, { from: "user" });
} catch (error) {
  if (!(error instanceof CommanderError)) fail(error);
}
