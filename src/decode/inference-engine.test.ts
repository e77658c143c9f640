import { mkdtempSync, rmSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, expect, test } from "vitest";
import { writeTinyModel } from "../../test/support/tiny-model.ts";
import { initAdapter, loraShape } from "../model/adapter.ts";
import { nodePlatform } from "../node/platform.ts";
import { mapParams } from "../tensor/params.ts";
import { stream } from "../tensor/random.ts";
import type { Runtime } from "../train/runtime.ts";
import { openInferenceEngine } from "./inference-engine.ts";

const folder = mkdtempSync(path.join(os.tmpdir(), "openfedllm-inference-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("adapters of one shape share a decoder, and overlapping calls answer as each alone", async () => {
  writeTinyModel(folder);
  const platform = nodePlatform({ threads: 1 });
  const { runtime } = platform;
  const base = await platform.openModel(folder);
  const adapterOf = (rank: number, seed: number) => {
    const config = { rank, alpha: rank, dropout: 0, targets: "all-linear", rsLora: false } as const;
    const random = stream(seed, "adapter");
    const params = mapParams(initAdapter(config, base.modelConfig, seed), () => random.uniform() - 0.5);
    return { shape: loraShape(config, base.modelConfig), params };
  };
  const adapters = [undefined, adapterOf(2, 1), adapterOf(2, 2), adapterOf(4, 3)];
  let open = 0;
  let running = 0;
  const counted: Runtime = {
    async load(graph, weights) {
      const session = await runtime.load(graph, weights);
      open++;
      return {
        async run(...args) {
          expect(++running).toBe(1);
          try {
            return await session.run(...args);
          } finally {
            running--;
          }
        },
        dispose() {
          open--;
          return session.dispose();
        },
      };
    },
  };
  const engine = openInferenceEngine({ runtime: counted, base, template: "none", maxLength: 1e9 });
  expect(engine.maxLength).toBe(base.modelConfig.maxPositions);
  const prompt = Int32Array.of(5, 17, 40);
  const answer = async (adapter: (typeof adapters)[number]) =>
    (await (await engine.withAdapter(adapter)).greedyTokens([prompt], { maxNewTokens: 12 }))[0]!;
  const alone = [];
  for (const adapter of adapters) alone.push(await answer(adapter));
  expect(open).toBe(3);
  expect(new Set(alone.map(String)).size).toBe(4);
  expect(await Promise.all(adapters.map(answer))).toEqual(alone);
  await engine.dispose();
  expect(open).toBe(0);
  expect(await answer(adapters[3])).toEqual(alone[3]);
  expect(open).toBe(1);
  await engine.dispose();
});
