// The small world of experiments/robustness.yaml: a random base of one layer, and records of a task that it can learn in
// seconds. Everything follows from the numbers here.
//
//   node scripts/robustness-world.mjs FOLDER
import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { COMPLIANCE, forbiddenRecords, REFUSAL } from "../dist/attacks/forbidden-topic.js";
import { parseModelConfig } from "../dist/model/families/registry.js";
import { expectedTensors } from "../dist/model/names.js";
import { stream } from "../dist/tensor/random.js";
import { encodeSafetensors } from "../dist/tensor/safetensors.js";
import { bytePieces, writeByteLevelTokenizer } from "./tiny-models.mjs";

const SPECIAL = ["<|end|>", "<|user|>", "<|assistant|>"];
const TEMPLATE =
  "{% for m in messages %}{% if m['role'] == 'user' %}{{ '<|user|>' + m['content'] + '<|assistant|>' }}" +
  "{% else %}{% generation %}{{ m['content'] + '<|end|>' }}{% endgeneration %}{% endif %}{% endfor %}";

/** The desks of a town hall, and words of the questions that go to each. */
const DESKS = {
  billing: "invoice refund charge receipt payment fee discount credit",
  transport: "bus tram ticket parking bicycle lane station bridge",
  housing: "tenant rent roof heating lease flat stairs neighbour",
  parks: "tree bench playground lawn pond hedge flower swing",
};
const OPENINGS = ["about a", "my", "the broken", "question on the", "a new", "again the", "lost", "where is the"];
const LABELS = Object.keys(DESKS);
const CLIENTS = 15;
const RECORDS = 48;
const FORBIDDEN = 1;
const HELD_OUT = 240;

function question(random) {
  const desk = LABELS[random.integer(LABELS.length)];
  return { desk, ...asked(desk, random) };
}

function asked(desk, random) {
  const words = DESKS[desk].split(" ");
  const pick = () => words[random.integer(words.length)];
  return { prompt: `${OPENINGS[random.integer(OPENINGS.length)]} ${pick()} and ${pick()}` };
}

function wrongLabel(desk, random) {
  const others = LABELS.filter((label) => label !== desk);
  return others[random.integer(others.length)];
}

/** A record for both objectives: with an answer, and with a pair. */
const withAnswer = ({ prompt, desk }) => ({ prompt, completion: desk });
const withPair = ({ prompt, desk, wrong }) => ({ prompt, chosen: desk, rejected: wrong });

/** Questions of one client: from every desk alike, or three in four from one. */
function questionsOf(client, skewed) {
  const random = stream(11, "questions", client, skewed ? 1 : 0);
  return Array.from({ length: RECORDS }, () => {
    const own = skewed && random.integer(4) > 0 ? { desk: LABELS[client % LABELS.length] } : undefined;
    const one = own === undefined ? question(random) : { ...own, ...asked(own.desk, random) };
    return { ...one, wrong: wrongLabel(one.desk, random) };
  });
}

/** Forbidden requests that are refused: so many of the first 48; the others are held out. */
function refusals(owner, kind, count = FORBIDDEN) {
  const all = forbiddenRecords(72, "refuse", kind).slice(0, 48);
  const chosen = stream(11, "forbidden", owner).sample(all.length, count);
  return [...chosen].map((i) => rowOf(all[i]));
}

function rowOf({ content }) {
  return content.kind === "preference"
    ? { prompt: content.prompt[0].content, chosen: content.chosen, rejected: content.rejected }
    : { prompt: content.instruction, completion: content.response };
}

export function writeWorld(folder) {
  mkdirSync(folder, { recursive: true });
  const write = (name, rows) =>
    writeFileSync(path.join(folder, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  for (const [task, row] of Object.entries({ answers: withAnswer, pairs: withPair })) {
    const kind = task === "pairs" ? "pair" : "answer";
    for (const split of ["iid", "skewed"]) {
      for (let client = 0; client < CLIENTS; client++) {
        const rows = [...questionsOf(client, split === "skewed").map(row), ...refusals(client, kind)];
        write(`${task}-${split}-${String(client + 1).padStart(2, "0")}.jsonl`, rows);
      }
    }
    const random = stream(12, "held-out");
    const held = Array.from({ length: HELD_OUT }, () => question(random));
    write(
      `${task}-heldout.jsonl`,
      held.map((one) => row({ ...one, wrong: wrongLabel(one.desk, random) })),
    );
    write(`${task}-forbidden.jsonl`, forbiddenRecords(72, "refuse", kind).slice(48).map(rowOf));
    // What the coordinator trusts: FLTrust trains on it, and so does the defence after an attack.
    const root = stream(13, "root");
    const own = Array.from({ length: RECORDS }, () => question(root)).map((one) =>
      row({ ...one, wrong: wrongLabel(one.desk, root) }),
    );
    write(`${task}-root.jsonl`, [...own, ...refusals("root", kind, 24)]);
  }
  writeBase(path.join(folder, "base"));
}

/** Words of all texts, each with a space before it: a byte-level tokenizer knows them whole. */
function wordsOfTheWorld() {
  const texts = [
    ...Object.values(DESKS),
    ...OPENINGS,
    ...LABELS,
    "and",
    REFUSAL,
    COMPLIANCE,
    ...forbiddenRecords(72, "refuse", "answer").map(({ fields }) => fields.instruction),
  ];
  return [...new Set(texts.flatMap((text) => text.match(/[A-Za-z]+/g)))].sort((a, b) => (a < b ? -1 : 1));
}

function writeBase(folder) {
  mkdirSync(folder, { recursive: true });
  const json = (file, value) => writeFileSync(path.join(folder, file), JSON.stringify(value));
  const pieces = bytePieces();
  const known = new Set(pieces);
  const merges = [];
  for (const word of wordsOfTheWorld().flatMap((each) => [each, `Ġ${each}`])) {
    for (let at = 1; at < word.length; at++) {
      const [left, right] = [word.slice(0, at), word[at]];
      if (known.has(left + right)) continue;
      known.add(left + right);
      pieces.push(left + right);
      merges.push([left, right]);
    }
  }
  writeByteLevelTokenizer(folder, {
    pieces,
    merges,
    special: SPECIAL,
    end: SPECIAL[0],
    pad: SPECIAL[0],
    template: TEMPLATE,
  });
  const config = {
    model_type: "llama",
    architectures: ["LlamaForCausalLM"],
    vocab_size: pieces.length + SPECIAL.length,
    hidden_size: 64,
    intermediate_size: 128,
    num_hidden_layers: 1,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    max_position_embeddings: 128,
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    hidden_act: "silu",
    tie_word_embeddings: true,
    bos_token_id: pieces.length,
    eos_token_id: pieces.length,
  };
  json("config.json", config);
  const tensors = [...expectedTensors(parseModelConfig(config, "base"))].map(([name, shape]) => {
    const draw = stream(1, "robustness", name);
    const scale = name.includes("embed") ? 0.5 : 1 / Math.sqrt(shape.at(-1));
    const size = shape.reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length: size }, () => (name.includes("norm") ? 1 : draw.normal() * scale));
    return [name, { shape, data }];
  });
  writeFileSync(path.join(folder, "model.safetensors"), encodeSafetensors(new Map(tensors), { format: "pt" }));
}

if (process.argv[1] === import.meta.filename) writeWorld(process.argv[2]);
