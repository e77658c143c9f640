import { EXPORT_TARGETS } from "../../export/registry.ts";
import type { ExportTarget } from "../../export/target.ts";
import { padEnd, wrap } from "./text-width.ts";

/** The formats with their number formats, for the help. */
export function formatsHelp(columns: number): string {
  const targets = Object.entries<ExportTarget>(EXPORT_TARGETS);
  const indent = targets.reduce((most, [name]) => Math.max(most, name.length), 0) + 4;
  const lines = targets.flatMap(([name, { summary, dtypes }]) => {
    const numbers = dtypes.length > 1 ? ` (${dtypes.join(", ")})` : "";
    return wrap(`${summary}${numbers}`, Math.max(30, columns - indent)).map(
      (line, i) => padEnd(i === 0 ? `  ${name}` : "", indent) + line,
    );
  });
  return ["\nFormats (number formats):", ...lines].join("\n");
}
