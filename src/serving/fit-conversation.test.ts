import { expect, test } from "vitest";
import type { Message } from "../data/messages.ts";
import { fitConversation } from "./fit-conversation.ts";

const user = (content: string): Message => ({ role: "user", content });
const assistant = (content: string): Message => ({ role: "assistant", content });
const system: Message = { role: "system", content: "S" };
/** A token a character. */
const answerer = {
  maxLength: 10,
  holdsConversations: true,
  encodeConversation: (messages: readonly Message[]) =>
    new Int32Array(messages.reduce((sum, { content }) => sum + content.length, 0)),
};
const talk = [user("one"), assistant("a"), user("two"), assistant("bb"), user("six")];

test.each([
  [[...talk], 0, talk.slice(2), 2],
  [[...talk], 2, talk.slice(2), 2],
  [[...talk], 3, talk.slice(4), 4],
  [[system, ...talk], 1, [system, ...talk.slice(2)], 2],
  [[system, ...talk], 2, [system, ...talk.slice(4)], 4],
  [talk.slice(0, 1), 3, talk.slice(0, 1), 0],
  // The last question alone is too long: that is for the answerer to say.
  [[...talk.slice(0, 2), user("x".repeat(30))], 3, [user("x".repeat(30))], 2],
])("the oldest turns go, question and answer, until so many tokens are left: %#", (messages, room, kept, dropped) => {
  const fitted = fitConversation(messages, room, answerer);
  expect(fitted).toEqual({ messages: kept, prompt: answerer.encodeConversation(kept), dropped });
});

test("a template that holds one question gets the last, and the system message", () => {
  const one = { ...answerer, maxLength: 1000, holdsConversations: false };
  expect(fitConversation([system, ...talk], 0, one).messages).toEqual([system, talk.at(-1)]);
});
