import { styleText } from "node:util";

type Format = Parameters<typeof styleText>[0];

/** Colours text, or leaves it unchanged if colours are off. */
export type Style = (format: Format, text: string) => string;

export const plainStyle: Style = (_format, text) => text;

// `enabled` was decided for the stream in use; newer versions of Node would check stdout.
const colourStyle: Style = (format, text) => styleText(format, text, { validateStream: false });

/** One of the two streams a command writes to. */
export interface Output {
  write(text: string): void;
  readonly style: Style;
  /** True for a terminal that can redraw lines. */
  readonly live: boolean;
  /** Current columns; undefined if the stream is not a terminal. */
  columns(): number | undefined;
}

/** Variables of the environment, such as `process.env`. */
export type EnvironmentVariables = Readonly<Record<string, string | undefined>>;

/** True for a terminal, unless NO_COLOR (no-color.org) or FORCE_COLOR say otherwise. */
export function wantsColour(isTerminal: boolean, env: EnvironmentVariables): boolean {
  if (env["NO_COLOR"]) return false;
  const force = env["FORCE_COLOR"];
  if (force !== undefined) return force !== "0" && force !== "false";
  return isTerminal && env["TERM"] !== "dumb";
}

export function outputTo(stream: NodeJS.WriteStream, env: EnvironmentVariables = process.env): Output {
  const { isTTY } = stream;
  return {
    write(text) {
      stream.write(text);
    },
    style: wantsColour(isTTY, env) ? colourStyle : plainStyle,
    live: isTTY ? env["TERM"] !== "dumb" : false,
    columns: () => (isTTY ? stream.columns || 80 : undefined),
  };
}
