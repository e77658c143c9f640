import { algorithmOf } from "../algorithms/registry.ts";
import { valueAt } from "../data/row.ts";
import { aggregatorOf } from "../updates/aggregator-registry.ts";
import { schemaAt } from "./json-schema.ts";
import { isRead, READ_BY } from "./read-by.ts";
import type { ExperimentConfig } from "./schema.ts";

/**
 * Settings of a configuration that have no effect, a sentence each: a person who sets FedProx's μ under FedAvg believes in
 * something that does not happen. A setting at its default is not told from one that was left out.
 */
export function inertSettings(config: ExperimentConfig): string[] {
  const notes: string[] = [];
  for (const [key, { by, names }] of Object.entries(READ_BY)) {
    const value = valueAt(config, key);
    if (value === undefined || value === schemaAt(key.split("."))?.default) continue;
    if (isRead(key, (other) => valueAt(config, other))) continue;
    const readers = names.length > 3 ? `${names.slice(0, 3).join(", ")}, …` : names.join(", ");
    notes.push(
      `${key} is ${JSON.stringify(value)}, which only ${readers} read${names.length === 1 ? "s" : ""}; ${by} is ${JSON.stringify(valueAt(config, by)) ?? "not set"}`,
    );
  }
  const { data, evaluation, federation } = config;
  if (data.maxPromptLength !== undefined && data.maxPromptLength >= data.maxLength) {
    notes.push(
      `data.maxPromptLength (${data.maxPromptLength}) leaves an answer no room within data.maxLength (${data.maxLength})`,
    );
  }
  const clients = data.clients?.length ?? federation.clients;
  if (federation.clientsPerRound !== undefined && clients !== undefined && federation.clientsPerRound > clients) {
    notes.push(`federation.clientsPerRound is ${federation.clientsPerRound}, and there are ${clients}: all take part`);
  }
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
      `evaluation.earlyStopping cannot stop this run: ${federation.rounds} rounds have no ${earlyStopping.patience} evaluations in a row before the last`,
    );
  }
  const algorithm = algorithmOf(federation.algorithm, federation, config.fidelity);
  const { aggregator = "mean", stages, weighting } = federation;
  if (algorithm.ownAdapter !== undefined && evaluation.prompts.length > 0) {
    notes.push(`evaluation.prompts are not answered: ${algorithm.name} leaves no common adapter to answer with`);
  }
  if (!algorithm.federated) {
    for (const [key, value] of Object.entries({ stages, aggregator: federation.aggregator })) {
      if (value !== undefined) notes.push(`federation.${key} has no effect: ${algorithm.name} sends no updates`);
    }
  } else if (weighting !== undefined && !aggregatorOf(aggregator, federation).weighted) {
    notes.push(`federation.weighting has no effect: with federation.aggregator ${aggregator} all clients count alike`);
  }
  return notes;
}
