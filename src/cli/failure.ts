import { inspect } from "node:util";
import { excerpt } from "../diagnostics/excerpt.ts";
import { EXIT_CODES, UserError } from "../diagnostics/user-error.ts";
import type { Style } from "./output.ts";
import { printable } from "./views/text-width.ts";

export interface FailureText {
  readonly lines: readonly string[];
  readonly exitCode: number;
}

/** Patterns of credentials that a message could contain: access tokens, seeds of keys, invitations, bearer headers, passwords in
 * addresses. */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/\b(hf_|sk-|gh[pousr]_|glpat-)[\w-]{8,}/g, "$1…"],
  [/\b(S[AOU])[A-Z2-7]{40,}/g, "$1…"],
  [/(openfedllm-invite:)[\w-]+/g, "$1…"],
  [/\b(bearer\s+)[\w.~+/=-]{8,}/gi, "$1…"],
  [/:\/\/[^\s/:@]+:[^\s/@]+@/g, "://…@"],
];

export function withoutSecrets(text: string): string {
  return SECRETS.reduce((left, [shape, replacement]) => left.replaceAll(shape, replacement), text);
}

/** A message quotes input, which may be a megabyte. */
const MOST_CHARACTERS = 4000;

/** The text of a failed command for stderr, and its exit code. */
export function describeFailure(thrown: unknown, { style, debug }: { style: Style; debug: boolean }): FailureText {
  const error = asUserError(thrown);
  const trace = debug ? [withoutSecrets(inspect(thrown))] : [];
  const label = style(["bold", "red"], "error:");
  if (!(error instanceof UserError)) {
    const { name, message } = thrown instanceof Error ? thrown : { name: "thrown", message: String(thrown) };
    const what = `${name}: ${textOf(message).split("\n")[0]}`;
    const hint = `${style("cyan", "hint:")} This is a defect in openfedllm. The same command with --debug shows where it happened.`;
    return { lines: [`${label} ${what}`, ...(debug ? trace : [hint])], exitCode: EXIT_CODES.internal };
  }
  const sentence = textOf(error.message);
  const hint = error.hint === undefined ? [] : [`${style("cyan", "hint:")} ${textOf(error.hint)}`];
  const first = error.kind === "interrupted" ? sentence : `${label} ${sentence}`;
  return { lines: [first, ...hint, ...trace], exitCode: EXIT_CODES[error.kind] };
}

function textOf(message: string): string {
  return printable(withoutSecrets(excerpt(message, MOST_CHARACTERS)));
}

function asUserError(thrown: unknown): unknown {
  const aborted = thrown instanceof Error && thrown.name === "AbortError";
  return aborted ? new UserError("interrupted", "Stopped.", { cause: thrown }) : thrown;
}
