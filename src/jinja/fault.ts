/**
 * Why a template ended without a text. `raised`: by its own `raise_exception`. `error`: Jinja ends there too. `refused`:
 * Python would go on, and this interpreter cannot do the same. `limit`: too much work.
 */
export type FaultKind = "raised" | "error" | "refused" | "limit";

/** The end of a rendering. `line` is the line of the template, from 1. */
export class TemplateFault extends Error {
  readonly kind: FaultKind;
  line: number | undefined;

  constructor(kind: FaultKind, message: string, line?: number) {
    super(message);
    this.name = "TemplateFault";
    this.kind = kind;
    this.line = line;
  }
}

/** Ends as Jinja or Python ends. */
export function fail(message: string): never {
  throw new TemplateFault("error", message);
}

/** Ends where Python would go on: better no text than another one. */
export function refuse(what: string): never {
  throw new TemplateFault("refused", `${what} is not supported`);
}
