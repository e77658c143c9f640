// What those sides of bench/generate.mjs that are Node programs are fed.
import { TEMPLATES } from "../dist/data/template.js";
import { encodeMessages } from "../dist/data/tokens.js";
import { openTokenizer } from "../dist/decode/base-tokenizer.js";

export function adapterOf(rank) {
  return { rank, alpha: 2 * rank, dropout: 0, targets: ["q_proj", "v_proj"], rsLora: false };
}

const QUESTIONS = [
  "How do bees find their way home?",
  "Write two sentences about the sea in winter.",
  "What is the difference between a lake and a pond?",
  "请介绍一下长城。",
  "Explain in one paragraph why bread rises, and name two things that can go wrong while it does.",
];

/** Prompts whose answers the sides must agree on. */
export function questions(model) {
  const tokenizer = openTokenizer(model);
  return QUESTIONS.map((content) => encodeMessages([{ role: "user", content }], TEMPLATES.chat, tokenizer, {}));
}
