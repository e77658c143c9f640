import { settingSections, type Setting } from "./schema-reference.ts";
import { tableLines } from "./table.ts";

/** The settings that most configurations have; their help is the schema's. */
const COMMON_SETTINGS = [
  "model.base",
  "data.clients",
  "data.train",
  "data.template",
  "data.maxLength",
  "training.learningRate",
  "training.localSteps",
  "training.batchSize",
  "federation.rounds",
  "federation.clientsPerRound",
  "evaluation.prompts",
];

/** Commands to copy, each with what it is for where that is not plain. */
export function examples(commands: readonly (readonly [command: string, purpose?: string])[]): string {
  const longest = commands.reduce((width, [command, purpose]) => (purpose === undefined ? width : Math.max(width, command.length)), 0);
  const lines = commands.map(([command, purpose]) => (purpose === undefined ? `  ${command}` : `  ${command.padEnd(longest)}  # ${purpose}`));
  return `\nExamples:\n${lines.join("\n")}`;
}

export function commonSettingsHelp(): string {
  const settings = settingSections().flatMap((section) => section.settings);
  const rows = COMMON_SETTINGS.map((key) => settings.find((setting) => setting.key === key)).filter((setting) => setting !== undefined);
  return `\nMost used settings of a configuration:\n${settingLines(rows).join("\n")}\n\nAll of them: openfedllm run --help-all, docs/configuration.md, openfedllm config --schema.`;
}

export function allSettingsHelp(): string {
  const blocks = settingSections().map(({ settings }) => settingLines(settings).join("\n"));
  return `\nSettings of a configuration (default):\n${blocks.join("\n\n")}`;
}

function settingLines(settings: readonly Setting[]): string[] {
  const rows = settings.map(({ key, fallback, required, description }) => ["", key, required ? `${description} Required.` : fallback === undefined ? description : `${description} (${fallback})`]);
  return tableLines([{}, {}, {}], rows);
}
