import type { Groups } from "../../tensor/groups.ts";
import type { Params } from "../../tensor/params.ts";
import { clipFactor, type GroupScales, normOf } from "../../updates/clipped.ts";
import { filled, inFloat32 } from "../../updates/group-arithmetic.ts";
import { changeFrom, putOn } from "../../updates/wire.ts";

/** The place of an update that is to be sent. */
export interface ProtectedPlace {
  readonly round: number;
  readonly client: string;
  /** The adapter that the client was sent. */
  readonly received: Params;
  /** The clip of the round, where it changes from round to round. */
  readonly clip?: number | undefined;
}

/** What a client does to its update before anything of it leaves. */
export type Protect = (update: Groups, place: ProtectedPlace) => Promise<Groups>;

/** Of a clip that follows the norms, the client clips at so much more: the coordinator counts who is above the clip itself. */
const ROOM_ABOVE = 2;

/**
 * Clips the change of an update, all tensors of all groups as one vector, and multiplies it with the client's weight. A change
 * that is small enough, with weight 1, stays as it is, bit for bit.
 */
export function clipping(clip: number, weightOf: (client: string) => number, scales?: GroupScales): Protect {
  return async (update, { client, received, clip: ofRound }) => {
    const change = changeFrom(update, received);
    const limit = ofRound === undefined ? clip : ROOM_ABOVE * ofRound;
    const factor = clipFactor(normOf(change, scales), limit) * weightOf(client);
    if (factor === 1) return update;
    return inFloat32(
      putOn(
        filled(change, (x) => factor * x),
        received,
      ),
    );
  };
}
