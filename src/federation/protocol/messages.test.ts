import { expect, it } from "vitest";
import { submission } from "./messages.ts";

it("a submission is a refusal or an update, and a hostile one is neither", () => {
  expect(submission({ client: "a", refused: "no" }, "")).toEqual({ client: "a", refused: "no" });
  expect(() => submission({ client: "a", refused: 5 }, "")).toThrow("refused is 5, expected a string");
  expect(() => submission({ client: "a", update: "../../etc/passwd", base: "b" }, "")).toThrow("update is");
  expect(() => submission(JSON.parse('{"__proto__": {"refused": "x"}, "client": "a"}'), "")).toThrow("base is nothing");
});
