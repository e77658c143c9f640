import { splitWords, trimEnd } from "../grading/python-text.ts";

/** sacreBLEU's names. */
export type BleuTokenizer = "13a" | "intl" | "none";

/** sacreBLEU's tokenizers: text → tokens. */
export const BLEU_TOKENIZERS: Readonly<Record<BleuTokenizer, (text: string) => string[]>> = {
  /** The tokens of mteval-v13a.pl, the default. */
  "13a": (text) => {
    const line = trimEnd(text)
      .replaceAll("<skipped>", "")
      .replaceAll("-\n", "")
      .replaceAll("\n", " ")
      .replaceAll("&quot;", '"')
      .replaceAll("&amp;", "&")
      .replaceAll("&lt;", "<")
      .replaceAll("&gt;", ">");
    return splitWords(
      ` ${line} `
        .replace(/[ -&(-+:-@/[-`{-~]/g, " $& ")
        // A full stop or a comma stays only between two digits, a hyphen wherever no digit is before it.
        .replace(/([^0-9])([.,])/gu, "$1 $2 ")
        .replace(/([.,])([^0-9])/gu, " $1 $2")
        .replace(/([0-9])-/g, "$1 - "),
    );
  },
  /** The tokens of mteval-v14.pl: Unicode punctuation, unless between numbers, and symbols stand alone. */
  intl: (text) =>
    splitWords(
      trimEnd(text)
        .replace(/(\P{N})(\p{P})/gu, "$1 $2 ")
        .replace(/(\p{P})(\P{N})/gu, " $1 $2")
        .replace(/\p{S}/gu, " $& "),
    ),
  /** Splits at white space only, for text that is tokens already. */
  none: splitWords,
};
