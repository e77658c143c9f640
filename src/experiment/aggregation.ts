import type { CoordinatorOptions } from "../federation/coordinator-options.ts";
import { loraNames } from "../model/lora.ts";
import { SCHEDULES } from "../optim/schedule.ts";
import { type Engines, ROOT } from "./engines.ts";
import { localTrainer } from "./local-trainer.ts";
import type { Prepared } from "./prepare.ts";

/** What an aggregator may ask the coordinator for: the scales of LoRA's products, and its own training on `data.root`. */
export function aggregationTools(
  { algorithm, config, lora, root }: Pick<Prepared, "algorithm" | "config" | "lora" | "root">,
  { gradients, rootItems }: Pick<Engines, "gradients" | "rootItems">,
): NonNullable<CoordinatorOptions["aggregation"]> {
  const scales = new Map([...lora.modules].map(([module, { scale }]) => [loraNames(module).a, scale]));
  if (root.length === 0) return { scales };
  const { training, federation } = config;
  const trainer = localTrainer(gradients, config, rootItems);
  return {
    scales,
    /** Trains as a client does, with an order of its records of its own. */
    async trusted(round, global) {
      const { after } = await trainer.train({
        round,
        client: ROOT,
        adapter: global,
        learningRate: SCHEDULES[training.schedule](training, round, federation.rounds),
        localRule: algorithm.localRule({ round, adapter: global, extra: {} }, {}),
        earlierRounds: round - 1,
        sent: "",
        onStart: () => {},
        onStep: () => {},
      });
      return after;
    },
  };
}
