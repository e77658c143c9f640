import type { DataRecord } from "../data/record.ts";
import type { Declared, SettingFields } from "../registry/declared.ts";
import type { Params } from "../tensor/params.ts";
import type { RandomStream } from "../tensor/random.ts";

/** What a hostile client knows of a round when it sends its change. */
export interface AttackContext {
  /** The changes that honest clients sent in this round. */
  readonly honest: readonly Params[];
  /** The numbers of clients in the round, and of hostile ones among them. */
  readonly clients: number;
  readonly hostile: number;
  /** Random numbers of this client in this round. */
  readonly random: RandomStream;
}

/** A way in which hostile clients of a simulation behave: what they train on, what they send, or both. */
export interface Attack {
  readonly name: string;
  /** Changes the records that a hostile client trains on. `labels`: the legal answers, where records are classified. */
  readonly records?: ((records: readonly DataRecord[], labels: readonly string[]) => readonly DataRecord[]) | undefined;
  /** Makes the change that a hostile client sends from the one it trained. */
  readonly change?: ((own: Params, context: AttackContext) => Params) | undefined;
  /** True where `change` looks at the honest changes. Without any it is not called. */
  readonly colludes: boolean;
}

/** Declares an attack with the settings of `data.attack` that it reads. */
export function defineAttack<F extends SettingFields>(attack: Declared<F, [], Attack>): Declared<F, [], Attack> {
  return attack;
}
