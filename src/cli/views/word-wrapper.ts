import { textWidth, wrap } from "./text-width.ts";

/** Text that comes in pieces, broken at spaces into lines of at most so many columns. */
export interface WordWrapper {
  /** What a piece adds. A word that may still grow is held back. */
  add(piece: string): string;
  /** The word that was held back. */
  end(): string;
}

export function wordWrapper(width: number): WordWrapper {
  let line = "";
  let word = "";
  /** Writes a word, on the next line where it does not fit. Only a word wider than a line is broken. */
  const place = (text: string): string => {
    const breaks = line !== "" && textWidth(line) + textWidth(text) > width;
    if (breaks) line = "";
    const [first = "", ...others] = wrap(text, width);
    line = others.at(-1) ?? line + first;
    return (breaks ? "\n" : "") + [first, ...others].join("\n");
  };
  return {
    add(piece) {
      let written = "";
      for (const part of piece.split(/([ \n])/)) {
        if (part !== " " && part !== "\n") {
          word += part;
          // A text without spaces is written as it fills lines.
          if (textWidth(word) <= width) continue;
          written += place(word);
          word = "";
          continue;
        }
        if (word !== "") written += place(word);
        word = "";
        if (part === "\n") line = "";
        // A space at the end of a line would begin the next.
        else if (textWidth(line) === width) continue;
        else line += part;
        written += part;
      }
      return written;
    },
    end() {
      const rest = word === "" ? "" : place(word);
      word = "";
      return rest;
    },
  };
}
