// Writes docs/images/report-light.png and report-dark.png: the page of a run, as Chromium shows it.
//
//   npx openfedllm run examples/answers.yaml && node scripts/screenshots.mjs [RUN FOLDER, default runs/answers]
//
// The browser is $OPENFEDLLM_CHROMIUM, or `chromium` of the path.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, statSync } from "node:fs";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const page = path.resolve(process.argv[2] ?? "runs/answers", "report.html");
if (!existsSync(page)) {
  console.error(`error: there is no ${page}\nhint: Make it first: npx openfedllm run examples/answers.yaml`);
  process.exit(1);
}
const images = fileURLToPath(new URL("../docs/images/", import.meta.url));
mkdirSync(images, { recursive: true });
for (const [theme, flags] of Object.entries({ light: [], dark: ["--force-dark-mode"] })) {
  const file = path.join(images, `report-${theme}.png`);
  const { status, error, stderr } = spawnSync(
    process.env.OPENFEDLLM_CHROMIUM ?? "chromium",
    [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--hide-scrollbars",
      "--window-size=960,1500",
      ...flags,
      `--screenshot=${file}`,
      pathToFileURL(page).href,
    ],
    { encoding: "utf8" },
  );
  if (status !== 0) {
    console.error(`error: the browser failed: ${error?.message ?? stderr}`);
    process.exit(1);
  }
  console.log(`wrote docs/images/report-${theme}.png, ${Math.round(statSync(file).size / 1000)} kB`);
}
