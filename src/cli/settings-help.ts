import { settingSections, type Setting } from "./schema-reference.ts";
import { padEnd, wrap } from "./views/text-width.ts";

/** Longest enumeration whose values are listed. */
const MOST_VALUES = 12;

/** The settings that most configurations have. */
const COMMON_SETTINGS = [
  "model.base",
  "data.clients",
  "data.train",
  "data.template",
  "data.maxLength",
  "objective.name",
  "training.learningRate",
  "training.localEpochs",
  "training.batchSize",
  "federation.algorithm",
  "federation.rounds",
  "federation.clientsPerRound",
  "evaluation.prompts",
];

/** Help on the settings of a configuration, for `run --help`: the most used settings or, with `all`, every setting. */
export function settingsHelp(columns: number, all: boolean): string {
  const sections = settingSections();
  if (all) {
    const blocks = sections.map(({ settings }) => settingLines(settings, columns).join("\n"));
    return `\nSettings of a configuration (default):\n${blocks.join("\n\n")}`;
  }
  const settings = sections.flatMap((section) => section.settings);
  const common = COMMON_SETTINGS.flatMap((key) => settings.find((setting) => setting.key === key) ?? []);
  const more = wrap(
    "All settings: openfedllm run --help-all, docs/configuration.md, openfedllm config --schema.",
    columns,
  );
  return ["\nMost used settings of a configuration:", ...settingLines(common, columns), "", ...more].join("\n");
}

function settingLines(settings: readonly Setting[], columns: number): string[] {
  const indent = settings.reduce((most, { key }) => Math.max(most, key.length), 0) + 4;
  return settings.flatMap(({ key, legal = [], fallback, required, description }) => {
    const isListed =
      legal.length > 1 && legal.length <= MOST_VALUES && !legal.every((value) => description.includes(value));
    const values = isListed ? [`One of ${legal.join(", ")}.`] : [];
    const end = required ? ["Required."] : fallback === undefined ? [] : [`(${fallback})`];
    return wrap([description, ...values, ...end].join(" "), Math.max(30, columns - indent)).map(
      (line, i) => padEnd(i === 0 ? `  ${key}` : "", indent) + line,
    );
  });
}
