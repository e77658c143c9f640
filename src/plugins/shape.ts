import { z } from "zod";
import type { Fidelity } from "../algorithms/settings.ts";
import { itemKind } from "../data/items/registry.ts";
import type { Benchmark } from "../evaluation/benchmark.ts";
import { type AnyDeclared, build } from "../registry/declared.ts";

/** Says what an algorithm of a plugin lacks; undefined where it is one. */
export function algorithmFault(name: string, thing: unknown): string | undefined {
  const made = madeOf(thing, ["paper" satisfies Fidelity]);
  if (typeof made === "string") return made;
  return (
    nameFault(name, made) ??
    choiceFault(made, "data", ["apart", "pooled"]) ??
    kindFault(made, "federated", "boolean") ??
    functionsFault(made, ["localRule", "report", "init", "broadcast", "update", "apply"])
  );
}

/** Says what an objective of a plugin lacks; undefined where it is one. */
export function objectiveFault(name: string, thing: unknown): string | undefined {
  const made = madeOf(thing, []);
  if (typeof made === "string") return made;
  return (
    nameFault(name, made) ??
    choiceFault(made, "items", ["example", "pair", "rated"] satisfies Parameters<typeof itemKind>[0][]) ??
    kindFault(made, "reference", "boolean") ??
    functionsFault(made, ["sequences", "count", "loss", "feeds", "evaluate"])
  );
}

/** Says what a benchmark of a plugin lacks; undefined where it is one. */
export function benchmarkFault(_name: string, thing: unknown): string | undefined {
  if (!isObject(thing)) return `it is ${typeof thing}, expected an object`;
  const { data, generation, metrics } = thing as Partial<Benchmark>;
  return (
    kindFault(thing, "title", "string") ??
    kindFault(thing, "category", "string") ??
    kindFault(thing, "about", "string") ??
    listFault(thing, "sources", (each) => typeof each === "string") ??
    (typeof data?.local === "string" ? undefined : "data.local is no text, expected what a local folder holds") ??
    listFault(thing, "modes", (each) => each === "generation" || each === "likelihood") ??
    kindFault(thing, "shots", "number") ??
    (typeof generation?.maxNewTokens === "number" ? undefined : "generation has no maxNewTokens") ??
    (Array.isArray(generation?.stop) ? undefined : "generation has no list stop") ??
    listFault(thing, "metrics", (each) =>
      ["name", "title", "unit"].every((key) => typeof (each as never)?.[key] === "string"),
    ) ??
    (metrics!.length === 0 ? "metrics is empty, expected at least one" : undefined) ??
    functionsFault(thing, ["load", "grade"])
  );
}

/** Makes a declared thing without settings, as the program does to list who reads what; or says why it cannot. */
function madeOf(thing: unknown, context: readonly unknown[]): object | string {
  const { settings, make } = (isObject(thing) ? thing : {}) as Partial<AnyDeclared<never, unknown>>;
  if (!isObject(settings) || typeof make !== "function") return "it is no { settings, make }";
  for (const [key, field] of Object.entries(settings)) {
    if (!((field as unknown) instanceof z.ZodType)) return `its setting ${key} is no zod schema`;
    const isSection = field instanceof z.ZodPrefault;
    if (!isSection && (field.description ?? "") === "")
      return `its setting ${key} has no description: add .describe("…")`;
  }
  let made: unknown;
  try {
    made = build({ settings, make }, {}, ...(context as never));
  } catch (error) {
    return `make fails without settings: ${(error as Error).message}`;
  }
  return isObject(made) ? made : `make gives ${String(made)}, expected an object`;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function nameFault(name: string, made: { readonly name?: unknown }): string | undefined {
  return made.name === name ? undefined : `its name is ${JSON.stringify(made.name)}, expected ${JSON.stringify(name)}`;
}

function valueOf(made: object, key: string): unknown {
  return (made as Record<string, unknown>)[key];
}

function choiceFault(made: object, key: string, legal: readonly string[]): string | undefined {
  const got = valueOf(made, key);
  return legal.includes(got as string)
    ? undefined
    : `${key} is ${JSON.stringify(got)}, expected one of ${legal.join(", ")}`;
}

function kindFault(made: object, key: string, type: "boolean" | "string" | "number"): string | undefined {
  const got = typeof valueOf(made, key);
  return got === type ? undefined : `${key} is ${got}, expected ${type}`;
}

function functionsFault(made: object, keys: readonly string[]): string | undefined {
  const missing = keys.find((key) => typeof valueOf(made, key) !== "function");
  return missing === undefined ? undefined : `${missing} is ${typeof valueOf(made, missing)}, expected a function`;
}

function listFault(made: object, key: string, isRight: (each: unknown) => boolean): string | undefined {
  const got = valueOf(made, key);
  if (!Array.isArray(got)) return `${key} is no list`;
  return got.every(isRight) ? undefined : `${key} has an entry of another shape`;
}
