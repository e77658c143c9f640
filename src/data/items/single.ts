import type { Example } from "../example.ts";
import { encodeRecords } from "../tokens.ts";
import type { ItemKind } from "./item-kind.ts";

/** Single answers, for supervised tuning. */
export const singleAnswers: ItemKind<Example> = {
  one: "a single example",
  many: "single examples",
  learnFrom: "answers",
  isPreference: false,
  comparesHeldOutPairs: false,
  is: (item): item is Example => "tokens" in item,
  encode: encodeRecords,
  parts: (item) => [item],
  wantedAnswer: (item) => item,
};
