import type { Example } from "../example.ts";
import type { EncodableRecord } from "../record.ts";
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
  units: (records) => records.map(({ id, content }) => ({ id, content })),
  countUnits: (records) => records.length,
  encodeUnits: (units, ...how) => encodeRecords(units as readonly EncodableRecord[], ...how),
  parts: (item) => [item],
  wantedAnswer: (item) => item,
};
