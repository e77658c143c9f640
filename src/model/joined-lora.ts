import type { LinearModule } from "./family.ts";
import type { LoraModule, LoraShape } from "./lora.ts";

/** LoRA of linear modules that decoding computes as one product. */
export interface JoinedLora extends LoraModule {
  /** Name of the product, used as a module's name. */
  readonly name: string;
}

/**
 * Finds the product that decoding makes of linear modules of one input; undefined where it computes each by itself. From a
 * rank of some 32 on, the zeros in the joined B cost more than the nodes that it saves. A product has one scale. The rank is
 * 0 where no module is adapted.
 */
export function joinOf(modules: readonly LinearModule[], lora: LoraShape | undefined): JoinedLora | undefined {
  const name = modules[0]?.joinedAs;
  // All modules must have a bias, or none.
  if (name === undefined || modules.some(({ bias }) => bias !== modules[0]!.bias)) return undefined;
  const adapted = modules.flatMap((module) => lora?.modules.get(module.name) ?? []);
  const rank = adapted.reduce((sum, module) => sum + module.rank, 0);
  const scale = adapted[0]?.scale ?? 1;
  return rank > 32 || adapted.some((module) => module.scale !== scale) ? undefined : { name, rank, scale };
}
