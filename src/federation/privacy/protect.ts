import type { Groups } from "../../tensor/groups.ts";
import { type Params, scale, toFloat32 } from "../../tensor/params.ts";
import { clipFactor, normOf } from "../../updates/clipped.ts";
import { changeFrom, putOn } from "../../updates/wire.ts";

/** The place of an update that is to be sent. */
export interface ProtectedPlace {
  readonly round: number;
  readonly client: string;
  /** The adapter that the client was sent. */
  readonly received: Params;
}

/** What a client does to its update before anything of it leaves. */
export type Protect = (update: Groups, place: ProtectedPlace) => Promise<Groups>;

/**
 * Clips the change of an update, all tensors of all groups as one vector, and multiplies it with the client's weight. A change
 * that is small enough, with weight 1, stays as it is, bit for bit.
 */
export function clipping(clip: number, weightOf: (client: string) => number = () => 1): Protect {
  return async (update, { client, received }) => {
    const change = changeFrom(update, received);
    const factor = clipFactor(normOf(change), clip) * weightOf(client);
    if (factor === 1) return update;
    return inFloat32(putOn(scaled(change, factor), received));
  };
}

function scaled(groups: Groups, factor: number): Groups {
  return mapGroups(groups, (params) => scale(params, factor));
}

function inFloat32(groups: Groups): Groups {
  return mapGroups(groups, toFloat32);
}

function mapGroups(groups: Groups, f: (params: Params) => Params): Groups {
  return Object.fromEntries(Object.entries(groups).map(([name, params]) => [name, f(params)]));
}
