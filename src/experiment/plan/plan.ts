import { initAdapter } from "../../model/adapter.ts";
import { encodeGroups } from "../../store/codec.ts";
import { parameterCount } from "../../tensor/params.ts";
import { changeBytes, updateBytes } from "../site-task.ts";
import type { Prepared } from "../prepare.ts";
import { plannedMemory, type PlannedMemory, scoredSequences } from "./planned-memory.ts";
import { type PlannedTraining, plannedTraining } from "./planned-training.ts";

/** What a run will cost, known before its first step. */
export interface Plan {
  readonly model: { readonly name: string; readonly family: string; readonly parameters: number };
  readonly adapter: { readonly tensors: number; readonly parameters: number };
  readonly rounds: number;
  /** Clients that train in a round. */
  readonly clientsPerRound: number;
  readonly clients: readonly PlannedTraining[];
  /** Optimizer steps of all clients in all rounds. */
  readonly steps: number;
  /** Bytes from and to one client in a round, and of all clients; 0 where nothing travels. */
  readonly traffic: { readonly up: number; readonly down: number; readonly round: number; readonly total: number };
  readonly evaluations: number;
  /** Tokens of all sequences that one evaluation scores. */
  readonly tokensPerEvaluation: number;
  readonly memory: PlannedMemory;
}

/** States what a prepared run will cost from its settings, its records and the shapes of its tensors. It computes no step. */
export function planExperiment(prepared: Prepared): Plan {
  const { config, model, algorithm, trainers } = prepared;
  const { rounds, clientsPerRound = Infinity } = config.federation;
  const adapter = initAdapter(config.adapter, model.modelConfig, config.seed);
  const clients = plannedTraining(prepared);
  const drawn = Math.min(clientsPerRound, trainers.length);
  const up = algorithm.federated ? updateBytes(prepared) : 0;
  const extra = algorithm.broadcast(algorithm.init(adapter), 1);
  // Who skips rounds is sent the whole adapter.
  const change = drawn === trainers.length ? changeBytes(prepared) : undefined;
  const whole = { ...(change === undefined && { adapter }), ...extra };
  const others = Object.keys(whole).length === 0 ? 0 : encodeGroups(whole, {}).length;
  const down = algorithm.federated ? (change ?? 0) + others : 0;
  const round = drawn * (up + down);
  const { every } = config.evaluation;
  const scored = scoredSequences(prepared);
  const between = every === 0 ? 0 : Math.floor((rounds - 1) / every);
  return {
    model: {
      name: model.name,
      family: model.modelConfig.family,
      parameters: [...model.weights.shapes.values()].reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0),
    },
    adapter: { tensors: adapter.size, parameters: parameterCount(adapter) },
    rounds,
    clientsPerRound: drawn,
    clients,
    steps: Math.round(clients.reduce((sum, client) => sum + client.steps * client.rounds, 0)),
    traffic: { up, down, round, total: rounds * round },
    evaluations: scored.length === 0 ? 0 : between + 2,
    tokensPerEvaluation: scored.reduce((sum, { tokens }) => sum + tokens.length, 0),
    memory: plannedMemory(prepared),
  };
}
