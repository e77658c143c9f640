import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { fedavgByHand } from "../examples/fedavg-by-hand.ts";
import { prepareExperiment } from "../src/experiment/prepare.ts";
import { runExperiment } from "../src/experiment/run.ts";
import { readConfigFile } from "../src/node/config-file.ts";
import { nodePlatform } from "../src/node/platform.ts";
import { openRunFolder } from "../src/node/run-folder.ts";
import { writeTinyData, writeTinyModel } from "./support/tiny-model.ts";

test("FedAvg by hand and the whole machinery give the same adapter", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-hand-"));
  process.env["OPENFEDLLM_CACHE"] = path.join(folder, "cache");
  writeTinyModel(path.join(folder, "model"));
  const clients = ["apples", "bolts"].map((name, i) => {
    writeTinyData(path.join(folder, `${name}.jsonl`), name, 7 + 4 * i);
    return { name, train: `${name}.jsonl` };
  });
  const file = path.join(folder, "experiment.yaml");
  writeFileSync(
    file,
    stringify({
      model: { base: "model" },
      adapter: { rank: 4, dropout: 0.2 },
      data: { maxLength: 96, clients },
      training: { batchSize: 3, localSteps: 4, learningRate: 1e-2 },
      federation: { rounds: 3 },
    }),
  );
  const config = readConfigFile(file);
  const platform = nodePlatform({ baseDir: folder });
  const store = await openRunFolder(path.join(folder, "run"));
  const { adapter } = await runExperiment(await prepareExperiment(config, platform), platform, store);
  store.close();
  expect(await fedavgByHand(config, platform)).toBe(adapter);
});
