import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

/** The server's program: $OPENFEDLLM_NATS_SERVER, of the path, or where Debian puts it. */
const PROGRAMS = [process.env["OPENFEDLLM_NATS_SERVER"], "nats-server", "/usr/sbin/nats-server"];

export const natsProgram = PROGRAMS.find(
  (program) => program !== undefined && (existsSync(program) || spawnSync(program, ["--version"]).status === 0),
);
