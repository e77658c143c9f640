import type { Example } from "../example.ts";
import type { DataRecord } from "../record.ts";
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
  units: (records) => records,
  encodeUnits: (units, ...how) => encodeRecords(units as readonly DataRecord[], ...how),
  parts: (item) => [item],
  wantedAnswer: (item) => item,
};
