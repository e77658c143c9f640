import type { Tokenizer } from "../../src/data/tokenizer.ts";
import { TextGenerator } from "../../src/decode/text-generator.ts";
import type { ScriptedDecoder } from "./scripted-decoder.ts";

const bytes = new TextEncoder();

/** One token a byte: characters beyond ASCII take several. */
const byteTokenizer: Tokenizer = {
  vocabularySize: 256,
  bos: undefined,
  eos: undefined,
  pad: undefined,
  prefix: [],
  chatTemplate: undefined,
  toolTemplate: undefined,
  specialTokens: {},
  encode: (text) => [...bytes.encode(text)],
  encodeSupervised: () => {
    throw new Error("a scripted model is not trained");
  },
  decode: (ids) => new TextDecoder().decode(Uint8Array.from(ids)),
};

/** A scripted model that answers until its token 0. */
export function scriptedGenerator(decoder: ScriptedDecoder): TextGenerator {
  const stopTokens = new Set([0]);
  return new TextGenerator({ decoder, adapter: new Map(), tokenizer: byteTokenizer, stopTokens, template: "none" });
}
