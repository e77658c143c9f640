import { describe, expect, it } from "vitest";
import { z } from "zod";
import { build, type Declared, fieldsOf, readersOf } from "./declared.ts";

const SHARED = z.number().optional().describe("Shared by two.");
const DECAY = z.number().default(0.9).describe("Decay.");

const one = {
  settings: { shared: SHARED, own: z.number().default(2).describe("Only one's.") },
  make: (settings: object, unit: string) => [unit, settings] as const,
};
const two = {
  settings: { shared: SHARED, server: z.object({ decay: DECAY }).prefault({}) },
  make: (settings: object, unit: string) => [unit, settings] as const,
};
const three = {
  settings: { server: z.object({ rate: z.number().optional().describe("Rate."), decay: DECAY }).prefault({}) },
  make: (settings: object, unit: string) => [unit, settings] as const,
};
const REGISTRY = { one, two, three };

describe("a thing that is chosen by name", () => {
  it("is given its own settings, with their defaults, and no other's", () => {
    const values = { shared: 1, own: 3, server: { rate: 0.5, decay: 0.7 } };
    expect(build(one, values, "kg")).toEqual(["kg", { shared: 1, own: 3 }]);
    expect(build(two, values, "kg")).toEqual(["kg", { shared: 1, server: { decay: 0.7 } }]);
    expect(build(one, {}, "kg")).toEqual(["kg", { own: 2 }]);
    expect(build(three, {}, "kg")).toEqual(["kg", { server: { decay: 0.9 } }]);
    expect(() => build(one, { own: "much" }, "kg")).toThrow("own");
  });

  it("is told at compile time what it is given", () => {
    const typed: Declared<typeof one.settings, [], number> = {
      settings: one.settings,
      make: ({ shared = 5, own }) => shared * own,
    };
    expect(build(typed, { own: 3 })).toBe(15);
  });
});

describe("the settings of a registry", () => {
  it("are each there once, sections joined, with the names of their readers", () => {
    const schema = z.strictObject(fieldsOf(REGISTRY));
    expect(schema.parse({})).toEqual({ own: 2, server: { decay: 0.9 } });
    expect(schema.safeParse({ server: { rat: 1 } }).success).toBe(false);
    const { properties } = z.toJSONSchema(schema, { io: "input" }) as unknown as {
      properties: Record<string, { description?: string; properties?: Record<string, { description: string }> }>;
    };
    expect(properties["shared"]!.description).toBe("Shared by two. Read by one, two.");
    expect(properties["own"]!.description).toBe("Only one's. Read by one.");
    expect(properties["server"]!.properties!["decay"]!.description).toBe("Decay. Read by two, three.");
    expect(properties["server"]!.properties!["rate"]!.description).toBe("Rate. Read by three.");
  });

  it("are known by their dotted keys with who reads them", () => {
    expect(Object.fromEntries(readersOf(REGISTRY))).toEqual({
      shared: ["one", "two"],
      own: ["one"],
      "server.decay": ["two", "three"],
      "server.rate": ["three"],
    });
  });

  it("cannot have two meanings of one key", () => {
    const other = { settings: { shared: z.string().optional().describe("Another.") }, make: () => 0 };
    expect(() => fieldsOf({ one, other })).toThrow("one and other declare different settings shared");
  });
});
