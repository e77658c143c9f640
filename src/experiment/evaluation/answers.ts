import type { OnCount } from "../../concurrency/counted-work.ts";
import type { Params } from "../../tensor/params.ts";
import type { Runtime } from "../../train/runtime.ts";
import { openInference } from "../inference.ts";
import type { Prepared } from "../prepare.ts";
import type { PromptAnswer } from "../results/summary.ts";

/** Answers the configured prompts greedily, with two adapters side by side. */
export async function answerPrompts(
  prepared: Prepared,
  runtime: Runtime,
  adapters: { readonly before: Params; readonly after: Params },
  { onCount, signal }: { readonly onCount?: OnCount | undefined; readonly signal?: AbortSignal | undefined },
): Promise<PromptAnswer[]> {
  const { config, lora } = prepared;
  const { prompts, maxNewTokens } = config.evaluation;
  const engine = openInference(prepared, runtime);
  // An answer that ends early leaves the rest of its tokens out.
  const of = 2 * prompts.length * maxNewTokens;
  let [done, answered] = [0, 0];
  const count = (tokens: number): void => {
    done = Math.min(of, Math.max(done + tokens, answered * maxNewTokens));
    onCount?.({ what: "answering prompts, before and after", unit: "tokens", done, of });
  };
  const answers = async (params: Params): Promise<string[]> => {
    const generator = await engine.withAdapter({ shape: lora, params });
    const tokens = prompts.map((content) => generator.encode([{ role: "user", content }]));
    const texts = await generator.generate(tokens, {
      maxNewTokens,
      seed: config.seed,
      signal,
      onText: () => count(1),
      onAnswer() {
        answered++;
        count(0);
      },
    });
    return texts.map(({ text }) => text.trim());
  };
  try {
    const before = await answers(adapters.before);
    const after = await answers(adapters.after);
    return prompts.map((prompt, i) => ({ prompt, before: before[i]!, after: after[i]! }));
  } finally {
    await engine.dispose();
  }
}
