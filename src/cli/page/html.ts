import { escaped } from "../../study/svg.ts";

/** Text that is HTML already. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A part of a template: text, which is escaped, or markup. Undefined is nothing. */
export type Piece = Markup | string | number | undefined | readonly Piece[];

/** HTML with every text escaped, also inside attributes in double quotes. Lists are joined. */
export function markup(strings: TemplateStringsArray, ...pieces: readonly Piece[]): Markup {
  return new Markup(strings.map((part, i) => part + written(pieces[i])).join(""));
}

function written(piece: Piece): string {
  if (piece === undefined) return "";
  if (piece instanceof Markup) return piece.text;
  return typeof piece === "string" || typeof piece === "number" ? escaped(String(piece)) : piece.map(written).join("");
}
