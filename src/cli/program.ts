import { Command as Program, Option } from "commander";
import {
  addCommand,
  addGroup,
  configure,
  examplesHelp,
  type Group,
  helpWidth,
  type ProgramContext,
} from "./commander.ts";
import type { Command, Example } from "./command.ts";
import { advanced, nonBlank } from "./flag.ts";

interface ListedCommand {
  /** One word, or the name of a group and a word. */
  readonly name: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** True for a command that describes all the others. */
  readonly needsAll?: boolean;
  /** The file is read when the command is used, so that the list of commands is quick. */
  readonly load: () => Promise<{ readonly command: Command }>;
}

/** Groups of commands, by name. */
const GROUPS: Readonly<Record<string, Group>> = {
  federation: {
    summary: "make a federation, invite organisations and revoke them",
    description:
      "Makes the keys of a federation and decides which organisations are its members. Each member joins with an invitation and makes its own key.",
    examples: [
      ['npx openfedllm federation init --name "Hospitals"', "make the keys, in the folder federation"],
      ["npx openfedllm federation invite clinic --server wss://hub.example.org", "print an invitation for clinic"],
      ["npx openfedllm federation members", "list members and invitations"],
      ["npx openfedllm federation revoke clinic", "end a membership at once"],
    ],
  },
  privacy: {
    summary: "plan the differential privacy of a run, and report what was spent",
    description: "Says what differential privacy costs a run before it begins, and what it cost once it ran.",
    examples: [
      ["npx openfedllm privacy plan my.yaml", "ε by round, and how large the noise is"],
      ["npx openfedllm privacy report runs/my", "a page to sign: what is guaranteed, and what is not"],
    ],
  },
};

/** Every command, in the order of the help. */
export const COMMANDS: readonly ListedCommand[] = [
  {
    name: "run",
    summary: "train with every client of a configuration, or continue a stopped run",
    load: () => import("./commands/run.ts"),
  },
  {
    name: "init",
    summary: "look at files of records and write settings that suit them",
    load: () => import("./commands/init.ts"),
  },
  {
    name: "host",
    summary: "lead a federation whose members train on machines of their own",
    load: () => import("./commands/host.ts"),
  },
  {
    name: "join",
    summary: "take part in a federation with the records of this machine",
    load: () => import("./commands/join.ts"),
  },
  {
    name: "leave",
    summary: "take this site out of its federation",
    load: () => import("./commands/leave.ts"),
  },
  {
    name: "rehearse",
    summary: "play a whole federation on this machine, before anybody is invited",
    load: () => import("./commands/rehearse.ts"),
  },
  {
    name: "coordinate",
    summary: "coordinate a run whose clients are processes of their own",
    load: () => import("./commands/coordinate.ts"),
  },
  {
    name: "participate",
    summary: "take part in a coordinated run with the records of this machine",
    load: () => import("./commands/participate.ts"),
  },
  {
    name: "federation init",
    summary: "make the folder of a new federation, with its keys",
    load: () => import("./commands/federation-init.ts"),
  },
  {
    name: "federation invite",
    summary: "print an invitation for one organisation",
    load: () => import("./commands/federation-invite.ts"),
  },
  {
    name: "federation members",
    summary: "list the members and the invitations",
    load: () => import("./commands/federation-members.ts"),
  },
  {
    name: "federation status",
    summary: "show who is connected, who is awaited, and what travels",
    load: () => import("./commands/federation-status.ts"),
  },
  {
    name: "federation revoke",
    summary: "end a membership, or an invitation, at once",
    load: () => import("./commands/federation-revoke.ts"),
  },
  {
    name: "federation purge",
    summary: "delete from the server what a run has left there",
    load: () => import("./commands/federation-purge.ts"),
  },
  {
    name: "score",
    summary: "measure how well a model predicts the answers in a file",
    load: () => import("./commands/score.ts"),
  },
  { name: "generate", summary: "answer one prompt", load: () => import("./commands/generate.ts") },
  {
    name: "chat",
    summary: "talk with a model, or with several models side by side",
    load: () => import("./commands/chat.ts"),
  },
  {
    name: "serve",
    summary: "answer over OpenAI's API, with each adapter as a model",
    load: () => import("./commands/serve.ts"),
  },
  {
    name: "eval",
    summary: "run benchmarks on a base and its adapters, with intervals",
    load: () => import("./commands/eval.ts"),
  },
  {
    name: "sweep",
    summary: "train all runs of a file, one after another, and compare them",
    load: () => import("./commands/sweep.ts"),
  },
  {
    name: "compare",
    summary: "show finished runs side by side, in tables and charts",
    load: () => import("./commands/compare.ts"),
  },
  {
    name: "report",
    summary: "make the page of a run anew",
    load: () => import("./commands/report.ts"),
  },
  {
    name: "memorisation",
    summary: "measure how much a run's adapters remember of their training records",
    load: () => import("./commands/memorisation.ts"),
  },
  {
    name: "export",
    summary: "write an adapter or a merged model in the format of another program",
    load: () => import("./commands/export.ts"),
  },
  {
    name: "publish",
    summary: "push an exported folder to the Hugging Face Hub",
    load: () => import("./commands/publish.ts"),
  },
  {
    name: "audit",
    summary: "check the audit logs of a federation and of its sites",
    load: () => import("./commands/audit.ts"),
  },
  {
    name: "partition",
    summary: "show how the data is divided among clients, without training",
    load: () => import("./commands/partition.ts"),
  },
  {
    name: "plan",
    summary: "state memory, time and traffic of a run, and passes over records, before it begins",
    load: () => import("./commands/plan.ts"),
  },
  {
    name: "privacy plan",
    summary: "state ε by round and the size of the noise, before a run begins",
    load: () => import("./commands/privacy-plan.ts"),
  },
  {
    name: "privacy report",
    summary: "write what each client of a run was promised and has spent, as a page to sign",
    load: () => import("./commands/privacy-report.ts"),
  },
  {
    name: "doctor",
    summary: "check whether this machine can train, and what it lacks",
    load: () => import("./commands/doctor.ts"),
  },
  {
    name: "config",
    summary: "check a configuration and print it with every default",
    load: () => import("./commands/config.ts"),
  },
  {
    name: "download",
    summary: "download a model or a dataset of the Hugging Face Hub",
    load: () => import("./commands/download.ts"),
  },
  {
    name: "completion",
    summary: "print a script with which a shell completes the command line",
    needsAll: true,
    load: () => import("./commands/completion.ts"),
  },
];

const EXAMPLES: readonly Example[] = [
  ["npx openfedllm run examples/quickstart.yaml", "train: four organisations, one model"],
  ["npx openfedllm run my.yaml --set federation.rounds=20", "train with one setting changed"],
  ["npx openfedllm run --help", "show the options of a command"],
];

export interface ProgramOptions extends ProgramContext {
  readonly version: string;
  /** Arguments of the command line. Only the commands that are named in them are loaded. */
  readonly args: readonly string[];
}

/** The commands and their flags, ready to parse the arguments. */
export async function createProgram({ version, args, ...context }: ProgramOptions): Promise<Program> {
  const program = new Program("openfedllm")
    .description("Tune one language model together without sharing text.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "show the common commands and options")
    .addOption(new Option("--help-all", "show every option, and with run every setting"))
    .addOption(pluginOption())
    .addOption(advanced(new Option("--debug", "print the stack trace of an error")));
  const all = COMMANDS.some(({ name, needsAll }) => needsAll === true && args.includes(name));
  const groups = new Map<string, Program>();
  for (const { name, summary, load } of COMMANDS) {
    const words = name.split(" ");
    const { command } = all || words.every((word) => args.includes(word)) ? await load() : {};
    const [group, own] = words.length === 1 ? [undefined, name] : [words[0]!, words[1]!];
    if (group !== undefined && !groups.has(group)) {
      groups.set(group, addGroup(program, { name: group, ...GROUPS[group]! }, context));
    }
    const parent = group === undefined ? program : groups.get(group)!;
    addCommand(parent, { name: own, summary, command }, context);
  }
  configure(program, context);
  return program.addHelpText("after", examplesHelp(EXAMPLES, helpWidth(context.context)));
}

/** The files are loaded before commands are (`loadPlugins`). Here the option is checked and shown. */
function pluginOption(): Option {
  const option = new Option(
    "--plugin <file>",
    "use algorithms, objectives and benchmarks of a file of your own; it is code that runs with your rights; may be given several times",
  );
  return advanced(option.argParser((file: string) => nonBlank(file)));
}
