import type { OpenAnswers } from "../evaluation/benchmark-task.ts";
import type { EncodingPool, KeptEncodings } from "../data/encoding/encode-all.ts";
import type { EncoderSetup } from "../data/encoding/encoder.ts";
import type { FileReader } from "../data/file-reader.ts";
import type { Store } from "../store/store.ts";
import type { EventSink, RunEvent } from "../federation/events.ts";
import type { AdapterConfig, StoredAdapter } from "../model/adapter.ts";
import type { BaseModel } from "../model/base-model.ts";
import type { ExperimentConfig } from "../settings/schema.ts";
import type { Params } from "../tensor/params.ts";
import type { Runtime } from "../train/runtime.ts";

/** What helps to encode records. */
export interface EncodingHelp {
  readonly pool?: EncodingPool | undefined;
  readonly kept?: KeptEncodings | undefined;
  readonly close: () => Promise<void>;
}

/** An adapter to train on. */
export interface TrainedAdapter extends StoredAdapter {
  /** sha256 of the base's weights and architecture that a run trained it on, where that is known. */
  readonly baseHash: string | undefined;
}

/** PORT. The machine of an experiment: files, engine, models. */
export interface Platform {
  readonly files: FileReader;
  readonly runtime: Runtime;
  /** Threads the runtime works with: sums are split among them, so a run is continued with as many as it began with. */
  readonly threads: number;
  /** Opens a base model by reference. Throws a `UserError` of kind `model`. */
  openModel(ref: string): Promise<BaseModel>;
  /**
   * Opens what helps to encode so many records: other threads, and a memory of what was encoded before. Default: one thread
   * encodes all.
   */
  openEncodingHelp?(setup: EncoderSetup, records: number): EncodingHelp;
  /** Reads an adapter that PEFT or a run saved, by reference. Throws a `UserError` of kind `model`. */
  openAdapter(ref: string): Promise<StoredAdapter>;
  /** Reads the adapter of a run folder, or one that PEFT or a run saved. Throws a `UserError` of kind `model` or `config`. */
  openTrainedAdapter(ref: string): Promise<TrainedAdapter>;
}

/** PORT. The place that keeps one run; everything in it survives a crash. */
export interface RunStore {
  readonly exchange: Store;
  /** The clients' own store, apart from the exchange: nothing in it travels. */
  readonly clientStore: Store;
  /** The coordinator's own store, of a private run: its secret key and the ledgers of its clients. Nothing in it travels. */
  readonly coordinatorStore: Store;
  /**
   * Opens the durable event log, leaving in it what `holds` says still holds. `output` says where its events go besides.
   */
  openEvents(
    holds: (event: RunEvent) => boolean,
    output: ExperimentConfig["output"],
  ): Promise<EventSink & { close(): Promise<void> }>;
  /** Opens the place for a model's answers to a benchmark after a round. */
  openAnswers(round: number, ...what: Parameters<OpenAnswers>): ReturnType<OpenAnswers>;
  /** Writes an adapter under a name (`adapter`, `adapters/round-0003`), whole or not at all; returns where. */
  saveAdapter(name: string, config: AdapterConfig, adapter: Params, base: string): Promise<string>;
  /** Writes a JSON document (`config.json`, `metrics.json`), whole or not at all. */
  saveJson(name: string, value: unknown): Promise<void>;
  readJson(name: string): Promise<unknown>;
}
