import path from "node:path";
import { measurePace } from "../../experiment/plan/measured-pace.ts";
import { planExperiment } from "../../experiment/plan/plan.ts";
import { prepareExperiment } from "../../experiment/prepare.ts";
import { nodePlatform } from "../../node/platform.ts";
import { type Command, DEFAULT_COLUMNS, defineCommand } from "../command.ts";
import { negated, toggle } from "../flag.ts";
import { estimate, planLines } from "../views/plan-text.ts";
import { readRunConfig } from "../work/training.ts";
import { withStatus } from "../work/work.ts";
import { setFlag, threadsFlag } from "./shared-flags.ts";

export const command: Command = defineCommand({
  description:
    "Shows what a run will cost before it begins: parameters, bytes that travel, memory, time, and how often each client goes through its records. It measures three training steps and learns nothing.",
  argument: { placeholder: "<config>", description: "configuration file" },
  flags: {
    set: setFlag,
    measure: negated("state sizes only: compute no step, so that no time is known"),
    json: toggle("write the plan as JSON; bytes, seconds and counts"),
    threads: threadsFlag,
  },
  examples: [
    ["npx openfedllm plan examples/quickstart.yaml"],
    ["npx openfedllm plan my.yaml --set federation.rounds=20 --set adapter.rank=16"],
  ],
  async run({ set, measure, json, threads }, context, configFile) {
    const { stdout } = context;
    const config = readRunConfig(configFile, set, threads);
    const baseDir = path.dirname(configFile);
    const plan = await withStatus(
      context,
      async ({ status, signal, reports }) => {
        const platform = nodePlatform({ baseDir, threads: config.runtime.threads, ...reports });
        const hooks = { onProgress: status.say, onNote: status.note };
        const prepared = await prepareExperiment(config, platform, hooks);
        const planned = planExperiment(prepared);
        if (!measure) return planned;
        const pace = await measurePace(prepared, platform, { onProgress: status.say, signal });
        return { ...planned, pace, peakMemory: process.resourceUsage().maxRSS * 1024 };
      },
      { long: true },
    );
    if (json === true) {
      const seconds = "pace" in plan ? estimate(plan, plan.pace) : undefined;
      stdout.write(`${JSON.stringify({ ...plan, ...(seconds && { seconds }) })}\n`);
      return;
    }
    const columns = stdout.columns() ?? DEFAULT_COLUMNS;
    stdout.write(`${planLines(plan, { columns, epochs: config.training.localEpochs !== undefined }).join("\n")}\n`);
  },
});
