// The compiler writes the command line without the right to be executed. npx gives it that right only once for a folder: after
// a new build of the same folder it would say that the permission is denied.
import { chmodSync } from "node:fs";

chmodSync(new URL("../dist/cli/main.js", import.meta.url), 0o755);
