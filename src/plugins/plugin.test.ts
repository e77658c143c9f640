import { describe, expect, it, test } from "vitest";
import { z } from "zod";
import { algorithmOf, ALGORITHMS } from "../algorithms/registry.ts";
import { BENCHMARKS } from "../evaluation/benchmark-registry.ts";
import { siteConfig } from "../experiment/site-task.ts";
import { inertSettings } from "../settings/inert-settings.ts";
import { parseExperiment } from "../settings/parse.ts";
import { parseSite } from "../settings/site.ts";
import { objectiveOf, OBJECTIVES } from "../train/objective-registry.ts";
import { type Plugin, pluginsOf, pluginsThatDiffer, refuseMissingPlugins, usePlugin } from "./plugin.ts";

const { fedavg } = ALGORITHMS;
const { crass } = BENCHMARKS;

/** FedAvg under another name, with settings. */
const algorithm = (name: string, settings: Record<string, z.ZodType> = {}) => ({
  settings,
  make: (_values: never, fidelity: "paper" | "original") => ({ ...fedavg.make({}, fidelity), name }),
});
const objective = (name: string, changes: object = {}) => ({
  settings: {},
  make: () => ({ ...objectiveOf("sft"), name, ...changes }),
});
const described = (text = "A setting."): z.ZodType => z.number().optional().describe(text);

let loaded = 0;
const use = (plugin: unknown, sha256 = `sha${++loaded}`): void =>
  usePlugin(plugin as Plugin, { file: "my/own.mjs", sha256 });
const settings = (federation: object, more: object = {}) =>
  parseExperiment(
    { model: { base: "m" }, data: { train: "f" }, federation: { clients: 2, ...federation }, ...more },
    "test",
  );

describe("a plugin", () => {
  it("adds names and settings that a configuration may have from then on", () => {
    expect(() => settings({ algorithm: "calm", calmness: 2 })).toThrow(
      /federation\.algorithm is "calm", expected one of fedavg, .*needs --plugin FILE/s,
    );
    const before = settings({});
    use({
      algorithms: { calm: algorithm("calm", { calmness: described("Calm's own.") }) },
      objectives: { plain: objective("plain") },
      benchmarks: { mine: { ...crass, title: "Mine" } },
    });
    const config = settings(
      { algorithm: "calm", calmness: 2 },
      { objective: { name: "plain" }, evaluation: { benchmarks: [{ name: "mine" }] } },
    );
    expect(config.federation).toMatchObject({ algorithm: "calm", calmness: 2 });
    expect(algorithmOf(config.federation.algorithm, config.federation).name).toBe("calm");
    expect(objectiveOf(config.objective.name).name).toBe("plain");
    // A run that does not use it has the settings that it had, byte for byte.
    expect(JSON.stringify(settings({}))).toBe(JSON.stringify(before));
    expect(inertSettings(settings({ calmness: 2 }))).toEqual([
      'federation.calmness (2) has no effect: only calm reads it, and federation.algorithm is "fedavg"',
    ]);
    expect(parseSite({ allow: { algorithms: ["calm"], objectives: ["plain"] } }, "site").allow.algorithms).toEqual([
      "calm",
    ]);
  });

  it("a second time changes nothing", () => {
    const plugin = { algorithms: { twice: algorithm("twice") } };
    use(plugin, "same");
    use(plugin, "same");
    expect(() => use(plugin, "other")).toThrow("the algorithm name twice is taken by one of my/own.mjs");
  });

  test.each<[string, unknown, string | RegExp]>([
    ["nothing", undefined, "it gives undefined, expected { algorithms, objectives, benchmarks }"],
    ["an empty object", {}, "it has no algorithm, objective or benchmark"],
    ["a misspelt kind", { algorithm: {} }, "it gives algorithm, expected only algorithms, objectives, benchmarks"],
    ["a list", { algorithms: [algorithm("a")] }, "algorithms is no object with a name for each"],
    [
      "a name of this program",
      { objectives: { sft: objective("sft") } },
      "the objective name sft is taken by one of this program",
    ],
    [
      "a name with a space",
      { algorithms: { "a b": algorithm("a b") } },
      'algorithm "a b": a name is of letters, digits, - and _',
    ],
    ["no declaration", { algorithms: { bad: () => fedavg } }, "algorithm bad: it is no { settings, make }"],
    [
      "another own name",
      { algorithms: { bad: algorithm("good") } },
      'algorithm bad: its name is "good", expected "bad"',
    ],
    [
      "a setting without a schema",
      { algorithms: { bad: algorithm("bad", { mu: 3 as never }) } },
      "its setting mu is no zod schema",
    ],
    [
      "a setting without a description",
      { algorithms: { bad: algorithm("bad", { mu: z.number().optional() }) } },
      "its setting mu has no description",
    ],
    [
      "a setting that must be given",
      { algorithms: { bad: algorithm("bad", { mu: z.number().describe("M.") }) } },
      /make fails without settings: .*mu/s,
    ],
    [
      "a setting with a default",
      { algorithms: { bad: algorithm("bad", { mu: z.number().default(1).describe("M.") }) } },
      "a new setting has a default",
    ],
    [
      "a setting of its section",
      { algorithms: { bad: algorithm("bad", { clients: described() }) } },
      "there is a setting federation.clients of another meaning",
    ],
    [
      "a setting of another algorithm",
      { algorithms: { bad: algorithm("bad", { proxMu: described() }) } },
      "fedprox and bad declare different settings proxMu",
    ],
    [
      "a part of the wrong type",
      { objectives: { bad: objective("bad", { loss: 3 }) } },
      "objective bad: loss is number, expected a function",
    ],
    [
      "items of no kind",
      { objectives: { bad: objective("bad", { items: "song" }) } },
      'items is "song", expected one of example, pair, rated',
    ],
    [
      "make that throws",
      { objectives: { bad: { settings: {}, make: () => JSON.parse("{") } } },
      "objective bad: make fails without settings",
    ],
    [
      "a benchmark without metrics",
      { benchmarks: { bad: { ...crass, metrics: [] } } },
      "benchmark bad: metrics is empty",
    ],
    [
      "a benchmark without grade",
      { benchmarks: { bad: { ...crass, grade: undefined } } },
      "benchmark bad: grade is undefined, expected a function",
    ],
  ])("with %s is refused, and adds nothing", (_what, plugin, message) => {
    const names = (): string[] => [ALGORITHMS, OBJECTIVES, BENCHMARKS].flatMap((registry) => Object.keys(registry));
    const before = names();
    expect(() => use(plugin)).toThrow(message);
    expect(() => use(plugin)).toThrow(/^plugin my\/own\.mjs: /);
    expect(names()).toEqual(before);
    expect(settings({}).federation.algorithm).toBe("fedavg");
  });
});

describe("the plugins of a configuration", () => {
  it("are those that have what it names", () => {
    use({ algorithms: { third: algorithm("third") } }, "c3");
    use({ objectives: { fourth: objective("fourth") } }, "b4");
    const both = settings({ algorithm: "third" }, { objective: { name: "fourth" } });
    expect(pluginsOf(both).map(({ sha256 }) => sha256)).toEqual(["b4", "c3"]);
    expect(pluginsOf(settings({ algorithm: "third" }))).toEqual([{ file: "own.mjs", sha256: "c3" }]);
    expect(pluginsOf(settings({}))).toEqual([]);
  });

  it("differ by their code, not by the names of their files", () => {
    const now = [{ file: "a.mjs", sha256: "1".repeat(64) }];
    expect(pluginsThatDiffer([{ file: "b.mjs", sha256: "1".repeat(64) }], now)).toEqual([]);
    expect(pluginsThatDiffer(undefined, [])).toEqual([]);
    expect(pluginsThatDiffer(undefined, now)).toEqual([`the plugin was none, is a.mjs ${"1".repeat(12)}…`]);
    expect(pluginsThatDiffer(now, [])).toEqual([`the plugin was a.mjs ${"1".repeat(12)}…, is none`]);
    expect(pluginsThatDiffer("a.mjs", now)).toEqual(["its list of plugins is damaged"]);
  });

  it("have to be here for a task of a federation, and the task brings none", () => {
    use({ algorithms: { fifth: algorithm("fifth") } }, "5".repeat(64));
    const manifest = (algorithm: string, plugins?: unknown) => ({
      protocol: 1,
      algorithm,
      clients: ["a"],
      settings: { model: "w", config: { model: { base: "m" }, data: {}, federation: { algorithm } }, plugins },
    });
    const site = parseSite({ data: { train: "mine.jsonl" } }, "site");
    const accept = (...task: Parameters<typeof manifest>) => siteConfig(manifest(...task) as never, site, "a");
    expect(accept("fifth", [{ file: "x.mjs", sha256: "5".repeat(64) }]).federation.algorithm).toBe("fifth");
    expect(() => accept("fifth", [{ file: "x.mjs", sha256: "6".repeat(64) }])).toThrow(
      `the federation works with the plugin x.mjs (sha256 ${"6".repeat(64)}), and loaded here: `,
    );
    expect(() => accept("sixth", [{ file: "https://example.org/x.mjs", sha256: "0" }])).toThrow(
      "https://example.org/x.mjs",
    );
    expect(() => refuseMissingPlugins([{ file: 3 }])).toThrow("names its plugins in a form");
  });
});
