import type { Bits } from "./mask.ts";

export interface CostsOf {
  readonly clients: number;
  readonly neighbours: number;
  /** Numbers in a vector. */
  readonly length: number;
  readonly bits: Bits;
  /** Clients lost after their shares were sent on. */
  readonly lost: number;
}

/** Bytes and agreements that a secure round takes beyond a plain one, without headers and text form. */
export interface Costs {
  readonly clientUp: number;
  /** Keys, envelopes and shares. */
  readonly clientUpBeyondVector: number;
  readonly clientDownBeyondModel: number;
  /** Masks that a client makes. */
  readonly clientMaskBytes: number;
  readonly serverIn: number;
  /** Masks that the coordinator makes again. */
  readonly serverMaskBytes: number;
}

/** The costs of a round: two keys, an identifier and a signature; an envelope and a share for each neighbour; the vector. */
export function secureCosts({ clients, neighbours: k, length, bits, lost }: CostsOf): Costs {
  const vector = (length * bits) / 8;
  const clientUpBeyondVector = 144 + 80 * k + 64 + 36 * (k + 1);
  const clientUp = vector + clientUpBeyondVector;
  return {
    clientUp,
    clientUpBeyondVector,
    clientDownBeyondModel: 144 * k + 80 * k + 80 * k,
    clientMaskBytes: (k + 1) * vector,
    serverIn: clients * clientUp,
    serverMaskBytes: (clients - lost) * vector + lost * k * vector,
  };
}
