import { TEMPLATES, type TemplateName } from "../../data/template.ts";
import { DEFAULT_WINDOW } from "../../jobs/load-answerer.ts";
import { DEFAULTS } from "../configuration-defaults.ts";
import { anyText, choice, number, repeated, text, wholeNumber } from "../flag.ts";

export const setFlag = repeated("<key=value>", "change one setting of the file; may be given several times").default(
  [],
  "none",
);

export const modelFlag = text(
  "<ref>",
  "base model: a local folder, org/name on the Hugging Face Hub, or npm:package; default: the run's",
);

export const adapterFlag = text(
  "<folder>",
  "adapter to apply to the base (PEFT layout); default: the run's, or the base alone",
);

/** The argument of a command that takes one run folder or none. */
export const runArgument = {
  placeholder: "[run]",
  description: "run folder, which knows its base, template and lengths; its final adapter is taken",
} as const;

/** The argument of a command that takes any number of run folders. */
export const runsArgument = {
  placeholder: "[run...]",
  description: "run folders of one base, which know it and their template; NAME=FOLDER gives an adapter a name",
} as const;

export const templateFlag = choice(
  "<name>",
  `template that turns a conversation into text; default: the run's, or ${DEFAULTS.data.template}`,
  Object.keys(TEMPLATES) as TemplateName[],
);

export const systemFlag = anyText("<text>", "system message before the conversation; default: the run's, or none");

export const contextFlag = wholeNumber(
  "<tokens>",
  "longest prompt and answer together, at most the positions of the model",
  { min: 8 },
)
  .default(DEFAULT_WINDOW)
  .advanced();

/** The place that coordinator and participants meet in. */
export const exchangeFlag = (more: string) => text("<folder>", `shared folder; ${more}`);

export const threadsFlag = wholeNumber("<n>", "number of threads of the engine; default: one for each processor", {
  min: 1,
  max: 256,
}).advanced();

/** Flags of every command that writes text. */
export function samplingFlags(maxNewTokens: number) {
  return {
    maxNewTokens: wholeNumber("<n>", "longest answer, in tokens", { min: 1 }).default(maxNewTokens),
    temperature: number("<t>", "randomness of the answer; 0: always the likeliest token", { min: 0 }).default(0),
    topK: wholeNumber("<n>", "choose among this number of likeliest tokens; 0: all tokens", { min: 0 })
      .default(0)
      .advanced(),
    topP: number("<p>", "choose among the likeliest tokens with this probability in total", { min: 0, max: 1 })
      .default(1)
      .advanced(),
    repetitionPenalty: number("<p>", "above 1: tokens that already occur become less likely", { min: 0.01 })
      .default(1)
      .advanced(),
    stop: repeated("<text>", "end the answer before this text; may be given several times")
      .default([], "none")
      .advanced(),
    seed: wholeNumber("<n>", "seed of the choice of tokens", { min: 0 }).default(DEFAULTS.seed).advanced(),
  };
}
