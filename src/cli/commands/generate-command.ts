import type { TemplateName } from "../../data/template.ts";
import { generateText } from "../../jobs/generate.ts";
import type { CommandContext } from "./command-context.ts";
import { withModel } from "./model-command.ts";
import { printable } from "../views/text-width.ts";

export interface SamplingFlags {
  readonly maxNewTokens: number;
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly repetitionPenalty: number;
  readonly stop: readonly string[];
  readonly seed: number;
}

export interface GenerateFlags extends SamplingFlags {
  readonly model: string;
  readonly adapter?: string;
  readonly prompt: string;
  readonly system?: string;
  readonly template?: TemplateName;
  readonly threads?: number;
}

export async function generateCommand({ threads, ...options }: GenerateFlags, context: CommandContext): Promise<void> {
  const { stdout } = context;
  // What a model writes must not steer the terminal it is shown on; a pipe gets it as it is.
  const safe = stdout.columns() === undefined ? (text: string): string => text : printable;
  let started = false;
  try {
    await withModel(context, threads, async ({ platform, status, signal, clearStatus }) => {
      status.say(`opening ${options.model}`);
      const onText = (piece: string): void => {
        clearStatus();
        started = true;
        stdout.write(safe(piece));
      };
      await generateText(options, platform, onText, signal);
    });
  } finally {
    if (started) stdout.write("\n");
  }
}
