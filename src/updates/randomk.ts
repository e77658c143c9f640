import type { Groups } from "../tensor/groups.ts";
import { parameterCount, type Params } from "../tensor/params.ts";
import { ERROR_FEEDBACK } from "./error-feedback.ts";
import { groupsOf } from "./packed.ts";
import { DEFAULT_SHARE, flattened, kept, SHARE, unflattened } from "./sparse.ts";
import { defineStage, type StageContext } from "./stage.ts";

/** The one tensor of a group of which some numbers are sent. */
const SENT = "sent";

/**
 * Sends numbers at places drawn from the run's seed, in each round the same for all clients: no places are sent, and masked
 * updates can be summed (Konečný et al. 2016, "Federated learning: strategies for improving communication efficiency",
 * random mask). Without error feedback they are multiplied by n/k, so that the mean is right; with it they are sent as they
 * are. The stage after it may compress them further.
 */
export const randomk = defineStage({
  settings: { share: SHARE, errorFeedback: ERROR_FEEDBACK },
  make: ({ share = DEFAULT_SHARE, errorFeedback = true }) => ({
    name: "randomk",
    errorFeedback,
    encode: (groups, context) =>
      each(groups, (params, group) => {
        const flat = flattened(params);
        const places = drawn(context, group, flat.length, share);
        const factor = errorFeedback ? 1 : flat.length / places.length;
        return vector(Float32Array.from(places, (i) => factor * flat[i]!));
      }),
    decode: (groups, context, shape) =>
      each(shape, (like, group) => {
        const flat = new Float64Array(parameterCount(like));
        const { data } = groups[group]!.get(SENT)!;
        for (const [i, place] of drawn(context, group, flat.length, share).entries()) flat[place] = data[i]!;
        return groupsOf({ like }, unflattened(flat, like))["like"]!;
      }),
    shape: (groups) => each(groups, (params) => vector(new Float32Array(kept(parameterCount(params), share)))),
  }),
});

function drawn({ shared }: StageContext, group: string, n: number, share: number): number[] {
  return shared("places", group).sample(n, kept(n, share));
}

function vector(data: Float32Array): Params {
  return new Map([[SENT, { shape: [data.length], data }]]);
}

function each(groups: Groups, change: (params: Params, group: string) => Params): Groups {
  return Object.fromEntries(Object.entries(groups).map(([group, params]) => [group, change(params, group)]));
}
