import { algorithmOf } from "../algorithms/registry.ts";
import { valueAt } from "../data/row.ts";
import { aggregatorOf } from "../updates/aggregator-registry.ts";
import { inertAsynchrony } from "./asynchrony.ts";
import { notedClientPrivacy } from "./client-privacy.ts";
import { schemaAt } from "./json-schema.ts";
import { isRead, readBy } from "./read-by.ts";
import { notedRecordPrivacy } from "./record-privacy.ts";
import type { ExperimentConfig } from "./schema.ts";

/**
 * Lists the settings of a configuration that have no effect, each with the reason, such as FedProx's μ under FedAvg. A
 * setting at its default counts as not set.
 */
export function inertSettings(config: ExperimentConfig): string[] {
  const notes: string[] = [];
  for (const [key, { by, names }] of Object.entries(readBy())) {
    const value = valueAt(config, key);
    if (value === undefined || value === schemaAt(key.split("."))?.default) continue;
    if (isRead(key, (other) => valueAt(config, other))) continue;
    const readers = names.length > 3 ? `${names.slice(0, 3).join(", ")}, …` : names.join(", ");
    notes.push(
      `${key} (${JSON.stringify(value)}) has no effect: only ${readers} read${names.length === 1 ? "s" : ""} it, and ${by} is ${JSON.stringify(valueAt(config, by)) ?? "not set"}`,
    );
  }
  const { data, evaluation, federation, training } = config;
  if (data.maxPromptLength !== undefined && data.maxPromptLength >= data.maxLength) {
    notes.push(
      `data.maxPromptLength (${data.maxPromptLength}) leaves no tokens of data.maxLength (${data.maxLength}) for an answer`,
    );
  }
  if (training.localSteps !== undefined && training.localEpochs !== undefined) {
    notes.push(
      `training.localSteps (${training.localSteps}) has no effect: training.localEpochs (${training.localEpochs}) replaces it`,
    );
  }
  const clients = data.clients?.length ?? federation.clients;
  if (federation.clientsPerRound !== undefined && clients !== undefined && federation.clientsPerRound > clients) {
    notes.push(
      `federation.clientsPerRound is ${federation.clientsPerRound}, but there are ${clients} clients: all take part in every round`,
    );
  }
  if (data.root !== undefined && federation.aggregator !== "fltrust") {
    notes.push("data.root has no effect: only federation.aggregator fltrust trains on it");
  }
  notes.push(...inertAsynchrony(config), ...notedClientPrivacy(config), ...notedRecordPrivacy(config));
  const { best, earlyStopping, every } = evaluation;
  if (best.metric === undefined && earlyStopping.patience === undefined && best.over !== undefined) {
    notes.push(
      "evaluation.best.over has no effect without evaluation.best.metric or evaluation.earlyStopping.patience",
    );
  }
  if (earlyStopping.minDelta > 0 && earlyStopping.patience === undefined) {
    notes.push("evaluation.earlyStopping.minDelta has no effect without evaluation.earlyStopping.patience");
  }
  if (earlyStopping.patience !== undefined && earlyStopping.patience * every >= federation.rounds) {
    notes.push(
      `evaluation.earlyStopping cannot stop this run: before the last of ${federation.rounds} rounds there are fewer than ${earlyStopping.patience} evaluations`,
    );
  }
  const algorithm = algorithmOf(federation.algorithm, federation, config.fidelity);
  const { aggregator = "mean", stages, downlink, weighting } = federation;
  if (algorithm.ownAdapter !== undefined && evaluation.prompts.length > 0) {
    notes.push(`evaluation.prompts has no effect: ${algorithm.name} makes no common adapter to answer with`);
  }
  if (!algorithm.federated) {
    for (const [key, value] of Object.entries({ stages, downlink, aggregator: federation.aggregator })) {
      if (value !== undefined) notes.push(`federation.${key} has no effect: ${algorithm.name} sends no updates`);
    }
  } else if (weighting !== undefined && !aggregatorOf(aggregator, federation).weighted) {
    notes.push(
      `federation.weighting has no effect: federation.aggregator ${aggregator} gives all clients the same weight`,
    );
  }
  return notes;
}
