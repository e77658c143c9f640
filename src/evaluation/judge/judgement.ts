import type { Message } from "../../data/messages.ts";
import type { JudgeSettings } from "../judge.ts";

/** What a judge said, with all that it was asked, for keeping and for reading. */
export interface Judgement extends JudgeSettings {
  /** Stands for judge, messages and settings. */
  readonly key: string;
  readonly judge: string;
  readonly messages: readonly Message[];
  readonly text: string;
  /** As the endpoint counted them; null where it does not say. */
  readonly promptTokens: number | null;
  readonly completionTokens: number | null;
}

/** PORT: where judgements are kept as they come, so that none is paid for twice. */
export interface JudgementStore {
  find(key: string): Judgement | undefined;
  /** Kept for good once this resolves. */
  append(judgement: Judgement): Promise<void>;
}

/** Keeps judgements for as long as the process lives. */
export function memoryJudgements(): JudgementStore {
  const kept = new Map<string, Judgement>();
  return {
    find: (key) => kept.get(key),
    append: async (judgement) => void kept.set(judgement.key, judgement),
  };
}

/** Another model, another word or another setting is another question. */
export async function judgementKey(
  judge: string,
  messages: readonly Message[],
  { temperature, maxTokens }: JudgeSettings,
): Promise<string> {
  const said = messages.map(({ role, content }) => [role, content]);
  const bytes = new TextEncoder().encode(JSON.stringify([judge, said, temperature, maxTokens]));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
