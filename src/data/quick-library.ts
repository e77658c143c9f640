/**
 * The parts of a tokenizer of `@huggingface/tokenizers` that are replaced on the instance, because they take most of the
 * time of encoding. Each replacement gives what it replaces, which the tests compare.
 */
interface LibraryParts {
  readonly model: Partial<LibraryBpe> & { readonly tokens_to_ids: Map<string, number>; readonly unk_token_id?: number };
  readonly pre_tokenizer: LibraryPreTokenizer | null;
  readonly added_tokens_map: Map<string, { readonly id: number }>;
  tokenize(text: string, options: LibraryOptions): string[];
  encode(text: string, options: LibraryOptions): LibraryEncoding;
}

interface LibraryOptions {
  readonly text_pair?: string | null;
  readonly add_special_tokens?: boolean;
  readonly return_token_type_ids?: boolean | null;
}

interface LibraryEncoding {
  readonly ids: readonly (number | undefined)[];
  readonly tokens: readonly string[];
  readonly attention_mask: readonly number[];
}

interface LibraryBpe {
  merges: readonly (readonly [left: string, right: string])[];
  cache: { get(word: string): string[] | undefined; put(word: string, tokens: string[]): void; clear(): void };
  add_node(queue: { push(node: LibraryNode): void }, node: LibraryNode): void;
  bpe(word: string): string[];
  encode(words: readonly string[]): string[];
  readonly end_of_word_suffix?: string | null;
  readonly continuing_subword_suffix?: string | null;
}

interface LibraryNode {
  readonly token: string;
  readonly bias: number;
  readonly next: LibraryNode;
  score?: number;
}

interface LibraryPreTokenizer {
  /** Of a sequence. */
  readonly tokenizers?: readonly LibraryPreTokenizer[];
  /** Of the byte-level kind: the character of each byte. */
  readonly byte_encoder?: Readonly<Record<number, string>>;
  readonly use_regex?: boolean;
  readonly add_prefix_space?: boolean;
  readonly pattern?: RegExp;
  pre_tokenize_text(text: string, options: unknown): string[];
}

/** Words of a few megabytes in all: the vocabulary of a large data set. */
const MOST_WORDS = 100_000;
/** Longer words are rare and would fill the memory. */
const LONGEST_KEPT = 256;
/** Merging in a list looks at every pair for every merge: longer words are left to the library's queue. */
const LONGEST_MERGED = 48;

/** Makes a tokenizer of the library faster, in place. Its results stay the same. */
export function quicken(tokenizer: object): void {
  const library = tokenizer as LibraryParts;
  const { model, pre_tokenizer: first } = library;
  quickenIds(library);
  if (model.merges !== undefined && model.cache !== undefined && model.add_node !== undefined) {
    quickenBpe(model as LibraryBpe);
  }
  const visit = (each: LibraryPreTokenizer): void => {
    for (const inner of each.tokenizers ?? []) visit(inner);
    if (each.byte_encoder !== undefined) quickenByteLevel(each, each.byte_encoder);
  };
  if (first !== null && first !== undefined) visit(first);
}

/** The library looks each token up among the added ones, and then in the vocabulary. */
function quickenIds(library: LibraryParts): void {
  const { added_tokens_map: added, model } = library;
  const slow = library.encode.bind(library);
  const known = new Map<string, number | undefined>();
  const idOf = (token: string): number | undefined => {
    const found = known.get(token);
    if (found !== undefined) return found;
    const id = added.get(token)?.id ?? model.tokens_to_ids.get(token) ?? model.unk_token_id;
    known.set(token, id);
    return id;
  };
  library.encode = (text, options) => {
    if (options.text_pair != null || options.return_token_type_ids === true) return slow(text, options);
    const { add_special_tokens = true } = options;
    const tokens = library.tokenize(text, { add_special_tokens });
    return { ids: tokens.map(idOf), tokens, attention_mask: Array<number>(tokens.length).fill(1) };
  };
}

/**
 * The library keeps the last 10,000 words and moves each to the end whenever it is read, which costs more than the rest of a
 * word that is known. It looks each token of a word up again, ranks of merges by their JSON text, and merges in a queue of
 * objects, which most words are too short for.
 */
function quickenBpe(model: LibraryBpe): void {
  const words = memo();
  const encodeWords = model.encode.bind(model);
  model.encode = (given) => {
    const tokens: string[] = [];
    for (const word of given) {
      let own = words.get(word);
      if (own === undefined) {
        own = encodeWords([word]);
        if (word.length < LONGEST_KEPT) words.put(word, own);
      }
      for (const token of own) tokens.push(token);
    }
    return tokens;
  };
  // What is kept above is not asked for twice.
  model.cache = { get: () => undefined, put: () => {}, clear: () => words.clear() };
  let made: Ranks | undefined;
  const ranks = (): Ranks => (made ??= ranksOf(model.merges));
  model.add_node = (queue, node) => {
    const rank = ranks().get(node.token)?.get(node.next.token);
    if (rank === undefined) return;
    node.score = rank + node.bias;
    queue.push(node);
  };
  if (Boolean(model.end_of_word_suffix) || Boolean(model.continuing_subword_suffix)) return;
  const inQueue = model.bpe.bind(model);
  model.bpe = (word) => (word.length > LONGEST_MERGED ? inQueue(word) : merged(Array.from(word), ranks()));
}

/** Merges the pair of lowest rank, of equal ones the first, until no pair has one. */
function merged(symbols: string[], ranks: Ranks): string[] {
  const ranksOfPairs = symbols.map((left, i) => ranks.get(left)?.get(symbols[i + 1] ?? "") ?? Infinity);
  while (symbols.length > 1) {
    let at = 0;
    for (let i = 1; i < symbols.length - 1; i++) if (ranksOfPairs[i]! < ranksOfPairs[at]!) at = i;
    if (ranksOfPairs[at] === Infinity) break;
    const whole = symbols[at]! + symbols[at + 1]!;
    symbols.splice(at, 2, whole);
    ranksOfPairs.splice(at, 1);
    ranksOfPairs[at] = ranks.get(whole)?.get(symbols[at + 1] ?? "") ?? Infinity;
    if (at > 0) ranksOfPairs[at - 1] = ranks.get(symbols[at - 1]!)?.get(whole) ?? Infinity;
  }
  return symbols;
}

type Ranks = ReadonlyMap<string, ReadonlyMap<string, number>>;

function ranksOf(merges: LibraryBpe["merges"]): Ranks {
  const ranks = new Map<string, Map<string, number>>();
  for (const [rank, [left, right]] of merges.entries()) {
    const after = ranks.get(left);
    // As in the library, the last of equal merges counts.
    if (after === undefined) ranks.set(left, new Map([[right, rank]]));
    else after.set(right, rank);
  }
  return ranks;
}

/** The library writes every word in the byte alphabet anew. */
function quickenByteLevel(pre: LibraryPreTokenizer, alphabet: Readonly<Record<number, string>>): void {
  const { add_prefix_space: prefixed, use_regex: split, pattern } = pre;
  const encoder = new TextEncoder();
  const known = memo<string>();
  const written = (word: string): string => {
    const found = known.get(word);
    if (found !== undefined) return found;
    let text = "";
    for (const byte of encoder.encode(word)) text += alphabet[byte]!;
    if (word.length < LONGEST_KEPT) known.put(word, text);
    return text;
  };
  pre.pre_tokenize_text = (given) => {
    const text = prefixed === true && !given.startsWith(" ") ? ` ${given}` : given;
    const words = split === true ? (text.match(pattern!) ?? []) : [text];
    return words.map(written);
  };
}

/** A memory of words, which forgets all of them when it is full. */
function memo<T = string[]>() {
  const words = new Map<string, T>();
  return {
    get: (word: string): T | undefined => words.get(word),
    put(word: string, value: T): void {
      if (words.size >= MOST_WORDS) words.clear();
      words.set(word, value);
    },
    clear: (): void => words.clear(),
  };
}
