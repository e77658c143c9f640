import { isRow } from "../../data/row.ts";
import type { UserError } from "../../diagnostics/user-error.ts";

/** The parts of `tokenizer.json` that decide how llama.cpp must read it. */
export interface BpeFiles {
  readonly model: Readonly<Record<string, unknown>>;
  readonly normalizer?: unknown;
  readonly pre_tokenizer?: unknown;
  readonly added_tokens?: unknown;
}

/** A byte-pair tokenizer as llama.cpp knows it. */
export interface GgufBpe {
  /** `gpt2`: bytes as letters, with a rule that cuts words. `llama`: SentencePiece's pieces, with tokens for single bytes. */
  readonly model: "gpt2" | "llama";
  /** The rule that cuts words, by llama.cpp's name. */
  readonly pre: string;
  readonly vocabulary: readonly (readonly [string, number])[];
  readonly merges: readonly (readonly [string, string])[];
  readonly unknown: number | undefined;
  /** Of `llama`: a space is put before a text. */
  readonly addsSpace: boolean;
}

type Refuse = (problem: string) => UserError;
type Json = Readonly<Record<string, unknown>>;

const TAIL = String.raw`| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const HEAD = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|`;

/** Regular expressions that cut words, with llama.cpp's name for the same rule. */
const WORD_RULES: ReadonlyMap<string, string> = new Map([
  [`${HEAD}${String.raw`\p{N}`}${TAIL}`, "qwen2"],
  [`${HEAD}${String.raw`\p{N}{1,3}`}${TAIL}`, "llama-bpe"],
]);

/** @throws UserError, by `refuse`, for a tokenizer of which llama.cpp has no equal. */
export function readBpe(json: BpeFiles, refuse: Refuse): GgufBpe {
  const { model } = json;
  if (model["type"] !== "BPE") throw refuse(`its kind is ${JSON.stringify(model["type"])}, and only BPE can`);
  if (model["dropout"]) throw refuse("it drops merges at random");
  const vocabulary = Object.entries(model["vocab"] as Readonly<Record<string, number>>);
  const merges = (model["merges"] as readonly (string | readonly [string, string])[]).map(pairOf);
  const unknownToken = model["unk_token"];
  const unknown =
    typeof unknownToken === "string" ? vocabulary.find(([token]) => token === unknownToken)?.[1] : undefined;
  const shared = { vocabulary, merges, unknown };
  if (model["byte_fallback"] === true) {
    return { ...shared, model: "llama", pre: "default", addsSpace: addsSpace(json, refuse) };
  }
  const pre = wordRule(json, refuse);
  const ignores = model["ignore_merges"] === true;
  if (ignores !== (pre === "llama-bpe")) {
    throw refuse(`ignore_merges is ${ignores}, and llama.cpp has it for ${JSON.stringify(pre)} the other way`);
  }
  if (merges.some(([left, right]) => left.includes(" ") || right.includes(" "))) throw refuse("a merge has a space");
  return { ...shared, model: "gpt2", pre, addsSpace: false };
}

/** `"Ġ t"` of older files, or `["Ġ", "t"]`. */
function pairOf(merge: string | readonly [string, string]): readonly [string, string] {
  if (typeof merge !== "string") return merge;
  const at = merge.indexOf(" ", 1);
  return [merge.slice(0, at), merge.slice(at + 1)];
}

/** The steps of a `Sequence`, or the one step that there is. */
function steps(value: unknown, list: string): Json[] {
  if (!isRow(value)) return [];
  const inner = value[list];
  return value["type"] === "Sequence" && Array.isArray(inner) ? inner.flatMap((step) => steps(step, list)) : [value];
}

/** Names the rule that cuts words before byte-level merges. */
function wordRule({ normalizer, pre_tokenizer: before }: BpeFiles, refuse: Refuse): string {
  for (const { type } of steps(normalizer, "normalizers")) {
    // llama.cpp does not compose characters either; a text in another form than NFC is rare, and is noted.
    if (type !== "NFC") throw refuse(`it normalises texts (${String(type)})`);
  }
  const cutting = steps(before, "pretokenizers");
  const byteLevel = cutting.at(-1);
  if (byteLevel?.["type"] !== "ByteLevel") throw refuse("it is neither byte-level BPE nor BPE with byte fallback");
  if (byteLevel["add_prefix_space"] === true) throw refuse("it puts a space before a text (add_prefix_space)");
  const usesOwn = byteLevel["use_regex"] !== false;
  const [first, ...more] = cutting.slice(0, -1);
  if (first === undefined && usesOwn) return "gpt-2";
  if (more.length === 0 && first?.["type"] === "Digits" && first["individual_digits"] === true && usesOwn)
    return "smollm";
  const pattern = isRow(first?.["pattern"]) ? first["pattern"]["Regex"] : undefined;
  const known = typeof pattern === "string" ? WORD_RULES.get(pattern) : undefined;
  const plain = first?.["behavior"] === "Isolated" && first["invert"] !== true;
  if (more.length === 0 && known !== undefined && plain && !usesOwn) return known;
  throw refuse("its rule that cuts words (pre_tokenizer) is none of those that llama.cpp knows by name");
}

/** Tells if a SentencePiece tokenizer puts a space before a text. */
function addsSpace({ normalizer, pre_tokenizer: before }: BpeFiles, refuse: Refuse): boolean {
  let adds = false;
  for (const step of steps(normalizer, "normalizers")) {
    if (step["type"] === "Prepend" && step["prepend"] === "▁") adds = true;
    else if (step["type"] === "Replace" && step["content"] === "▁") continue;
    else throw refuse(`it normalises texts (${String(step["type"])})`);
  }
  for (const step of steps(before, "pretokenizers")) {
    // Cuts that change nothing: no token goes beyond a space but at its start.
    if (step["type"] === "Split" && step["behavior"] === "MergedWithPrevious") continue;
    if (step["type"] !== "Metaspace") throw refuse(`it cuts words (${String(step["type"])})`);
    const scheme = step["prepend_scheme"] ?? "always";
    if (scheme === "first")
      throw refuse('it puts a space before the first part of a text only (prepend_scheme "first")');
    if (scheme === "always") adds = true;
  }
  return adds;
}
