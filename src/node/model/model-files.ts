import { readFile, stat } from "node:fs/promises";
import { UserError } from "../../diagnostics/user-error.ts";

/**
 * Tells if there is a file. Throws a `UserError` of kind `model` for what is neither a regular file nor a folder: a pipe or a
 * device may have no end.
 */
export async function exists(file: string): Promise<boolean> {
  const found = await stat(file).catch(() => undefined);
  if (found === undefined) return false;
  if (found.isFile() || found.isDirectory()) return true;
  throw new UserError("model", `${file} is not a regular file`, { hint: "Copy the file itself into the folder." });
}

/** Tells if there is a regular file. Throws as `exists`. */
export async function isFile(file: string): Promise<boolean> {
  return (await exists(file)) && (await stat(file)).isFile();
}

/** Parses a JSON file that holds an object. Throws a `UserError` of kind `model` that names the file. */
export async function readJson(file: string): Promise<Readonly<Record<string, unknown>>> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new UserError("model", `${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new UserError("model", `${file} is not JSON: ${(cause as Error).message}`, {
      hint: "Download or copy the file again.",
      cause,
    });
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new UserError("model", `${file}: expected a JSON object`);
  }
  return json as Readonly<Record<string, unknown>>;
}
