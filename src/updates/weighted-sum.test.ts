import { describe, expect, it } from "vitest";
import { params } from "../../test/support/play.ts";
import { addWeighted, mean } from "./weighted-sum.ts";

describe("a weighted sum", () => {
  it("names the tensor and both shapes where updates differ", () => {
    const sum = addWeighted(undefined, params([1, 2]), 1);
    expect(() => addWeighted(sum, params([1, 2, 3]), 1)).toThrow("lora_A.weight: [3] in one update, [2] in another");
    expect(() => addWeighted(sum, new Map(), 1)).toThrow("lora_A.weight: missing in an update");
  });

  it("has no mean without updates", () => {
    expect(() => mean(undefined)).toThrow("at least one update");
    expect(() => mean(addWeighted(undefined, params([1]), 0))).toThrow("positive weight");
  });
});
