import { UserError } from "../../diagnostics/user-error.ts";
import { engineCheck } from "./engine-check.ts";
import type { Check, NamedFinding } from "./finding.ts";
import { MACHINE_CHECKS } from "./machine-checks.ts";
import { networkChecks, PROGRAM_CHECKS } from "./program-checks.ts";

/** Every check, in the order of the report. */
export function doctorChecks(): readonly Check[] {
  // Its library is loaded by the check, so that one that does not load is a finding.
  const engine = engineCheck(async () => {
    const { ENGINE_TITLE, onnxRuntime } = await import("../onnx-runtime.ts");
    return { runtime: onnxRuntime(), title: ENGINE_TITLE };
  });
  return [...MACHINE_CHECKS, engine, ...PROGRAM_CHECKS, ...networkChecks()];
}

/** Runs checks one after another. `onFinding` gets each as it comes. @throws the signal's reason. */
export async function examine(
  checks: readonly Check[],
  signal: AbortSignal,
  onFinding: (finding: NamedFinding) => void,
  onCheck: (name: string) => void = () => {},
): Promise<readonly NamedFinding[]> {
  const findings: NamedFinding[] = [];
  for (const { name, onError, run } of checks) {
    signal.throwIfAborted();
    onCheck(name);
    const finding = await Promise.resolve()
      .then(() => run(signal))
      .catch((error: unknown) => {
        signal.throwIfAborted();
        const found = error instanceof Error ? error.message : String(error);
        const advice = error instanceof UserError ? error.hint : undefined;
        return {
          state: onError,
          found,
          advice: advice ?? "Run the command again with --debug, and report the message.",
        };
      });
    findings.push({ check: name, ...finding });
    onFinding(findings.at(-1)!);
  }
  return findings;
}
