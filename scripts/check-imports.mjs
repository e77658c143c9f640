// Refuses imports that go back: a circle of files (imports of types included, which the linter does not follow), and an
// arrow from a folder of src to one that src/tsconfig.json lists after it.
//
//   node scripts/check-imports.mjs      exits 1 and names each
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const SRC = fileURLToPath(new URL("../src/", import.meta.url));
const { references } = JSON.parse(readFileSync(path.join(SRC, "tsconfig.json"), "utf8"));
const ORDER = references.map((reference) => path.basename(reference.path));

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
const imports = new Map(files.map((file) => [file, importsOf(file)]));

/** Files of src that a file names after `from` or in `import(…)`. */
function importsOf(file) {
  const text = readFileSync(path.join(SRC, file), "utf8");
  return [...text.matchAll(/(?:^import|\bfrom|\bimport\()\s*"(\.[^"]+)"/gm)]
    .map(([, to]) => path.join(path.dirname(file), to))
    .filter((to) => !to.startsWith(".."));
}

const folderOf = (file) => file.split(path.sep)[0];
const problems = [];

for (const [file, targets] of imports) {
  const from = ORDER.indexOf(folderOf(file));
  // Files of no listed folder (index.ts) may import all; tests may too.
  if (from === -1 || file.endsWith(".test.ts")) continue;
  for (const target of targets) {
    if (ORDER.indexOf(folderOf(target)) > from) problems.push(`${file} imports ${target}, which is of a later folder`);
  }
}

/** Files on the way from the first to the one being visited; finished ones are in no circle that is not yet named. */
const way = [];
const finished = new Set();
function visit(file) {
  if (finished.has(file)) return;
  const at = way.indexOf(file);
  if (at !== -1) {
    problems.push(`circle: ${[...way.slice(at), file].join(" -> ")}`);
    return;
  }
  way.push(file);
  for (const target of imports.get(file) ?? []) visit(target);
  way.pop();
  finished.add(file);
}
for (const file of files) visit(file);

for (const problem of problems) console.error(`error: ${problem}`);
if (problems.length > 0) {
  console.error("hint: Move the shared part into a file, or a folder, that both may import.");
  process.exit(1);
}
console.log(`${files.length} files of src import only what comes before them`);
