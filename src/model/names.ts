import { UserError } from "../diagnostics/user-error.ts";
import { formatShape, sameShape } from "../tensor/shape.ts";
import type { ModelConfig } from "./config.ts";
import { familyOf } from "./families/registry.ts";
import type { LinearModule } from "./family.ts";

/** Every linear layer but the LM head, in the order data passes them. */
export function linearModules(config: ModelConfig): readonly LinearModule[] {
  return familyOf(config).linears(config);
}

/** The base weights a configuration implies: Hugging Face name → shape, in the order data passes them. */
export function expectedTensors(config: ModelConfig): ReadonlyMap<string, readonly number[]> {
  return familyOf(config).tensors(config);
}

/**
 * Throws a `UserError` of kind `model` that names `where`, the tensor, its shape and the expected one, if any tensor the
 * configuration implies is missing or misshapen. Tensors beyond those are allowed: checkpoints carry unused buffers.
 */
export function checkShapes(shapes: ReadonlyMap<string, readonly number[]>, config: ModelConfig, where: string): void {
  const fail = (problem: string): UserError =>
    new UserError("model", `${where}: tensor ${problem}`, {
      hint: "Take config.json and the weights from the same model, all of its files.",
    });
  for (const [name, expected] of expectedTensors(config)) {
    const got = shapes.get(name);
    if (got === undefined) throw fail(`${name} is missing; config.json implies it, ${formatShape(expected)}`);
    if (!sameShape(got, expected)) {
      throw fail(`${name} is ${formatShape(got)}, but config.json implies ${formatShape(expected)}`);
    }
  }
}
