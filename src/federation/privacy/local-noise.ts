import { UserError } from "../../diagnostics/user-error.ts";
import {
  type DiscreteGaussianTable,
  discreteGaussianTable,
  drawDiscreteGaussian,
} from "../../privacy/discrete-gaussian.ts";
import type { PrivacyBudget } from "../../privacy/ledger.ts";
import { gridStep, onGrid } from "../../privacy/noise-grid.ts";
import { secretStream } from "../../privacy/secret-stream.ts";
import type { MemberStore, Store } from "../../store/store.ts";
import { sha256 } from "../../tensor/sha256.ts";
import { clipFactor, normOf } from "../../updates/clipped.ts";
import { bytesOfTensors, filled, inFloat32 } from "../../updates/group-arithmetic.ts";
import { changeFrom, putOn } from "../../updates/wire.ts";
import { isWritten } from "../protocol/cells.ts";
import { keys } from "../protocol/keys.ts";
import { PrivacyLedger } from "./ledger.ts";
import type { Protect } from "./protect.ts";
import { secretKeyIn } from "./secret-key.ts";

export interface LocalNoiseOptions {
  /** The client's own store: its secret key and its ledger. */
  readonly own: Store;
  readonly exchange: MemberStore;
  readonly budget: PrivacyBudget;
  readonly clip: number;
  /** z: the noise on each update has standard deviation z·2·clip, for any two updates are at most 2·clip apart. */
  readonly noiseMultiplier: number;
  /** Factor on a client's clipped change; at most 1. */
  readonly weightOf: (client: string) => number;
}

/**
 * Clips the change of an update and adds noise that protects it from everybody, the coordinator too: local differential privacy,
 * whatever the others do. The noise is a discrete Gaussian on a grid; it follows from the client's secret key, the
 * round and the change, so the same update is the same again after a crash. The client keeps a ledger of its own.
 */
export function localNoise({ own, exchange, budget, clip, noiseMultiplier, weightOf }: LocalNoiseOptions): Protect {
  let opened: Promise<PrivacyLedger> | undefined;
  const deviation = noiseMultiplier * 2 * clip;
  const step = gridStep(deviation);
  // Slow to make.
  let table: DiscreteGaussianTable | undefined;
  return async (update, { round, client, received }) => {
    const ledger = await (opened ??= PrivacyLedger.open(own, budget));
    const key = await secretKeyIn(own);
    if (!ledger.has(client, round)) await checkLedger(ledger, exchange, client, round, noiseMultiplier);
    const terms = { noiseMultiplier, clip, sampling: 1, weight: 1 };
    // Durable before any noise is made of it.
    await ledger.charge({ client, round, ...terms, noiseKey: await sha256(key) });
    const change = changeFrom(update, received);
    const factor = clipFactor(normOf(change), clip) * weightOf(client);
    const steps = filled(change, (x) => onGrid(x * factor, step));
    const purpose = `local noise|${client}|${round}|${await sha256(bytesOfTensors(steps))}`;
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

/** @throws UserError: `storage` where an update was sent that the ledger lacks, `training` where the budget is spent. */
async function checkLedger(
  ledger: PrivacyLedger,
  exchange: MemberStore,
  client: string,
  round: number,
  noiseMultiplier: number,
): Promise<void> {
  for (let earlier = 1; earlier < round; earlier++) {
    if (ledger.has(client, earlier) || !(await isWritten(exchange, keys.update(earlier, client)))) continue;
    throw new UserError(
      "storage",
      `Client ${client} sent an update in round ${earlier}, and its ledger has no charge for it: nobody can say what was spent.`,
      { hint: "Continue with the folder (--out) that the client had then. Nothing was sent." },
    );
  }
  if (ledger.mayPay(client, round, 1 / noiseMultiplier ** 2)) return;
  const { epsilon, delta } = ledger.budget;
  throw new UserError(
    "training",
    `Client ${client} has spent its budget (ε ${ledger.epsilonOf(client, round).toFixed(2)} of ${epsilon} at δ ${delta}), and was drawn for round ${round} all the same.`,
    { hint: "Nothing was sent. Ask whoever leads the run." },
  );
}
