/** What the first settings of a person are made of. */
export interface StarterSettings {
  readonly base: string;
  /** Where an editor finds the schema, from the file's folder. */
  readonly schema: string;
  /** LLaMA-Factory's dataset_info.json, whose names the clients' files are. */
  readonly info?: string | undefined;
  readonly clients: readonly StarterClient[];
  /** Deal the records of all files to this many clients; undefined: each file is a client. */
  readonly dealTo?: number | undefined;
  /** Records of each client that are kept apart. */
  readonly heldOutRecords: number;
  readonly rounds: number;
  readonly objective: "sft" | "dpo" | "kto";
}

export interface StarterClient {
  readonly name: string;
  /** Path from the settings' folder. */
  readonly file: string;
  readonly records: number;
}

/** Records of a client up to which a round is one pass. */
const LONGEST_PASS = 2000;

/** A tenth of the smallest client, from 1 to 50; none of fewer than five records. */
export function starterHeldOut(smallest: number): number {
  if (smallest < 5) return 0;
  return Math.min(50, Math.max(1, Math.round(smallest / 10)));
}

/** Passes of a round: one, or the part of one that `LONGEST_PASS` records are. */
export function starterEpochs(largest: number): number {
  return largest <= LONGEST_PASS ? 1 : Number((LONGEST_PASS / largest).toPrecision(1));
}

/** Records of a step: small files take more, smaller steps. */
export function starterBatch(smallest: number): number {
  if (smallest < 64) return 4;
  return smallest < 500 ? 8 : 16;
}

/** Writes settings as YAML, with the reason beside each choice. */
export function starterText(starter: StarterSettings): string {
  const { base, schema, info, clients, dealTo, heldOutRecords, rounds, objective } = starter;
  const total = clients.reduce((sum, { records }) => sum + records, 0);
  const sizes = dealTo === undefined ? clients.map(({ records }) => records) : [Math.floor(total / dealTo)];
  const [smallest, largest] = [Math.min(...sizes) - heldOutRecords, Math.max(...sizes) - heldOutRecords];
  const epochs = starterEpochs(largest);
  const passes = Number((epochs * rounds).toPrecision(2));
  const data =
    dealTo === undefined
      ? [
          `  clients: # one ${info === undefined ? "file of records" : "dataset"} each; a list is possible`,
          ...clients.map(
            ({ name, file, records }) => `    - { name: ${scalar(name)}, train: ${scalar(file)} } # ${records} records`,
          ),
        ]
      : [
          `  train: ${clients.length === 1 ? scalar(clients[0]!.file) : `[${clients.map(({ file }) => scalar(file)).join(", ")}]`} # ${total} records, dealt to federation.clients`,
          "  # partition: { by: dirichlet, field: topic, alpha: 0.3 } # clients that are not alike",
        ];
  return [
    `# yaml-language-server: $schema=${schema}`,
    "# Every setting: docs/configuration.md, or openfedllm run --help-all.",
    `model: { base: ${JSON.stringify(base)} } # a folder, org/name on the Hugging Face Hub, or npm:package`,
    "",
    "data:",
    ...(info === undefined ? [] : [`  info: ${scalar(info)} # what the names of datasets stand for`]),
    ...data,
    heldOutRecords === 0
      ? "  # heldOutRecords: 20 # of each client, kept apart to measure on; these files have too few records for it"
      : `  heldOutRecords: ${heldOutRecords} # of each client, kept apart: nobody trains on them`,
    "",
    ...(objective === "sft"
      ? []
      : [`objective: { name: ${objective} } # the records say which answers people prefer`, ""]),
    "training:",
    `  localEpochs: ${epochs} # passes of a client over its records in a round: ${passes} in all`,
    `  batchSize: ${starterBatch(smallest)} # records of a step`,
    ...(objective === "sft"
      ? ["  learningRate: 1.0e-3 # for a small model; a base of a billion parameters takes 1e-4 to 3e-4"]
      : ["  learningRate: 5.0e-5"]),
    "",
    "federation:",
    ...(dealTo === undefined ? [] : [`  clients: ${dealTo}`]),
    `  rounds: ${rounds}`,
    ...(heldOutRecords === 0
      ? []
      : ["", "evaluation: { every: 1, best: { metric: loss } } # measure each round; best/ keeps the best one"]),
    "",
  ].join("\n");
}

/** A YAML scalar in a flow mapping: plain where that is no other thing. */
function scalar(text: string): string {
  const isPlain =
    /^[A-Za-z_.][\w./-]*$/.test(text) && !/^(true|false|null|yes|no|on|off|\.|\.\.|\.nan|[.-]?\.inf)$/i.test(text);
  return isPlain ? text : JSON.stringify(text);
}
