import { spawnSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Halves, playHalves } from "./halves.ts";
import { writeTinyData, writeTinyModel } from "./tiny-model.ts";

const CLIENTS = ["apples", "bolts", "candles"];

export function tinyConfig(algorithm: string): Record<string, unknown> {
  return {
    model: { base: "model" },
    adapter: { rank: 4, alpha: 8, dropout: 0.1 },
    data: {
      maxLength: 96,
      clients: CLIENTS.map((name) => ({ name, train: `${name}.jsonl`, heldOut: `${name}.heldout.jsonl` })),
    },
    training: { batchSize: 3, localSteps: 2, learningRate: 5e-3 },
    federation: { algorithm, rounds: 3, clientsPerRound: 2 },
    evaluation: { every: 1 },
    runtime: { threads: 1 },
  };
}

export interface TinyFederation {
  readonly folder: string;
  /** Holds the model and the data files. */
  readonly source: string;
  readonly play: (algorithm: string, killAt?: Kill, when?: "before" | "after") => Promise<Halves>;
}

export interface Kill {
  readonly coordinator: number;
  readonly participant: number;
}

/** A tiny model and three clients' files in a temporary folder, to be played by two processes. */
export function tinyFederation(): TinyFederation {
  const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-halves-"));
  const source = path.join(folder, "source");
  writeTinyModel(path.join(source, "model"));
  for (const [i, name] of CLIENTS.entries()) {
    writeTinyData(path.join(source, `${name}.jsonl`), name, 9 + 4 * i);
    writeTinyData(path.join(source, `${name}.heldout.jsonl`), `${name} spare`, 4);
  }
  // Both users have to reach their folders.
  spawnSync("chmod", ["755", folder]);
  let plays = 0;
  return {
    folder,
    source,
    play: (algorithm, killAt, when) =>
      playHalves({
        source,
        folder: path.join(folder, `play-${++plays}`),
        config: tinyConfig(algorithm),
        clients: CLIENTS,
        ...(killAt && { killAt }),
        ...(when && { when }),
      }),
  };
}
