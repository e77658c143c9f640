import { withAddedTokens } from "./added-tokens.ts";
import { shownJson } from "../diagnostics/shown.ts";
import { UserError } from "../diagnostics/user-error.ts";
import { openLibraryTokenizer, type LibraryTokenizer } from "./huggingface.ts";
import { isRow } from "./row.ts";
import { supervisedByPrefix, supervisedBySurface, surfaceReader, type Span } from "./token-spans.ts";

export interface SpecialToken {
  readonly id: number;
  readonly text: string;
}

/** Text to token ids and back, for one model. */
export interface Tokenizer {
  /** The largest id + 1: the smallest number of rows of an embedding. */
  readonly vocabularySize: number;
  readonly bos: SpecialToken | undefined;
  readonly eos: SpecialToken | undefined;
  readonly pad: SpecialToken | undefined;
  /** The tokens that the tokenizer itself puts before a text: BOS, or nothing. */
  readonly prefix: readonly number[];
  /** The model's chat template (Jinja): the only one, or the one named `default`. */
  readonly chatTemplate: string | undefined;
  /** The one named `tool_use`, for conversations with tools. */
  readonly toolTemplate: string | undefined;
  /** Every special token that `tokenizer_config.json` names, by its name there: what chat templates see. */
  readonly specialTokens: Readonly<Record<string, string>>;
  /** Encodes a text; text that spells a special token becomes that token. Neither `prefix` nor EOS is added. */
  encode(text: string): number[];
  /**
   * Encodes a text; `supervised` is true for a token that holds any character of `spans` (ascending, apart). Of a text that is
   * far longer than `mostTokens` only a beginning is encoded: the result then has more than `mostTokens` tokens, and the
   * first ones are those of the whole text.
   */
  encodeSupervised(text: string, spans: readonly Span[], mostTokens?: number): { ids: number[]; supervised: boolean[] };
  decode(ids: Iterable<number>, options?: { readonly skipSpecial?: boolean }): string;
}

/** The parsed files that define a tokenizer. */
export interface TokenizerDefinition {
  /** `tokenizer.json` */
  readonly tokenizer: unknown;
  /** `tokenizer_config.json`. It names BOS, EOS and PAD and may hold the chat template. */
  readonly config?: unknown;
  /** `config.json` of the model: its `eos_token_id` and similar keys count where `config` names no token. */
  readonly model?: unknown;
  /** `chat_template.jinja`; it and `toolTemplate` win over the templates in `config`. */
  readonly chatTemplate?: string | undefined;
  /** `additional_chat_templates/tool_use.jinja` */
  readonly toolTemplate?: string | undefined;
}

/** Most tokens have far fewer characters; where they have more, more of the text is encoded. */
const CHARACTERS_PER_TOKEN = 64;
/** The last tokens of a text that is cut may be other ones in the whole text. */
const LAST_TOKENS = 64;

/** Opens a tokenizer. @throws UserError("model") for a tokenizer.json that the library does not know. */
export function createTokenizer(definition: TokenizerDefinition): Tokenizer {
  const config = isRow(definition.config) ? definition.config : {};
  const model = isRow(definition.model) ? definition.model : {};
  const tokenizerJson = withAddedTokens(definition.tokenizer, config);
  let inner: LibraryTokenizer;
  try {
    inner = openLibraryTokenizer(tokenizerJson, config);
  } catch (cause) {
    throw new UserError("model", `the tokenizer cannot be used (${(cause as Error).message})`, {
      hint: "Copy tokenizer.json and tokenizer_config.json of the model again.",
      cause,
    });
  }
  const plain = (text: string): { ids: number[]; tokens: string[] } =>
    inner.encode(text, { add_special_tokens: false });
  const readSurfaces = surfaceReader(tokenizerJson, inner);
  const special = (name: "bos" | "eos" | "pad"): SpecialToken | undefined => {
    const named = config[`${name}_token`];
    const text = isRow(named) ? named["content"] : named;
    if (typeof text === "string") {
      const id = inner.token_to_id(text);
      if (id !== undefined) return { id, text };
    }
    // An explicit null in tokenizer_config.json says that there is none.
    if (named === null) return undefined;
    const ids = model[`${name}_token_id`];
    const id = Array.isArray(ids) ? ids[0] : ids;
    const token = typeof id === "number" ? inner.id_to_token(id) : undefined;
    return token === undefined ? undefined : { id: id as number, text: token };
  };

  const encodeWhole: Tokenizer["encodeSupervised"] = (text, spans) => {
    const { ids, tokens } = plain(text);
    const supervised = supervisedBySurface(text, spans, readSurfaces(text, tokens));
    return { ids, supervised: supervised ?? supervisedByPrefix(text, spans, ids, (prefix) => plain(prefix).ids) };
  };
  for (const id of idsOf(definition.tokenizer)) {
    if (Number.isSafeInteger(id) && (id as number) >= 0) continue;
    const message = `the tokenizer has a token with the id ${shownJson(id)}, expected a whole number from 0 on`;
    throw new UserError("model", message, {
      hint: "Copy tokenizer.json and tokenizer_config.json of the model again.",
    });
  }
  return {
    vocabularySize: [...inner.get_vocab().values()].reduce((largest, id) => Math.max(largest, id), -1) + 1,
    bos: special("bos"),
    eos: special("eos"),
    pad: special("pad"),
    prefix: prefixOf(inner),
    ...templatesOf(definition, config["chat_template"]),
    specialTokens: namedTokens(config),
    encode: (text) => plain(text).ids,
    encodeSupervised(text, spans, mostTokens = Infinity) {
      for (let length = CHARACTERS_PER_TOKEN * (mostTokens + LAST_TOKENS); length < text.length; length *= 4) {
        const start = text.slice(0, length);
        const within = spans.map(({ start: from, end }) => ({
          start: Math.min(from, length),
          end: Math.min(end, length),
        }));
        const encoded = encodeWhole(start, within);
        if (encoded.ids.length > mostTokens + LAST_TOKENS) return encoded;
      }
      return encodeWhole(text, spans);
    },
    decode(ids, { skipSpecial = false } = {}) {
      const list = [...ids];
      if (list.length === 0) return "";
      return inner.decode(list, { skip_special_tokens: skipSpecial, clean_up_tokenization_spaces: false });
    },
  };
}

/** The ids of `tokenizer.json` as they stand there: the library leaves out those that it cannot hold. */
function idsOf(tokenizer: unknown): unknown[] {
  const { model, added_tokens: added } = isRow(tokenizer) ? tokenizer : {};
  const vocabulary = isRow(model) ? model["vocab"] : undefined;
  return [
    ...(isRow(vocabulary) ? Object.values(vocabulary) : []),
    ...(Array.isArray(added) ? added.map((token: unknown) => (isRow(token) ? token["id"] : token)) : []),
  ];
}

/**
 * Limits a tokenizer to the rows of an embedding. It may have further tokens, such as a `<pad>` that was never trained: only
 * a text that holds one is refused. Encoding throws a UserError("data") that names the token.
 *
 * @throws UserError("model") where BOS or EOS, which every text needs, has no row.
 */
export function withinEmbedding(tokenizer: Tokenizer, rows: number): Tokenizer {
  if (tokenizer.vocabularySize <= rows) return tokenizer;
  const beyond = [...tokenizer.prefix, ...(tokenizer.eos === undefined ? [] : [tokenizer.eos.id])].find(
    (id) => id >= rows,
  );
  if (beyond !== undefined) {
    throw new UserError(
      "model",
      `the tokenizer puts the token ${shownJson(tokenizer.decode([beyond]))} (id ${beyond}) into every text, but the model's embedding has rows up to ${rows - 1} (vocab_size ${rows})`,
      { hint: "Use the tokenizer and the weights of the same model folder." },
    );
  }
  const checked = (ids: number[]): number[] => {
    const id = ids.find((each) => each >= rows);
    if (id === undefined) return ids;
    throw new UserError(
      "data",
      `a text holds the token ${shownJson(tokenizer.decode([id]))} (id ${id}), but the model's embedding has rows up to ${rows - 1} (vocab_size ${rows})`,
      { hint: "Take the token out of the text." },
    );
  };
  return {
    ...tokenizer,
    encode: (text) => checked(tokenizer.encode(text)),
    encodeSupervised(text, spans, mostTokens) {
      const encoded = tokenizer.encodeSupervised(text, spans, mostTokens);
      checked(encoded.ids);
      return encoded;
    },
  };
}

function prefixOf(inner: LibraryTokenizer): number[] {
  const without = inner.encode("a", { add_special_tokens: false }).ids;
  const full = inner.encode("a", { add_special_tokens: true }).ids;
  for (let start = 0; start + without.length <= full.length; start++) {
    if (without.every((id, i) => full[start + i] === id)) return full.slice(0, start);
  }
  return [];
}

/**
 * The named special tokens, as transformers binds them in chat templates: the keys that end in `_token` and, where they
 * have names, the model's own (`extra_special_tokens`). One that is null is none.
 */
function namedTokens(config: Readonly<Record<string, unknown>>): Record<string, string> {
  const extra = config["extra_special_tokens"];
  const named = Object.entries(config).filter(([name]) => name.endsWith("_token"));
  return Object.fromEntries(
    [...named, ...(isRow(extra) ? Object.entries(extra) : [])].flatMap(([name, token]) => {
      const text = isRow(token) ? token["content"] : token;
      return typeof text === "string" ? [[name, text]] : [];
    }),
  );
}

/** The templates as transformers finds them: files, or else a template by itself, or named ones as a list or an object. */
function templatesOf(
  { chatTemplate, toolTemplate }: TokenizerDefinition,
  value: unknown,
): Pick<Tokenizer, "chatTemplate" | "toolTemplate"> {
  if (chatTemplate !== undefined || toolTemplate !== undefined) return { chatTemplate, toolTemplate };
  if (typeof value === "string") return { chatTemplate: value, toolTemplate: undefined };
  const entries = Array.isArray(value)
    ? value.flatMap((entry: unknown) => (isRow(entry) ? [[entry["name"], entry["template"]]] : []))
    : Object.entries(isRow(value) ? value : {});
  const named = new Map<unknown, unknown>(entries as [unknown, unknown][]);
  const text = (name: string): string | undefined => {
    const template = named.get(name);
    return typeof template === "string" ? template : undefined;
  };
  return { chatTemplate: text("default"), toolTemplate: text("tool_use") };
}
