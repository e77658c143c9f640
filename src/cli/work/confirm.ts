import { createInterface } from "node:readline/promises";
import type { UserError } from "../../diagnostics/user-error.ts";
import type { CommandContext } from "../command.ts";

export interface Question {
  readonly text: string;
  /** Sentence for a place where nobody can be asked. */
  readonly unasked: string;
  /** Sentence for the answer no. */
  readonly denied: string;
  readonly refusal: (why: string) => UserError;
}

/** Asks a yes-or-no question on the terminal. Throws the refusal if the answer is no, or if nobody can be asked. */
export async function confirm(
  { text, unasked, denied, refusal }: Question,
  { stderr }: Pick<CommandContext, "stderr">,
): Promise<void> {
  if (!process.stdin.isTTY || !stderr.live) throw refusal(unasked);
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await prompt.question(`${text} [y/N] `);
    if (!/^\s*y(es)?\s*$/i.test(answer)) throw refusal(denied);
  } finally {
    prompt.close();
  }
}
