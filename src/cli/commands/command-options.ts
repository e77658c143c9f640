import { type Command, InvalidArgumentError, Option } from "commander";
import { TEMPLATES } from "../../data/template.ts";
import { collect, collectTexts, numberFlag, textFlag } from "./option-values.ts";

/** Whether an option is left to `--help-all`. */
const ADVANCED = Symbol("advanced");

export function advanced(option: Option): Option {
  return Object.assign(option, { [ADVANCED]: true });
}

export function isAdvanced(option: Option): boolean {
  return ADVANCED in option;
}

export const setOption = (): Option =>
  new Option("--set <key=value>", "change one setting of the file; give it again for more")
    .argParser(collect)
    .default([], "none");
export const modelOption = (): Option =>
  new Option("--model <ref>", "base model: a local folder, org/name on the Hugging Face Hub, or npm:package")
    .argParser(textFlag)
    .makeOptionMandatory();
export const adapterOption = (): Option =>
  new Option("--adapter <folder>", "adapter to apply to it (PEFT layout); default: the bare base").argParser(textFlag);
export const templateOption = (): Option =>
  new Option("--template <name>", "how text is put to the model").choices(Object.keys(TEMPLATES)).default("chat");
/** Adds what every command that writes text takes. */
export function addSampling(command: Command, maxNewTokens: number): Command {
  for (const option of samplingOptions(maxNewTokens)) command.addOption(option);
  return command;
}

const samplingOptions = (maxNewTokens: number): Option[] => [
  new Option("--max-new-tokens <n>", "longest answer")
    .argParser(numberFlag({ integer: true, min: 1 }))
    .default(maxNewTokens),
  new Option("--temperature <t>", "0 takes the likeliest token every time; above, answers vary")
    .argParser(numberFlag({ min: 0 }))
    .default(0),
  advanced(
    new Option("--top-k <n>", "choose among this many likeliest tokens; 0: all")
      .argParser(numberFlag({ integer: true, min: 0 }))
      .default(0),
  ),
  advanced(
    new Option("--top-p <p>", "choose among the likeliest tokens that together reach this probability")
      .argParser(numberFlag({ min: 0, max: 1 }))
      .default(1),
  ),
  advanced(
    new Option("--repetition-penalty <p>", "above 1, tokens that are there already become less likely")
      .argParser(numberFlag({ min: 0.01 }))
      .default(1),
  ),
  advanced(
    new Option("--stop <text>", "end the answer before this text; may be given again and again")
      .argParser(collectTexts)
      .default([], "none"),
  ),
  advanced(
    new Option("--seed <n>", "what the choice follows from")
      .argParser(numberFlag({ integer: true, min: 0 }))
      .default(42),
  ),
];
export const contextOption = (): Option =>
  advanced(
    new Option("--context <tokens>", "longest prompt and answer together, where the model has positions for so many")
      .argParser(numberFlag({ integer: true, min: 8 }))
      .default(2048),
  );
export const threadsOption = (): Option =>
  advanced(
    new Option("--threads <n>", "threads of the engine; default: one a processor").argParser(
      numberFlag({ integer: true, min: 1, max: 256 }),
    ),
  );

/** What benchmarks may be graded with; `common`: shown by --help too. */
export function withGrading(command: Command, { common }: { readonly common: boolean }): Command {
  const price = (text: string): { prompt: number; completion: number } => {
    const [prompt = Number.NaN, completion = Number.NaN, ...more] = text.split(",").map(Number);
    if (more.length > 0 || !(prompt >= 0) || !(completion >= 0)) {
      throw new InvalidArgumentError("Expected two prices, such as 2.5,10.");
    }
    return { prompt, completion };
  };
  const options = [
    new Option("--allow-code-execution", "let benchmarks of code run what the model wrote, confined"),
    new Option("--judge-url <address>", "OpenAI-compatible endpoint of the judge, for open-ended benchmarks").argParser(
      textFlag,
    ),
    new Option("--judge-model <name>", "the model there that judges").argParser(textFlag),
    new Option("--judge-key-env <variable>", "environment variable with its key")
      .argParser(textFlag)
      .default("OPENAI_API_KEY"),
    new Option("--judge-price <in,out>", "prices for a million tokens, to show the cost beforehand").argParser(price),
    new Option("--yes", "judge without asking whether to go on"),
  ];
  const rare = [
    new Option("--judge-concurrency <n>", "questions to the judge under way at once")
      .argParser(numberFlag({ integer: true, min: 1, max: 64 }))
      .default(4),
    new Option("--judge-max-tokens <n>", "longest verdict, for a judge with a small window").argParser(
      numberFlag({ integer: true, min: 1 }),
    ),
  ];
  for (const option of options) command.addOption(common ? option : advanced(option));
  for (const option of rare) command.addOption(advanced(option));
  return command;
}
