import { z } from "zod";
import { type Params, pickOrZeros, toFloat32, zipParams } from "../tensor/params.ts";
import { defineAggregator } from "./aggregator.ts";
import { centredClippingMix } from "./robust/factors.ts";
import { gramOf, mixed } from "./robust/mixture.ts";
import { robustAggregator } from "./robust/robust-aggregator.ts";
import { buckets } from "./robust/settings.ts";

/** Three steps come near to where more would end (Karimireddy et al. 2021, section 5). */
const STEPS = 3;

/**
 * Centred clipping: from the last round's result v on, v ← v + mean(clip(x_i − v, radius)) (Karimireddy et al. 2021, "Learning from
 * history for Byzantine robust optimization"). It begins with 0. Distances are on the factors A and B, where v lies.
 */
export const centredClipping = defineAggregator({
  settings: {
    clipRadius: z
      .number()
      .positive()
      .optional()
      .describe(
        "Largest distance that a client's change moves the centre, over the number of clients. Default: the median distance to the last round's result.",
      ),
    buckets,
  },
  make: ({ clipRadius: radius, ...settings }) =>
    robustAggregator(
      {
        name: "centredClipping",
        weighted: false,
        fewest: () => 1,
        async combine(round) {
          const { groups, context } = round;
          const kept: Params = context.kept?.["centre"] ?? new Map();
          // Rounds may change different tensors: each goes on from the last result that it had.
          const { like } = groups["delta"]!;
          const centre = pickOrZeros(kept, like);
          const mix = centredClippingMix(await gramOf(round, "factors", [centre]), STEPS, radius);
          const rest = mix.pop()!;
          const { combined, weights } = await mixed(round, { factors: mix, divisor: 1 });
          const delta = zipParams(combined["delta"]!, centre, (x, v) => x + rest * v);
          context.keep?.({ centre: new Map([...kept, ...toFloat32(delta)]) });
          return { combined: { ...combined, delta }, weights };
        },
      },
      settings,
    ),
});
