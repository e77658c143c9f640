import type { DataRecord } from "../data/record.ts";
import { type Attack, defineAttack } from "./attack.ts";

/** Trains on other answers: another label, the answer of another record, the rejected answer as the chosen one. */
export const labelFlip = defineAttack({
  settings: {},
  make: (): Attack => ({ name: "labelFlip", colludes: false, records: withOtherAnswers }),
});

/**
 * Gives records other answers. One of `labels` becomes the next; any other answer becomes that of the next record. Of a pair the
 * answers change places, and a rating turns round. Conversations and plain texts stay as they are.
 */
export function withOtherAnswers(records: readonly DataRecord[], labels: readonly string[]): DataRecord[] {
  return records.map((record, i) => {
    const { content } = record;
    const next = records[(i + 1) % records.length]!;
    switch (content.kind) {
      case "instruction":
        return { ...record, content: { ...content, response: other(content.response, answerOf(next), labels) } };
      case "completion":
        return { ...record, content: { ...content, completion: other(content.completion, answerOf(next), labels) } };
      case "preference":
        return { ...record, content: { ...content, chosen: content.rejected, rejected: content.chosen } };
      case "rated":
        return { ...record, content: { ...content, desirable: !content.desirable } };
      default:
        return record;
    }
  });
}

function other(answer: string, next: string | undefined, labels: readonly string[]): string {
  const label = labels.indexOf(answer.trim());
  if (label >= 0) return answer.replace(labels[label]!, labels[(label + 1) % labels.length]!);
  return next ?? answer;
}

function answerOf({ content }: DataRecord): string | undefined {
  if (content.kind === "instruction") return content.response;
  return content.kind === "completion" ? content.completion : undefined;
}
