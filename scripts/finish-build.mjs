// What the compiler leaves undone: the right to execute the command line, and an engine that can be packed.
import { chmodSync, readFileSync, renameSync, writeFileSync } from "node:fs";

// The compiler writes the command line without the right to be executed. npx gives it that right only once for a folder: after
// a new build of the same folder it would say that the permission is denied.
chmodSync(new URL("../dist/cli/main.js", import.meta.url), 0o755);

// `npm pack` puts the engine into the package (docs/decisions/0029). Its install script and what only that script needs stay
// out, and so do libraries that only the engine's other providers load.
const path = new URL("../node_modules/onnxruntime-node/package.json", import.meta.url);
const engine = JSON.parse(readFileSync(path, "utf8"));
if (engine.scripts !== undefined) {
  const { scripts: _, devDependencies: __, ...kept } = engine;
  const packed = {
    ...kept,
    dependencies: { "onnxruntime-common": engine.dependencies["onnxruntime-common"] },
    files: ["dist", "bin", "!bin/**/dxcompiler.dll", "!bin/**/dxil.dll", "!bin/**/libonnxruntime.1.*.dylib"],
  };
  // A new file under the old name: a copy of node_modules that shares files by hard links keeps its own.
  const written = new URL("package.json.new", path);
  writeFileSync(written, `${JSON.stringify(packed, null, 2)}\n`);
  renameSync(written, path);
}
