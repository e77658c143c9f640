import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

/** The server's program: $OPENFEDLLM_NATS_SERVER, of the path, or where Debian puts it. */
const PROGRAMS = [process.env["OPENFEDLLM_NATS_SERVER"], "nats-server", "/usr/sbin/nats-server"];

export const natsProgram = PROGRAMS.find(
  (program) => program !== undefined && (existsSync(program) || spawnSync(program, ["--version"]).status === 0),
);

/** A port that nothing listens on. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

export interface NatsServer {
  readonly url: string;
  /** Starts the server on the same port and folder. */
  start(): Promise<void>;
  /** Ends it by SIGKILL. */
  kill(): Promise<void>;
  /** Ends it and removes its folder. */
  remove(): Promise<void>;
}

/** A NATS server with JetStream on a port of its own on the loopback interface. */
export async function natsServer(): Promise<NatsServer> {
  const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-nats-"));
  const port = await freePort();
  const config = path.join(folder, "server.conf");
  writeFileSync(
    config,
    `host: 127.0.0.1\nport: ${port}\nmax_payload: 4MB\njetstream { store_dir: "${folder}/js", max_file_store: 4G }\n`,
  );
  let child: ChildProcess | undefined;
  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child!.on("close", resolve));
    child.kill("SIGKILL");
    await ended;
  };
  const start = async (): Promise<void> => {
    child = spawn(natsProgram!, ["-c", config], { stdio: ["ignore", "ignore", "pipe"] });
    await new Promise<void>((resolve, reject) => {
      let log = "";
      child!.stderr!.on("data", (chunk) => {
        log += String(chunk);
        if (log.includes("Server is ready")) resolve();
      });
      child!.on("close", () => reject(new Error(log)));
    });
  };
  await start();
  return {
    url: `nats://127.0.0.1:${port}`,
    start,
    kill,
    async remove() {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
