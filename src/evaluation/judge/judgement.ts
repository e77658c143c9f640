import type { Message } from "../../data/messages.ts";
import { sha256 } from "../../tensor/sha256.ts";
import type { JudgeSettings } from "./judge.ts";

/** A judge's answer with its question and settings. */
export interface Judgement extends JudgeSettings {
  /** A hash of judge, messages and settings. */
  readonly key: string;
  readonly judge: string;
  readonly messages: readonly Message[];
  readonly text: string;
  /** The endpoint's count; null where it gives none. */
  readonly promptTokens: number | null;
  readonly completionTokens: number | null;
}

/** PORT: keeps each judgement at once, so that none is paid for twice. */
export interface JudgementStore {
  find(key: string): Judgement | undefined;
  /** Stores a judgement; it is durable once this resolves. */
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

/** Hashes a question to a judge. Another model, word or setting gives another key. */
export function judgementKey(
  judge: string,
  messages: readonly Message[],
  { temperature, maxTokens }: JudgeSettings,
): Promise<string> {
  const said = messages.map(({ role, content }) => [role, content]);
  return sha256(new TextEncoder().encode(JSON.stringify([judge, said, temperature, maxTokens])));
}
