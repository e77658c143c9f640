import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import type { Answerer } from "../serving/answerer.ts";
import { serveOpenAi } from "./http-server.ts";

/** A model whose answer takes as long as `until` says. */
function answererUntil(until: Promise<void>): Answerer {
  return {
    names: ["tiny"],
    maxLength: 100,
    holdsConversations: true,
    encodeConversation: () => Int32Array.of(1),
    encodeText: () => Int32Array.of(1),
    encodeTokens: () => Int32Array.of(1),
    answer: async (_, prompts) => {
      await until;
      return prompts.map(() => ({ text: "fine", tokens: 1, ended: "stop" }) as never);
    },
    tokensBeforeText: 0,
    decodeTokens: () => "",
    scorePrompt: () => Promise.resolve([]),
    dispose: () => Promise.resolve(),
  };
}

const BODY = JSON.stringify({ model: "tiny", messages: [{ role: "user", content: "hi" }] });
const HEAD = `POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${BODY.length}\r\n`;
/** Longer than a test may take: a server that waits for it does not end. */
const FOREVER_MS = 600_000;

async function open(url: string, sent: string): Promise<{ socket: Socket; received: () => string }> {
  const socket = connect(Number(new URL(url).port), "127.0.0.1");
  let received = "";
  socket.on("data", (bytes) => (received += String(bytes))).on("error", () => {});
  await once(socket, "connect");
  socket.write(sent);
  return { socket, received: () => received };
}

describe("a server that stops", () => {
  test.each([
    ["has sent nothing", ""],
    ["has sent half a header", HEAD],
    ["waits for its next request", `GET /v1/models HTTP/1.1\r\nhost: localhost\r\n\r\n`],
  ])("closes at once a connection that %s", async (_, sent) => {
    const server = await serveOpenAi(answererUntil(Promise.resolve()));
    const { socket, received } = await open(server.url, sent);
    if (sent.endsWith("\r\n\r\n")) await expect.poll(received).toContain("tiny");
    else await new Promise((resolve) => setTimeout(resolve, 50));
    const closed = once(socket, "close");
    await server.stop(FOREVER_MS);
    await closed;
  });

  test("lets an answer end, and then closes its connection", async () => {
    let end!: () => void;
    const server = await serveOpenAi(answererUntil(new Promise((resolve) => (end = resolve))));
    const { received } = await open(server.url, `${HEAD}\r\n${BODY}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const stopped = server.stop(FOREVER_MS);
    setTimeout(end, 100);
    await stopped;
    await expect.poll(received).toContain('"content":"fine"');
  });

  test("closes half a body when the grace is over", async () => {
    const server = await serveOpenAi(answererUntil(Promise.resolve()));
    const { socket } = await open(server.url, `${HEAD}\r\n${BODY.slice(0, 10)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const closed = once(socket, "close");
    await server.stop(100);
    await closed;
  });
});
