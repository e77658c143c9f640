import path from "node:path";

/** Reads `NAME=FOLDER`, or a folder alone, which is named as it is, or as the run that it belongs to. */
export function parseAdapterFolder(text: string): { readonly name: string; readonly folder: string } {
  const [, name, folder] = /^([^=/\\]+)=(.+)$/.exec(text) ?? [];
  if (name !== undefined && folder !== undefined) return { name, folder };
  const full = path.resolve(text);
  const last = path.basename(full);
  return { name: last === "adapter" ? path.basename(path.dirname(full)) : last, folder: text };
}
