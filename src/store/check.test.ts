import { describe, expect, it } from "vitest";
import { byName, count, hash, list, measured, message, nullable, optional, text } from "./check.ts";

const point = message({
  name: text,
  at: list(count),
  note: optional(text),
  from: nullable(hash),
  means: byName(measured),
});
const good = { name: "a", at: [1, 2], from: null, means: { loss: 0.5 } };

describe("a message", () => {
  it("comes back with its fields, without others, and with NaN where JSON has null", () => {
    expect(point({ ...good, extra: 1 }, "")).toEqual(good);
    expect(point({ ...good, note: "n", means: { loss: null } }, "")).toEqual({
      ...good,
      note: "n",
      means: { loss: Number.NaN },
    });
  });

  it.each([
    [null, "the message is null, expected an object"],
    [[], "the message is [], expected an object"],
    [{ ...good, name: 3 }, "name is 3, expected a string"],
    [{ ...good, at: "x" }, 'at is "x", expected a list'],
    [{ ...good, at: [1, -1] }, "at[1] is -1, expected a whole number"],
    [{ ...good, at: [1.5] }, "at[0] is 1.5, expected a whole number"],
    [{ ...good, from: undefined }, "from is nothing, expected a sha256"],
    [{ ...good, from: "ABC" }, 'from is "ABC", expected a sha256'],
    [{ ...good, means: { loss: "0.5" } }, 'means.loss is "0.5", expected a number'],
    [{ ...good, means: [] }, "means is [], expected an object"],
    [{ ...good, note: "x".repeat(100), name: {} }, "name is {}, expected a string"],
  ])("that is %j is refused by its place", (value, problem) => {
    expect(() => point(value, "")).toThrow(problem);
  });
});
