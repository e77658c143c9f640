/** A sentence on each section of a configuration, by its dotted key. */
export const SECTIONS: Readonly<Record<string, string>> = {
  model: "The base model. Its weights do not change; only the adapter learns.",
  adapter: "The LoRA adapter that travels between clients and server.",
  data: "The records of each client, and the way a record becomes text. Give either `data.clients` or `data.train`.",
  "data.partition": "The way pooled records (`data.train`) are dealt to clients.",
  "data.canaries": "Invented secrets among the training records, to measure memorisation.",
  objective: "The loss, and the kind of records it learns from.",
  training: "The training of a client in a round.",
  federation: "The server: rounds, clients and aggregation.",
  "federation.server": "The server's optimizer.",
  privacy: "Differential privacy (docs/privacy.md). Without this section updates are sent as they are.",
  "privacy.client": "Differential privacy with a client, all its records, as the unit.",
  "privacy.record": "Differential privacy with a record as the unit: noise in each step of a client's training.",
  secureAggregation:
    "Secure aggregation (docs/secure-aggregation.md): the coordinator learns the sum of a round's updates, and none of them. Without this section it reads each.",
  evaluation: "Measurements during the run. No client trains on held-out records.",
  "evaluation.best": "The best round, whose adapter is kept in best/.",
  "evaluation.earlyStopping": "The end of a run that no longer improves.",
  output: "The contents of the run folder, and where its numbers are sent.",
  "output.mlflow": "An MLflow server that gets the measurements while the run goes on.",
  "output.webhook": "An address that gets signed messages about the run.",
  runtime: "The machine. These settings do not change the result.",
};
