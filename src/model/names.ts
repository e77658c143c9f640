import { UserError } from "../diagnostics/user-error.ts";
import { formatShape, sameShape } from "../tensor/shape.ts";
import type { ModelConfig } from "./config.ts";
import { familyOf } from "./families/registry.ts";
import type { LinearModule } from "./family.ts";

/** Lists every linear layer but the LM head, in the order data passes them. */
export function linearModules(config: ModelConfig): readonly LinearModule[] {
  return familyOf(config).linears(config);
}

/** Lists the base weights that a configuration implies: Hugging Face name → shape, in the order data passes them. */
export function expectedTensors(config: ModelConfig): ReadonlyMap<string, readonly number[]> {
  return familyOf(config).tensors(config);
}

/**
 * Checks that all tensors that a configuration implies are there with the right shape. Throws a `UserError` of kind `model`
 * that names `where`, the tensor, its shape and the expected one. Other tensors are allowed: checkpoints have unused buffers.
 */
export function checkShapes(shapes: ReadonlyMap<string, readonly number[]>, config: ModelConfig, where: string): void {
  const fail = (problem: string): UserError =>
    new UserError("model", `${where}: tensor ${problem}`, {
      hint: "Use config.json and all files of weights of the same model.",
    });
  for (const [name, expected] of expectedTensors(config)) {
    const got = shapes.get(name);
    if (got === undefined) throw fail(`${name} is missing, expected ${formatShape(expected)} by config.json`);
    if (!sameShape(got, expected)) {
      throw fail(`${name} is ${formatShape(got)}, expected ${formatShape(expected)} by config.json`);
    }
  }
}
