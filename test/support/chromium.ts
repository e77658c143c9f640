import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Readable, Writable } from "node:stream";

/** The browser's program: $OPENFEDLLM_CHROMIUM, or of the path. */
const PROGRAMS = [process.env["OPENFEDLLM_CHROMIUM"], "chromium", "chromium-browser", "google-chrome"];

export const chromiumProgram = PROGRAMS.find(
  (program) => program !== undefined && spawnSync(program, ["--version"]).status === 0,
);

type Params = Readonly<Record<string, unknown>>;

export interface Tab {
  /** The addresses that the page asked for, in order. */
  readonly requests: readonly string[];
  /** Errors and refusals that the page wrote to its console. */
  readonly complaints: readonly string[];
  send(method: string, params?: Params): Promise<any>;
  /** Opens an address and waits for the end of its loading. */
  open(url: string): Promise<void>;
  /** The value of an expression, awaited. The page's policy does not hold for it. */
  evaluate<T>(expression: string): Promise<T>;
}

export interface Chromium {
  openTab(): Promise<Tab>;
  close(): Promise<void>;
}

/** Starts a browser without windows. It speaks the DevTools protocol over pipes: messages end with a zero byte. */
export async function startChromium(): Promise<Chromium> {
  const profile = mkdtempSync(path.join(tmpdir(), "openfedllm-chromium-"));
  const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"];
  const child: ChildProcess = spawn(
    chromiumProgram!,
    [...flags, "--disable-dev-shm-usage", "--remote-debugging-pipe", `--user-data-dir=${profile}`],
    { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] },
  );
  const ended = new Promise((resolve) => child.on("close", resolve));
  const [to, from] = [child.stdio[3] as Writable, child.stdio[4] as Readable];
  const waiting = new Map<number, { resolve: (value: any) => void; reject: (error: Error) => void }>();
  const listeners: ((message: any) => void)[] = [];
  let rest = "";
  from.setEncoding("utf8").on("data", (chunk: string) => {
    const messages = (rest + chunk).split("\0");
    rest = messages.pop()!;
    for (const text of messages) {
      const message = JSON.parse(text);
      const call = waiting.get(message.id);
      if (call === undefined) for (const listen of listeners) listen(message);
      else if (message.error === undefined) call.resolve(message.result);
      else call.reject(new Error(message.error.message));
    }
  });
  void ended.then(() => waiting.forEach(({ reject }) => reject(new Error("the browser has ended"))));
  let calls = 0;
  const send = (method: string, params: Params = {}, sessionId?: string): Promise<any> =>
    new Promise((resolve, reject) => {
      const id = ++calls;
      waiting.set(id, { resolve, reject });
      to.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    });
  return {
    async openTab() {
      const { targetId } = await send("Target.createTarget", { url: "about:blank" });
      const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
      const [requests, complaints]: [string[], string[]] = [[], []];
      const loads: (() => void)[] = [];
      listeners.push((message) => {
        if (message.sessionId !== sessionId) return;
        if (message.method === "Network.requestWillBeSent") requests.push(message.params.request.url);
        if (message.method === "Log.entryAdded") complaints.push(message.params.entry.text);
        if (message.method === "Runtime.exceptionThrown") complaints.push(message.params.exceptionDetails.text);
        if (message.method === "Page.loadEventFired") loads.splice(0).forEach((loaded) => loaded());
      });
      const own = (method: string, params?: Params): Promise<any> => send(method, params, sessionId);
      for (const domain of ["Page", "Network", "Log", "Runtime"]) await own(`${domain}.enable`);
      return {
        requests,
        complaints,
        send: own,
        async open(url) {
          const loaded = new Promise<void>((resolve) => loads.push(resolve));
          await own("Page.navigate", { url });
          await loaded;
        },
        async evaluate(expression) {
          const { result, exceptionDetails } = await own("Runtime.evaluate", {
            expression,
            awaitPromise: true,
            returnByValue: true,
          });
          if (exceptionDetails !== undefined)
            throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
          return result.value;
        },
      };
    },
    async close() {
      // Its helper processes write into the profile until it has ended by itself.
      const late = setTimeout(() => child.kill("SIGKILL"), 10_000);
      await send("Browser.close").catch(() => undefined);
      await ended;
      clearTimeout(late);
      rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}
