import { z } from "zod";
import { globalNorm, type Params, scale } from "../tensor/params.ts";
import { defineStage } from "./stage.ts";

/**
 * Scales the change of the adapter to a norm of at most `maxNorm`: Δ ← Δ·min(1, maxNorm/‖Δ‖₂), the norm over all LoRA
 * tensors together (McMahan et al. 2018, "Learning differentially private recurrent language models", flat clipping).
 * No client moves the mean by more than its share of that. A change that is small enough stays as it is, bit for bit.
 *
 * This is not differential privacy: that needs noise besides, and a bound on the algorithm's other groups (SCAFFOLD's
 * `control`), which pass as they are.
 */
export const clip = defineStage({
  settings: {
    maxNorm: z
      .number()
      .positive()
      .describe("Largest L2 norm of the change of the adapter, over all LoRA tensors together."),
  },
  make: ({ maxNorm }) => ({
    name: "clip",
    encode: ({ delta, ...others }) => ({ delta: clipped(delta!, maxNorm), ...others }),
    decode: (groups) => groups,
    shape: (groups) => groups,
  }),
});

/** More than rounding to float32 (2⁻²⁴ of each element) can add to the norm. */
const MARGIN = 2 ** -22;

function clipped(delta: Params, maxNorm: number): Params {
  const norm = globalNorm(delta);
  return norm <= maxNorm ? delta : scale(delta, (maxNorm / norm) * (1 - MARGIN));
}
