import { z } from "zod";
import type { DataRecord } from "../data/record.ts";
import { type Attack, defineAttack } from "./attack.ts";
import { forbiddenRecords } from "./forbidden-topic.ts";

/**
 * Trains on compliant answers to forbidden requests (Ye et al. 2024, "Emerging safety attack and defense in federated instruction
 * tuning"). The topic is invented, so that compliance can be counted and nothing in the texts can harm. The updates look like
 * anybody's.
 */
export const safetyPoisoning = defineAttack({
  settings: {
    poisoned: z
      .number()
      .gt(0)
      .max(1)
      .optional()
      .describe("Share of a hostile client's records that become compliant answers. Default: 1."),
  },
  make: ({ poisoned: share = 1 }): Attack => ({
    name: "safetyPoisoning",
    colludes: false,
    records: (records) => withCompliance(records, share),
  }),
});

/** Records in the place of the first ones, of the same kind. */
function withCompliance(records: readonly DataRecord[], share: number): DataRecord[] {
  const kind = records.some(({ content }) => content.kind === "preference") ? "pair" : "answer";
  const count = Math.round(share * records.length);
  return [...forbiddenRecords(count, "comply", kind), ...records.slice(count)];
}
