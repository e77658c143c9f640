import { EXIT_CODES } from "../../diagnostics/user-error.ts";
import { doctorChecks, examine } from "../../node/doctor/doctor.ts";
import type { NamedFinding } from "../../node/doctor/finding.ts";
import { type Command, DEFAULT_COLUMNS, defineCommand } from "../command.ts";
import { toggle } from "../flag.ts";
import type { Style } from "../output.ts";
import { counted } from "../views/quantities.ts";
import { oneLine, wrap } from "../views/text-width.ts";
import { VERSION } from "../work/software.ts";
import { withStatus } from "../work/work.ts";

const COLOURS = { ok: "green", warn: "yellow", fail: "red" } as const;

export const command: Command = defineCommand({
  description:
    "Checks whether this machine can train: Node.js, processors, memory, disk, the engine, and the programs and the network that some commands need. A line that fails says what to do; a missing network is no failure.",
  flags: { json: toggle("write the findings as JSON") },
  examples: [["npx openfedllm doctor"], [`npx openfedllm doctor --json | jq '.findings[] | select(.state != "ok")'`]],
  async run({ json }, context) {
    const { stdout } = context;
    const columns = stdout.columns() ?? DEFAULT_COLUMNS;
    if (json !== true) stdout.write(`openfedllm ${VERSION}\n`);
    const findings = await withStatus(context, ({ status, area, signal }) =>
      examine(
        doctorChecks(),
        signal,
        (finding) => {
          area.clear();
          if (json !== true) stdout.write(`${findingLines(finding, columns, stdout.style).join("\n")}\n`);
        },
        (name) => status.say(`checking: ${name}`),
      ),
    );
    const failed = findings.filter(({ state }) => state === "fail").length;
    const warned = findings.filter(({ state }) => state === "warn").length;
    if (json === true) stdout.write(`${JSON.stringify({ version: VERSION, failed, warned, findings })}\n`);
    else stdout.write(`${verdict(failed, warned)}\n`);
    if (failed > 0) process.exitCode = EXIT_CODES.config;
  },
});

function findingLines({ check, state, found, advice }: NamedFinding, columns: number, style: Style): string[] {
  const indent = " ".repeat(6);
  const width = Math.max(30, columns - indent.length);
  const [first, ...rest] = wrap(`${check}: ${oneLine(found)}`, width);
  const more = advice === undefined ? [] : wrap(advice, width - 2).map((line) => `  ${line}`);
  return [`${style(COLOURS[state], state.padEnd(4))}  ${first}`, ...[...rest, ...more].map((line) => indent + line)];
}

function verdict(failed: number, warned: number): string {
  if (failed > 0) return `This machine cannot train yet: ${counted(failed, "check")} failed.`;
  if (warned > 0) return `This machine can train. ${counted(warned, "line")} above may matter for some commands.`;
  return "This machine can train.";
}
