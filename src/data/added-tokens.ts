import { isRow, type Row } from "./row.ts";

const FLAGS = ["single_word", "lstrip", "rstrip", "normalized", "special"] as const;

/**
 * Returns `tokenizer.json` with the tokens that only `tokenizer_config.json` adds, as transformers loads them: those of
 * `added_tokens_decoder`, whose flags win, then named special tokens and further ones that are no added tokens yet. One that
 * is in the vocabulary keeps its id, another one gets the next id.
 */
export function withAddedTokens(tokenizer: unknown, config: Row): unknown {
  if (!isRow(tokenizer) || !isRow(tokenizer["model"])) return tokenizer;
  const given = tokenizer["added_tokens"];
  const added: Row[] = Array.isArray(given) ? given.filter(isRow) : [];
  const { vocab } = tokenizer["model"];
  // Large, and nearly always every token is there already.
  let made: ReadonlyMap<string, number> | undefined;
  const vocabulary = (): ReadonlyMap<string, number> => (made ??= vocabularyOf(vocab));
  const places = new Map(added.map((token, i) => [token["content"], i]));
  let changed = false;
  for (const token of wanted(config)) {
    const place = places.get(token["content"]);
    if (place === undefined) {
      const id = vocabulary().get(token["content"] as string) ?? nextId(added, vocabulary().size);
      places.set(token["content"], added.length);
      added.push({ id, ...token });
    } else if (token["named"] === true || FLAGS.every((flag) => added[place]![flag] === token[flag])) continue;
    else added[place] = { id: added[place]!["id"], ...token };
    changed = true;
  }
  return changed ? { ...tokenizer, added_tokens: added } : tokenizer;
}

/** The tokens that the configuration adds. `named`: only where there is none of that text. */
function wanted(config: Row): Row[] {
  const decoder = isRow(config["added_tokens_decoder"]) ? config["added_tokens_decoder"] : {};
  const listed = Object.entries(decoder)
    .toSorted(([a], [b]) => Number(a) - Number(b))
    .flatMap(([, token]) => (isRow(token) && typeof token["content"] === "string" ? [flagged(token)] : []));
  const extra = config["extra_special_tokens"] ?? config["additional_special_tokens"];
  const named = [
    ...Object.entries(config).flatMap(([key, value]) => (key.endsWith("_token") ? [value] : [])),
    ...(Array.isArray(extra) ? (extra as unknown[]) : isRow(extra) ? Object.values(extra) : []),
  ];
  return [
    ...listed,
    ...named.flatMap((value) => {
      const token = typeof value === "string" ? { content: value } : value;
      if (!isRow(token) || typeof token["content"] !== "string" || token["content"] === "") return [];
      return [{ ...flagged({ ...token, special: true }), named: true }];
    }),
  ];
}

function flagged(token: Row): Row {
  const special = token["special"] === true;
  const flags = FLAGS.map((flag) => [
    flag,
    typeof token[flag] === "boolean" ? token[flag] : flag === "normalized" && !special,
  ]);
  return { content: token["content"], ...Object.fromEntries(flags) };
}

/** The vocabulary as text → id: of BPE and WordPiece an object, of Unigram a list of pairs. */
function vocabularyOf(vocabulary: unknown): ReadonlyMap<string, number> {
  if (Array.isArray(vocabulary)) {
    return new Map(vocabulary.map((entry: unknown, id) => [String(Array.isArray(entry) ? entry[0] : entry), id]));
  }
  return new Map(isRow(vocabulary) ? Object.entries(vocabulary).map(([text, id]) => [text, Number(id)]) : []);
}

function nextId(added: readonly Row[], size: number): number {
  const largest = added.reduce((most, { id }) => Math.max(most, Number(id)), -1);
  return Math.max(largest + 1, size);
}
