import { type Check, type Checked, count, hash, measured, message, text } from "../../store/check.ts";
import { keySegment } from "../../store/store.ts";

/** `ledger/<client>/<round>` in the coordinator's own store: a client pays for a round before the round opens. */
export const charge = message({
  client: text,
  round: count,
  /** z: the noise on the sum has standard deviation z·clip. */
  noiseMultiplier: measured,
  clip: measured,
  /** q: the share of clients that a round draws. 1 where nothing is claimed for the draw. */
  sampling: measured,
  /** Factor on the client's clipped contribution. */
  weight: measured,
  /** sha256 of the key that the round's noise is drawn from. */
  noiseKey: hash,
});
export type Charge = Checked<typeof charge>;

/** `clip/<round>` in the coordinator's own store: the clip of a round, where it follows the norms. */
export const clipOfRound: Check<number> = measured;

/** 32 secret bytes as 64 lower-case hexadecimal digits. */
export const secretKey: Check<string> = hash;

/** Keys of a party's own store. They never travel. */
export const ownKeys = {
  ledger: "ledger/",
  charge: (client: string, round: number): string => `${ownKeys.ledger}${keySegment(client)}/${round}`,
  clip: (round: number): string => `clip/${round}`,
  /** sha256 of the clipped change that a client made noise for in a round. */
  made: (client: string, round: number): string => `made/${keySegment(client)}/${round}`,
  secret: "secret-key",
};
