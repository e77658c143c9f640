/** A part of the round's work that goes by the names of the adapter's tensors (PEFT's). */
export interface FactorRule {
  readonly name: string;
  /** The kinds of rounds, in turn from round 1. The server's state and a client's memory of the algorithm are kept for each. */
  readonly phases: readonly Phase[];
  /** True where a client keeps the tensors that it does not send, from round to round, and is measured by them. */
  readonly personal: boolean;
}

export interface Phase {
  readonly name: string;
  /** True for a tensor that training changes. */
  readonly trains: (tensor: string) => boolean;
  /** True for a tensor that clients send and the server combines. */
  readonly sends: (tensor: string) => boolean;
}

/** The phase of a round, from 1. */
export function phaseOf({ phases }: FactorRule, round: number): Phase {
  return phases[(round - 1) % phases.length]!;
}

export const isA = (tensor: string): boolean => tensor.endsWith(".lora_A.weight");
export const isB = (tensor: string): boolean => tensor.endsWith(".lora_B.weight");
