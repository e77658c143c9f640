import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createServer } from "node:net";

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
