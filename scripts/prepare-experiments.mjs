/**
 * Turns public data sets, as they lie in their repositories, into the records that experiments/*.yaml read:
 *
 *   node scripts/prepare-experiments.mjs FOLDER      FOLDER is what OPENFEDLLM_ASSETS names
 *
 * Writes experiments/data/*.jsonl. The same files give the same bytes. experiments/README.md says where they come from.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";

const assets = process.argv[2] ?? process.env.OPENFEDLLM_ASSETS;
if (assets === undefined) {
  console.error("usage: node scripts/prepare-experiments.mjs FOLDER");
  process.exit(2);
}
const out = path.join(import.meta.dirname, "..", "experiments", "data");
mkdirSync(out, { recursive: true });

const read = (...parts) => readFileSync(path.join(assets, ...parts));
const lines = (text) => text.split(/\r?\n/).filter((line) => line.trim() !== "");

function write(name, records) {
  writeFileSync(path.join(out, name), records.map((record) => `${JSON.stringify(record)}\n`).join(""));
  console.log(`${String(records.length).padStart(6)}  ${name}`);
}

/** A plain prompt: FinGPT's question costs such a small model twice the tokens, and it learns less in the same time. */
const sentiment = (text, label) => ({ prompt: `${text}\nSentiment: `, completion: label });

// Financial PhraseBank, at least 50 % of the annotators agree: `sentence@label`. Every fourth sentence is for testing.
const phrases = lines(read("fpb", "Sentences_50Agree.txt").toString("utf8")).map((line) => {
  const at = line.lastIndexOf("@");
  return sentiment(line.slice(0, at).trim(), line.slice(at + 1).trim());
});
write(
  "fpb.train.jsonl",
  phrases.filter((_, i) => i % 4 !== 3),
);
write(
  "fpb.test.jsonl",
  phrases.filter((_, i) => i % 4 === 3),
);

// FiQA 2018, task 1: scores in [−1, 1]; between −0.1 and 0.1 is neutral, as FinGPT takes it.
const fiqa = (split) =>
  ["headline", "post"].flatMap((kind) =>
    Object.values(JSON.parse(read("fiqa", `task1_${kind}_ABSA_${split}.json`).toString("utf8"))).flatMap(
      ({ sentence, info }) => {
        const score = Number(info[0]?.sentiment_score);
        if (!Number.isFinite(score) || sentence.trim() === "") return [];
        const label = score < -0.1 ? "negative" : score < 0.1 ? "neutral" : "positive";
        return [sentiment(sentence.trim(), label)];
      },
    ),
  );
for (const split of ["train", "test"]) write(`fiqa.${split}.jsonl`, fiqa(split));

// HH-RLHF: pairs whose longer dialogue is short, so that a run takes minutes; the online part has hardly any as short.
const LONGEST = { "helpful-base": 600, "helpful-online": 900, "helpful-rejection-sampled": 600, "harmless-base": 600 };
for (const [domain, longest] of Object.entries(LONGEST)) {
  const pairs = lines(gunzipSync(read("hh-rlhf", `${domain}-test.jsonl.gz`)).toString("utf8")).map((line) =>
    JSON.parse(line),
  );
  const last = (dialogue) => dialogue.slice(dialogue.lastIndexOf("\n\nAssistant:") + "\n\nAssistant:".length).trim();
  write(
    `hh-${domain}.jsonl`,
    pairs.filter(({ chosen, rejected }) => {
      const [a, b] = [last(chosen), last(rejected)];
      return Math.max(chosen.length, rejected.length) <= longest && a !== "" && b !== "" && a !== b;
    }),
  );
}
