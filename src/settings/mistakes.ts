import { UserError } from "../diagnostics/user-error.ts";
import type { Origin } from "./apply-setting.ts";
import type { Problem } from "./explain.ts";

/** More are counted. */
const MOST_SHOWN = 20;

/**
 * Makes the error for the mistakes of a settings file. One is a sentence with a hint. Several are a list, in the order of
 * their places, each with a way to correct it.
 */
export function mistakesIn(where: string | Origin, problems: readonly Problem[], total: number): UserError {
  const origin: Origin = typeof where === "string" ? () => where : where;
  const [only] = problems;
  if (total === 1) {
    return new UserError("config", `${origin(only!.path, only!.part)}: ${only!.message}`, { hint: only!.hint });
  }
  const whole = origin(undefined);
  const lines = problems
    .slice(0, MOST_SHOWN)
    .map((problem) => ({ ...problem, place: placeWithin(whole, origin(problem.path, problem.part)) }))
    .sort((a, b) => lineOf(a.place) - lineOf(b.place))
    .map(
      ({ place, message, hint }) =>
        `  ${place === "" ? "" : `${place}: `}${message}${hint === undefined ? "" : `. ${hint}`}`,
    );
  const more = total - lines.length;
  return new UserError(
    "config",
    [`${whole} has ${total} mistakes`, ...lines, ...(more > 0 ? [`  … and ${more} more`] : [])].join("\n"),
    { hint: "`openfedllm run --help-all` lists all settings; docs/configuration.md describes them." },
  );
}

/** `line 3, column 5` for a place in the file; the flag for a setting of `--set`; nothing where only the file is known. */
function placeWithin(whole: string, origin: string): string {
  if (origin === whole || whole === `${origin} with --set`) return "";
  return /, (line \d+, column \d+)$/.exec(origin)?.[1] ?? origin;
}

function lineOf(place: string): number {
  const [, line, column] = /^line (\d+), column (\d+)$/.exec(place) ?? [];
  return line === undefined ? Number.MAX_SAFE_INTEGER : Number(line) * 1e6 + Number(column);
}
