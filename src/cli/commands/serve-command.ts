import { UserError } from "../../diagnostics/user-error.ts";
import type { TemplateName } from "../../data/template.ts";
import { checkReach, serveOpenAi } from "../../node/http-server.ts";
import { loadAnswerer } from "../../jobs/load-answerer.ts";
import { parseAdapterFolder } from "../../node/model/adapter-name.ts";
import type { Access } from "../../serving/openai-app.ts";
import type { CommandContext } from "./command-context.ts";
import { describeFailure } from "../failure.ts";
import { watchInterruption } from "../interruption.ts";
import { withModel } from "./model-command.ts";
import type { Environment } from "../output.ts";
import { oneLine } from "../views/text-width.ts";

export interface ServeFlags {
  readonly model: string;
  readonly adapter: readonly string[];
  readonly host: string;
  readonly port: number;
  readonly apiKeyEnv?: string;
  readonly allowOrigin: readonly string[];
  readonly template: TemplateName;
  readonly context: number;
  readonly threads?: number;
}

const KEY_VARIABLE = "OPENFEDLLM_API_KEY";
/** How long answers that are being written may take after the first Ctrl-C. */
const GRACE_MS = 10_000;

export async function serveCommand(flags: ServeFlags, context: CommandContext): Promise<void> {
  const { stdout, stderr } = context;
  const { host, port, model, template } = flags;
  const apiKey = apiKeyOf(flags.apiKeyEnv, process.env);
  // Opening a model may take long.
  checkReach(host, apiKey);
  const adapters = flags.adapter.map(parseAdapterFolder);
  const answerer = await withModel(context, flags.threads, ({ platform, status }) => {
    status.say(`opening ${model}`);
    return loadAnswerer({ model, adapters, template, maxLength: flags.context }, platform);
  });
  try {
    const server = await serveOpenAi(answerer, {
      host,
      port,
      apiKey,
      allowOrigins: flags.allowOrigin,
      onAccess: (access) => stderr.write(`${accessLine(access)}\n`),
      onDefect: (error) =>
        stderr.write(`${describeFailure(error, { style: stderr.style, debug: true }).lines.join("\n")}\n`),
    });
    stdout.write(`listening at ${server.url}\nmodels: ${answerer.names.join(", ")}\n`);
    const interruption = watchInterruption(() =>
      stderr.write("stopping: answers that are being written may end; Ctrl-C again to stop at once\n"),
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
}

function apiKeyOf(given: string | undefined, env: Environment): string | undefined {
  const variable = given ?? KEY_VARIABLE;
  const key = env[variable]?.trim();
  if (given === undefined && key === undefined) return undefined;
  if (key !== undefined && key !== "") return key;
  const state = key === undefined ? "not set" : "empty";
  throw new UserError("config", `the API key is to come from the environment variable ${variable}, which is ${state}`, {
    hint: "Set it to a long random text, such as openssl rand -hex 32 writes.",
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
