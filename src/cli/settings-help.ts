import { settingSections, type Setting } from "./schema-reference.ts";
import { padEnd, wrap } from "./views/text-width.ts";

/** The settings that most configurations have. */
const COMMON_SETTINGS = [
  "model.base",
  "data.clients",
  "data.train",
  "data.template",
  "data.maxLength",
  "objective.name",
  "training.learningRate",
  "training.localSteps",
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
  return `\nMost used settings of a configuration:\n${settingLines(common, columns).join("\n")}\n\nAll settings: openfedllm run --help-all, docs/configuration.md, openfedllm config --schema.`;
}

function settingLines(settings: readonly Setting[], columns: number): string[] {
  const indent = settings.reduce((most, { key }) => Math.max(most, key.length), 0) + 4;
  return settings.flatMap(({ key, fallback, required, description }) => {
    const help = required
      ? `${description} Required.`
      : fallback === undefined
        ? description
        : `${description} (${fallback})`;
    return wrap(help, Math.max(30, columns - indent)).map(
      (line, i) => padEnd(i === 0 ? `  ${key}` : "", indent) + line,
    );
  });
}
