import { UserError } from "../../diagnostics/user-error.ts";
import {
  type DiscreteGaussianTable,
  discreteGaussianTable,
  drawDiscreteGaussian,
} from "../../privacy/discrete-gaussian.ts";
import { gridStep, onGrid } from "../../privacy/noise-grid.ts";
import { secretStream } from "../../privacy/secret-stream.ts";
import { sha256 } from "../../tensor/sha256.ts";
import { clipFactor, normOf } from "../../updates/clipped.ts";
import { bytesOfTensors, filled, inFloat32 } from "../../updates/group-arithmetic.ts";
import { changeFrom, putOn } from "../../updates/wire.ts";
import { hash } from "../../store/check.ts";
import { createMessage } from "../protocol/cells.ts";
import { ownKeys } from "./messages.ts";
import { type OwnLedgerOptions, ownLedger } from "./own-ledger.ts";
import type { Protect } from "./protect.ts";
import { secretKeyIn } from "./secret-key.ts";

/** `noiseMultiplier` is z: the noise on each update has standard deviation z·2·clip, for any two updates are at most 2·clip apart. */
export interface LocalNoiseOptions extends OwnLedgerOptions {
  /** Factor on a client's clipped change; at most 1. */
  readonly weightOf: (client: string) => number;
}

/**
 * Clips the change of an update and adds noise that protects it from everybody, the coordinator too: local differential privacy,
 * whatever the others do. The noise is a discrete Gaussian on a grid; it follows from the client's secret key, the
 * round and the change, so the same update is the same again after a crash. The client keeps a ledger of its own, and makes one
 * update of a round: another one, from another adapter, would be a release that nobody paid for.
 *
 * @throws UserError: those of `ownLedger`, and `storage` where the update of a round is another than before.
 */
export function localNoise({ weightOf, ...options }: LocalNoiseOptions): Protect {
  const { own, clip, noiseMultiplier } = options;
  const pay = ownLedger(options);
  const deviation = noiseMultiplier * 2 * clip;
  const step = gridStep(deviation);
  // Slow to make.
  let table: DiscreteGaussianTable | undefined;
  return async (update, { round, client, received }) => {
    // Durable before any noise is made.
    await pay(client, round);
    const key = await secretKeyIn(own);
    const change = changeFrom(update, received);
    const factor = clipFactor(normOf(change), clip) * weightOf(client);
    const steps = filled(change, (x) => onGrid(x * factor, step));
    const digest = await sha256(bytesOfTensors(steps));
    if ((await createMessage(own, ownKeys.made(client, round), hash, digest)) !== digest) throw another(client, round);
    const purpose = `local noise|${client}|${round}|${digest}`;
    const stream = await secretStream(key, purpose);
    let count = 0;
    for (const params of Object.values(steps)) for (const { data } of params.values()) count += data.length;
    const noise = await drawDiscreteGaussian((table ??= discreteGaussianTable(deviation / step)), stream, count);
    let at = 0;
    return inFloat32(
      putOn(
        filled(steps, (x) => (x + noise[at++]!) * step),
        received,
      ),
    );
  };
}

function another(client: string, round: number): UserError {
  return new UserError(
    "storage",
    `The update of client ${client} for round ${round} is another than the one it made noise for: both would cost, and one is paid for.`,
    { hint: "Nothing was sent. Put the exchange back as it was, or ask whoever leads the run." },
  );
}
