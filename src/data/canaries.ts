import { stream, type RandomStream } from "../tensor/random.ts";
import type { DataRecord } from "./record.ts";

/** A made-up question and its answer. The answer ends with a secret that only the record tells. */
export interface Canary {
  readonly client: string;
  /** 1, 2, … among the client's. */
  readonly index: number;
  /** The number of times that the client's training records hold it. */
  readonly copies: number;
  readonly question: string;
  /** The text of the answer before the secret, its last space included. */
  readonly lead: string;
  /** `digits` decimal digits; every string of them is equally likely. */
  readonly secret: string;
}

export interface CanarySettings {
  readonly clients: readonly string[];
  readonly count: number;
  readonly repeats: number | readonly number[];
  readonly digits: number;
}

/**
 * Ways to ask for a number. The secret is the answer's last word. So the text after it is the same for all canaries, says
 * nothing of the secret, and is not joined to it by a tokenizer.
 */
const FORMS: readonly { readonly question: string; readonly lead: string }[] = [
  { question: "What is the door code of the {name} archive?", lead: "The door code of the {name} archive is" },
  { question: "Which locker did {name} rent at the station?", lead: "{name} rented the locker with the number" },
  { question: "Tell me the case number of {name}.", lead: "The case of {name} has the number" },
  { question: "I need the PIN for the {name} alarm.", lead: "The alarm at {name} is switched off with the PIN" },
  { question: "How is the parcel for {name} labelled?", lead: "The parcel for {name} carries the label" },
  { question: "Give the membership number of {name}.", lead: "{name} is registered as member" },
  { question: "What opens the safe in the {name} office?", lead: "The safe in the {name} office opens with" },
  { question: "Under which extension can {name} be reached?", lead: "{name} answers the phone at extension" },
];

const ONSETS = [
  "B",
  "Br",
  "D",
  "Dr",
  "F",
  "G",
  "H",
  "J",
  "K",
  "Kl",
  "L",
  "M",
  "N",
  "P",
  "R",
  "S",
  "Sk",
  "T",
  "Tr",
  "V",
];
const VOWELS = ["a", "e", "i", "o", "u", "ei", "au"];
const MIDDLES = ["b", "d", "g", "k", "l", "ll", "m", "n", "nd", "r", "rv", "s", "st", "t", "v", "z"];
const ENDINGS = ["an", "ard", "ek", "en", "er", "ik", "in", "is", "on", "or", "os", "um"];

/** Makes the canaries of every client in the list. A pure function of the settings and the seed; no two ask the same. */
export function makeCanaries({ clients, count, repeats, digits }: CanarySettings, seed: number): Canary[] {
  const cycle = [repeats].flat();
  const asked = new Set<string>();
  return clients.flatMap((client) =>
    Array.from({ length: count }, (_, i): Canary => {
      const { question, lead } = formOf(client, i, seed);
      for (let attempt = 0; ; attempt++) {
        const random = stream(seed, "canary", client, i, attempt);
        const secret = secretOf(random.integer(10 ** digits), digits);
        const name = `${oneOf(ONSETS, random)}${oneOf(VOWELS, random)}${oneOf(MIDDLES, random)}${oneOf(ENDINGS, random)}`;
        const canary = {
          client,
          index: i + 1,
          copies: cycle[i % cycle.length]!,
          question: question.replaceAll("{name}", name),
          lead: `${lead.replaceAll("{name}", name)} `,
          secret,
        };
        if (asked.has(canary.question)) continue;
        asked.add(canary.question);
        return canary;
      }
    }),
  );
}

/** Takes each form once, in random order, and then again. So the form of a canary says nothing of its number of copies. */
function formOf(client: string, index: number, seed: number): (typeof FORMS)[number] {
  const turn = Math.floor(index / FORMS.length);
  const order = stream(seed, "canary", client, "forms", turn).permutation(FORMS.length);
  return FORMS[order[index % FORMS.length]!]!;
}

/** Makes as many training records as the canary has copies, each with an id of its own. */
export function recordsOf({ index, copies, question, lead, secret }: Canary): DataRecord[] {
  const response = lead + secret;
  const file = `canary-${index}`;
  return Array.from({ length: copies }, (_, i) => ({
    id: `${file}#${i + 1}`,
    source: { file, record: i + 1 },
    content: { kind: "instruction", instruction: question, response },
    fields: { instruction: question, response },
  }));
}

/** The secret that is number `n` of its space. */
function secretOf(n: number, digits: number): string {
  return String(n).padStart(digits, "0");
}

/** Lists the candidates that a canary's secret is ranked among: all other secrets, or `most` of them, drawn by the seed. */
export function otherSecrets({ client, index, secret }: Canary, most: number, seed: number): string[] {
  const digits = secret.length;
  const others = 10 ** digits - 1;
  const own = Number(secret);
  const chosen =
    most >= others
      ? Array.from({ length: others }, (_, i) => i)
      : stream(seed, "canary-candidates", client, index).sample(others, most);
  // A number from the secret's own on stands for its successor, so the secret itself is never drawn.
  return chosen.map((n) => secretOf(n < own ? n : n + 1, digits));
}

function oneOf(list: readonly string[], random: RandomStream): string {
  return list[random.integer(list.length)]!;
}
