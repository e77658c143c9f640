import { isRow } from "../../data/row.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { openTokenizer, stopTokensOf } from "../../decode/base-tokenizer.ts";
import type { BaseModel } from "../../model/base-model.ts";
import type { GgufValue } from "./gguf-file.ts";
import { type BpeFiles, type GgufBpe, readBpe } from "./tokenizer-kind.ts";

/** llama_token_type */
const TOKEN_TYPES = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
}

/**
 * Writes a tokenizer as GGUF's metadata: tokens with their kinds, merges or scores, special tokens, the chat template.
 *
 * @throws UserError of kind `model` for a tokenizer that llama.cpp would read in another way than transformers does.
 */
export function tokenizerMetadata(
  base: Pick<BaseModel, "name" | "modelConfig" | "tokenizerFiles">,
): Map<string, GgufValue> {
  const refuse = (problem: string): UserError =>
    new UserError("model", `the tokenizer of ${base.name} cannot be written as GGUF: ${problem}`, {
      hint: "Export with --to merged; or with --to gguf-lora, which needs no tokenizer, for a GGUF file of the base.",
    });
  const json = base.tokenizerFiles.tokenizer as unknown as BpeFiles;
  const kind = readBpe(json, refuse);
  const added = addedTokens(json, refuse);
  const tokenizer = openTokenizer(base);
  const { prefix, bos, pad, chatTemplate } = tokenizer;
  const addsBos = prefix.length === 1 && prefix[0] === bos?.id;
  if (prefix.length > 0 && !addsBos) throw refuse("it puts other tokens than BOS before a text");
  const stops = [...stopTokensOf(base, tokenizer)];
  const eos = tokenizer.eos?.id ?? stops[0];
  // llama.cpp would take token 11 or 2 for it.
  if (eos === undefined) throw refuse("it has no token that ends a text");
  const turnEnd = stops.find((id) => id !== eos);

  const metadata = new Map<string, GgufValue>([
    ["tokenizer.ggml.model", { string: kind.model }],
    ["tokenizer.ggml.pre", { string: kind.pre }],
  ]);
  for (const [key, value] of tokenLists(kind, added, base.modelConfig.vocabSize)) metadata.set(key, value);
  if (bos !== undefined) metadata.set("tokenizer.ggml.bos_token_id", { uint32: bos.id });
  metadata.set("tokenizer.ggml.eos_token_id", { uint32: eos });
  if (turnEnd !== undefined) metadata.set("tokenizer.ggml.eot_token_id", { uint32: turnEnd });
  if (kind.unknown !== undefined) metadata.set("tokenizer.ggml.unknown_token_id", { uint32: kind.unknown });
  if (pad !== undefined) metadata.set("tokenizer.ggml.padding_token_id", { uint32: pad.id });
  metadata.set("tokenizer.ggml.add_bos_token", { bool: addsBos });
  metadata.set("tokenizer.ggml.add_eos_token", { bool: false });
  if (kind.model === "llama") metadata.set("tokenizer.ggml.add_space_prefix", { bool: kind.addsSpace });
  if (chatTemplate !== undefined) metadata.set("tokenizer.chat_template", { string: chatTemplate });
  return metadata;
}

function addedTokens(json: BpeFiles, refuse: (problem: string) => UserError): AddedToken[] {
  const listed: readonly unknown[] = Array.isArray(json.added_tokens) ? json.added_tokens : [];
  return listed.filter(isRow).map((token) => {
    const content = String(token["content"]);
    for (const flag of ["lstrip", "rstrip", "single_word"]) {
      if (token[flag] === true) throw refuse(`its token ${JSON.stringify(content)} has ${flag}, which GGUF has not`);
    }
    return { id: token["id"] as number, content, special: token["special"] === true };
  });
}

function* tokenLists(
  kind: GgufBpe,
  added: readonly AddedToken[],
  vocabSize: number,
): Generator<readonly [string, GgufValue]> {
  const tokens = Array.from({ length: vocabSize }, (_, id) => `[PAD${id}]`);
  const types = Array<number>(vocabSize).fill(TOKEN_TYPES.unused);
  for (const [token, id] of kind.vocabulary) {
    tokens[id] = token;
    const isByte = kind.model === "llama" && /^<0x[0-9A-F]{2}>$/.test(token);
    types[id] = isByte ? TOKEN_TYPES.byte : id === kind.unknown ? TOKEN_TYPES.unknown : TOKEN_TYPES.normal;
  }
  for (const { id, content, special } of added) {
    tokens[id] = content;
    if (types[id] !== TOKEN_TYPES.unknown) types[id] = special ? TOKEN_TYPES.control : TOKEN_TYPES.userDefined;
  }
  yield ["tokenizer.ggml.tokens", { strings: tokens }];
  if (kind.model === "gpt2") yield ["tokenizer.ggml.merges", { strings: kind.merges.map((pair) => pair.join(" ")) }];
  else yield ["tokenizer.ggml.scores", { float32s: scoresOf(kind, tokens) }];
  yield ["tokenizer.ggml.token_type", { int32s: types }];
}

/** SentencePiece merges the pair of the highest score first; the order of the merges is all that counts. */
function scoresOf({ merges }: GgufBpe, tokens: readonly string[]): number[] {
  const first = new Map<string, number>();
  merges.forEach(([left, right], i) => {
    const joined = left + right;
    if (!first.has(joined)) first.set(joined, i);
  });
  return tokens.map((token) => {
    const rank = first.get(token);
    // The score of a token that no merge makes is never compared.
    return rank === undefined ? 0 : -rank;
  });
}
