import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";

export interface AskedJudge {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: {
    readonly model: string;
    readonly messages: readonly { readonly role: string; readonly content: string }[];
    readonly temperature?: number;
    readonly max_tokens?: number;
    readonly max_completion_tokens?: number;
  };
}

/** What the server does with a question; a text is what the judge says. */
export type JudgeReply =
  | string
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown }
  /** Cuts the connection without an answer, or in the middle of one; or never answers. */
  | { readonly fault: "cut" | "cut in the body" | "silence" };

/** An OpenAI-compatible endpoint that says what a script tells it to. */
export class JudgeServer {
  readonly asked: AskedJudge[] = [];
  /** The most questions that were under way at once. */
  most = 0;
  /** Before each answer. */
  delayMs = 0;
  script: (asked: AskedJudge, number: number) => JudgeReply;
  #running = 0;
  readonly #server: Server;

  private constructor(script: JudgeServer["script"]) {
    this.script = script;
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  static async start(script: JudgeServer["script"]): Promise<JudgeServer> {
    const server = new JudgeServer(script);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#running++;
    this.most = Math.max(this.most, this.#running);
    response.on("close", () => this.#running--);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const asked = {
      path: request.url ?? "",
      authorization: request.headers.authorization,
      body: JSON.parse(Buffer.concat(chunks).toString("utf8")) as AskedJudge["body"],
    };
    const reply = this.script(asked, this.asked.push(asked) - 1);
    if (this.delayMs > 0) await pause(this.delayMs);
    if (typeof reply === "object" && "fault" in reply) {
      if (reply.fault === "silence") return;
      if (reply.fault === "cut") {
        request.socket.destroy();
        return;
      }
      response.writeHead(200, { "content-type": "application/json", "content-length": "500" });
      response.write('{"choices": [{"message":', () => request.socket.destroy());
      return;
    }
    const { status, headers, body } =
      typeof reply === "string"
        ? { status: 200, headers: {}, body: completion(reply) }
        : { headers: {}, body: {}, ...reply };
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  }
}

function completion(content: string): unknown {
  return {
    id: "chatcmpl-1",
    object: "chat.completion",
    choices: [{ index: 0, message: { role: "assistant", content }, finish_reason: "stop" }],
    usage: { prompt_tokens: 20, completion_tokens: 5, total_tokens: 25 },
  };
}
