/**
 * The program of a small Node process between this process and its server. Its standard input is a pipe from this process:
 * however this process ends, also by SIGKILL, the system closes the pipe, and the watcher ends the server. It first asks by
 * SIGTERM. Its arguments are the grace in milliseconds, the server's program and the arguments of that.
 */
export const WATCHER: string = `
const { spawn } = require("node:child_process");
const [grace, program, ...args] = process.argv.slice(1);
const server = spawn(program, args, { stdio: ["ignore", "ignore", "inherit"] });
let ending = false;
const end = () => {
  if (ending) return;
  ending = true;
  server.kill("SIGTERM");
  setTimeout(() => server.kill("SIGKILL"), Number(grace)).unref();
};
server.on("error", (error) => {
  process.stderr.write(String(error.message) + "\\n");
  process.exit(1);
});
server.on("exit", (code) => process.exit(code === null ? 1 : code));
process.stdin.on("data", () => {}).on("end", end).on("close", end).on("error", end);
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, end);
`;
