import { readFileSync } from "node:fs";

/** Version of this package. */
export const VERSION: string = (
  JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as { version: string }
).version;

/** Name and version of this program, as other parties see it. */
export const SOFTWARE = `openfedllm ${VERSION}`;
