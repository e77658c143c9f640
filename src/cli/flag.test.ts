import { InvalidArgumentError } from "commander";
import { describe, expect, expectTypeOf, it } from "vitest";
import { BENCHMARK_DEFAULTS, DEFAULTS } from "./configuration-defaults.ts";
import type { FlagValues } from "./command.ts";
import { allAdvanced, choice, isAdvanced, negated, number, repeated, text, toggle, wholeNumber } from "./flag.ts";
import { COMMANDS } from "./program.ts";

describe("a flag", () => {
  it("is named by its key", () => {
    expect(text("<folder>", "").option("pathsFrom").flags).toBe("--paths-from <folder>");
    expect(toggle("").option("json").flags).toBe("--json");
    expect(negated("").option("base").flags).toBe("--no-base");
  });

  it("has a value of the type of its definition", () => {
    const flags = {
      out: text("<folder>", ""),
      model: text("<ref>", "").required(),
      port: wholeNumber("<n>", "", { min: 0 }).default(8080),
      by: choice("<how>", "", ["paper", "original"]),
      adapter: repeated("<folder>", "").default([], "none"),
    };
    expectTypeOf<FlagValues<typeof flags>>().branded.toEqualTypeOf<{
      readonly out?: string;
      readonly model: string;
      readonly port: number;
      readonly by?: "paper" | "original";
      readonly adapter: readonly string[];
    }>();
  });

  it("refuses a number outside its range", () => {
    const parse = number("<p>", "", { min: 0, max: 1 }).option("topP").parseArg!;
    expect(parse("0.5", undefined)).toBe(0.5);
    for (const wrong of ["1.01", "-0.1", "", "half", "Infinity"]) {
      expect(() => parse(wrong, undefined)).toThrow(new InvalidArgumentError("Expected a number from 0 to 1."));
    }
  });

  it("is common or advanced", () => {
    const flags = { yes: toggle("") };
    expect(isAdvanced(flags.yes.option("yes"))).toBe(false);
    expect(isAdvanced(allAdvanced(flags).yes.option("yes"))).toBe(true);
  });
});

describe("every command", () => {
  it("has flags that commander stores under their keys", async () => {
    for (const { load } of COMMANDS) {
      for (const [key, flag] of Object.entries((await load()).command.flags)) {
        expect(flag.option(key).attributeName()).toBe(key);
      }
    }
  });

  it("takes the defaults of settings from the schema", async () => {
    const defaultOf = async (command: string, key: string): Promise<unknown> => {
      const { flags } = (await COMMANDS.find(({ name }) => name === command)!.load()).command;
      return flags[key]!.option(key).defaultValue;
    };
    expect(await defaultOf("eval", "maxLength")).toBe(BENCHMARK_DEFAULTS.maxLength);
    expect(await defaultOf("eval", "seed")).toBe(DEFAULTS.seed);
    expect(BENCHMARK_DEFAULTS.maxLength).toBe(2048);
  });
});
