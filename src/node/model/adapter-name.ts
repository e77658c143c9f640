import path from "node:path";

/** Reads `NAME=FOLDER`, or a folder alone. The name is then the folder's, or for `RUN/adapter` the run's. */
export function parseAdapterFolder(text: string): { readonly name: string; readonly folder: string } {
  const [, name, folder] = /^([^=/\\]+)=(.+)$/.exec(text) ?? [];
  if (name !== undefined && folder !== undefined) return { name, folder };
  const full = path.resolve(text);
  const last = path.basename(full);
  return { name: last === "adapter" ? path.basename(path.dirname(full)) : last, folder: text };
}
