import { countNgrams, overlap } from "./ngrams.ts";

/** Each 0 to 1. */
export interface RougeScore {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

export interface Rouge {
  /** Words in common. */
  readonly rouge1: RougeScore;
  /** Pairs of words in common. */
  readonly rouge2: RougeScore;
  /** The longest common subsequence of the whole texts. */
  readonly rougeL: RougeScore;
  /** The union of the longest common subsequences of each of the reference's lines with the prediction's lines. */
  readonly rougeLsum: RougeScore;
}

export interface RougeOptions {
  /**
   * Applied to words of more than three letters, rouge-score's `use_stemmer`. Default none, as there. rouge-score uses NLTK's
   * extended Porter stemmer; packages with Porter's original differ from it in a few words.
   */
  readonly stem?: (word: string) => string;
}

const NO_SCORE: RougeScore = { precision: 0, recall: 0, f1: 0 };

/**
 * Computes ROUGE (Lin 2004, sections 2 and 3) as Google's rouge-score computes it: lower case, words of ASCII letters and digits only,
 * so text in another script scores 0; line breaks separate sentences. Each measure takes the reference with the
 * best F1 (`score_multi`). Throws an Error without references.
 */
export function rouge(references: readonly string[], prediction: string, { stem }: RougeOptions = {}): Rouge {
  const words = (text: string): string[] => tokenize(text, stem);
  const lines = (text: string): string[][] => text.split("\n").filter(Boolean).map(words);
  const predicted = words(prediction);
  const predictedLines = lines(prediction);
  const best = (measure: (reference: string) => RougeScore): RougeScore =>
    references.map(measure).reduce((a, b) => (b.f1 > a.f1 ? b : a));
  if (references.length === 0) throw new Error("ROUGE needs at least one reference, got none");
  return {
    rouge1: best((reference) => ngramScore(words(reference), predicted, 1)),
    rouge2: best((reference) => ngramScore(words(reference), predicted, 2)),
    rougeL: best((reference) => sequenceScore(words(reference), predicted)),
    rougeLsum: best((reference) => summaryScore(lines(reference), predictedLines)),
  };
}

function tokenize(text: string, stem: RougeOptions["stem"]): string[] {
  const words = text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  return stem === undefined ? words : words.map((word) => (word.length > 3 ? stem(word) : word));
}

/** Computes a score from the size of the common part, of the reference and of the prediction. Nothing in common scores 0. */
function scoreOf(common: number, reference: number, prediction: number): RougeScore {
  if (common === 0) return NO_SCORE;
  const precision = common / prediction;
  const recall = common / reference;
  return { precision, recall, f1: (2 * precision * recall) / (precision + recall) };
}

function ngramScore(reference: readonly string[], prediction: readonly string[], n: number): RougeScore {
  const common = overlap(countNgrams(reference, n), countNgrams(prediction, n));
  return scoreOf(common, reference.length - n + 1, prediction.length - n + 1);
}

function sequenceScore(reference: readonly string[], prediction: readonly string[]): RougeScore {
  return scoreOf(commonLengths(reference, prediction).at(-1)!, reference.length, prediction.length);
}

/** Computes section 3.2's score; as in ROUGE-1.5.5, no word counts more often than it occurs on either side. */
function summaryScore(reference: readonly string[][], prediction: readonly string[][]): RougeScore {
  const leftInReference = countNgrams(reference.flat(), 1);
  const leftInPrediction = countNgrams(prediction.flat(), 1);
  let common = 0;
  for (const line of reference) {
    const union = new Set(prediction.flatMap((other) => commonPlaces(line, other)));
    for (const place of [...union].sort((a, b) => a - b)) {
      const word = line[place]!;
      const [inReference, inPrediction] = [leftInReference.get(word) ?? 0, leftInPrediction.get(word) ?? 0];
      if (inReference === 0 || inPrediction === 0) continue;
      common++;
      leftInReference.set(word, inReference - 1);
      leftInPrediction.set(word, inPrediction - 1);
    }
  }
  return scoreOf(common, reference.flat().length, prediction.flat().length);
}

/** Computes the lengths of the longest common subsequences of all prefixes: [a.length + 1, b.length + 1] by rows. */
function commonLengths(a: readonly string[], b: readonly string[]): Int32Array {
  const width = b.length + 1;
  const lengths = new Int32Array((a.length + 1) * width);
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const at = i * width + j;
      lengths[at] =
        a[i - 1] === b[j - 1] ? lengths[at - width - 1]! + 1 : Math.max(lengths[at - width]!, lengths[at - 1]!);
    }
  }
  return lengths;
}

/** Finds the places in `a` of one longest common subsequence: of several, rouge-score's choice. */
function commonPlaces(a: readonly string[], b: readonly string[]): number[] {
  const width = b.length + 1;
  const lengths = commonLengths(a, b);
  const places: number[] = [];
  let [i, j] = [a.length, b.length];
  while (i > 0 && j > 0) {
    if (a[i - 1] === b[j - 1]) {
      places.push(i - 1);
      i--;
      j--;
    } else if (lengths[i * width + j - 1]! > lengths[(i - 1) * width + j]!) j--;
    else i--;
  }
  return places;
}
