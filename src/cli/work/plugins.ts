import path from "node:path";
import { loadPlugin } from "../../node/plugin-file.ts";
import { usedPlugins } from "../../plugins/plugin.ts";

/**
 * Loads the files that `--plugin` names among arguments. It is done before commands are: their flags and their help show
 * what plugins add.
 *
 * @throws UserError as `loadPlugin` does.
 */
export async function loadPlugins(args: readonly string[]): Promise<void> {
  const library = await import("../../entries/web.ts");
  for (const file of pluginFiles(args)) await loadPlugin(file, library);
}

/** `--plugin FILE` and `--plugin=FILE`. One without a file is a mistake that the parser of the command line explains. */
function pluginFiles(args: readonly string[]): readonly string[] {
  const given = args.flatMap((arg, i) => {
    if (arg.startsWith("--plugin=")) return [arg.slice("--plugin=".length)];
    return arg === "--plugin" ? args.slice(i + 1, i + 2) : [];
  });
  return given.filter((file) => file.trim() !== "");
}

/** The same plugins, for a process that this one starts. */
export function pluginArgs(): readonly string[] {
  return usedPlugins().flatMap(({ file }) => ["--plugin", path.resolve(file)]);
}
