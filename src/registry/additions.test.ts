import { expect, it } from "vitest";
import { addTo, derived, removeFrom } from "./additions.ts";

it("what is made from registries is made once, and anew after each change", () => {
  const registry: Record<string, number> = { one: 1 };
  let made = 0;
  const names = derived(() => (made++, Object.keys(registry)));
  expect(names()).toBe(names());
  expect(made).toBe(1);
  addTo(registry, "two", 2);
  expect(names()).toEqual(["one", "two"]);
  removeFrom(registry, "one");
  expect(names()).toEqual(["two"]);
  expect(made).toBe(3);
});
