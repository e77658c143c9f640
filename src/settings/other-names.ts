/** A name of another program, and the setting here that means the same. */
interface OtherName {
  /** Whose name it is; empty: of several. */
  readonly program: string;
  /** The setting here; undefined where there is none. */
  readonly setting: string | undefined;
  /** A sentence in place of the setting's description. */
  readonly about?: string;
}

const names = (program: string, list: Readonly<Record<string, string>>): [string, OtherName][] =>
  Object.entries(list).map(([name, setting]) => [name, { program, setting }]);

const without = (program: string, list: Readonly<Record<string, string>>): [string, OtherName][] =>
  Object.entries(list).map(([name, about]) => [name, { program, setting: undefined, about }]);

const PRECISION = "Training here is in single precision (float32), so there is nothing to choose.";
const WARMUP = "A schedule here goes over rounds and has no warm-up: training.schedule is cosine or constant.";

/** Settings as PEFT, transformers and other programs call them, by their names in snake case. */
const OTHER_NAMES: ReadonlyMap<string, OtherName> = new Map<string, OtherName>([
  ...names("PEFT", {
    r: "adapter.rank",
    lora_alpha: "adapter.alpha",
    lora_dropout: "adapter.dropout",
    target_modules: "adapter.targets",
    use_rslora: "adapter.rsLora",
    base_model_name_or_path: "model.base",
  }),
  ...without("PEFT", {
    bias: "Adapters here train no biases.",
    modules_to_save: "Adapters here train LoRA matrices only.",
    use_dora: "DoRA is not supported.",
    task_type: "Every model here is a causal language model.",
    init_lora_weights: "Adapters here begin as PEFT's default does: A random, B zero.",
    rank_pattern: "All layers of a new adapter have the same rank: adapter.rank.",
    alpha_pattern: "All layers of a new adapter have the same alpha: adapter.alpha.",
  }),
  ...names("transformers", {
    model_name_or_path: "model.base",
    num_train_epochs: "training.localEpochs",
    max_steps: "training.localSteps",
    per_device_train_batch_size: "training.batchSize",
    train_batch_size: "training.batchSize",
    gradient_accumulation_steps: "training.gradientAccumulation",
    learning_rate: "training.learningRate",
    lr_scheduler_type: "training.schedule",
    optim: "training.optimizer",
    adam_beta1: "training.beta1",
    adam_beta2: "training.beta2",
    adam_epsilon: "training.epsilon",
    weight_decay: "training.weightDecay",
    max_grad_norm: "training.maxGradNorm",
    eval_steps: "evaluation.every",
    eval_strategy: "evaluation.every",
    evaluation_strategy: "evaluation.every",
    save_steps: "output.saveEvery",
    resume_from_checkpoint: "model.adapter",
    report_to: "output.tensorboard",
    logging_dir: "output.tensorboard",
    train_file: "data.train",
    validation_file: "data.heldOut",
    train_dataset: "data.train",
    eval_dataset: "data.heldOut",
    metric_for_best_model: "evaluation.best.metric",
    load_best_model_at_end: "evaluation.best.metric",
    early_stopping_patience: "evaluation.earlyStopping.patience",
    early_stopping_threshold: "evaluation.earlyStopping.minDelta",
    data_seed: "seed",
  }),
  ...without("transformers", {
    fp16: PRECISION,
    bf16: PRECISION,
    warmup_steps: WARMUP,
    warmup_ratio: WARMUP,
    output_dir: "The run folder is a flag: --out FOLDER.",
    load_in_4bit: "Bases are not quantised here.",
    load_in_8bit: "Bases are not quantised here.",
    gradient_checkpointing: "Memory follows training.microBatchTokens.",
  }),
  ...names("TRL", {
    max_seq_length: "data.maxLength",
    max_length: "data.maxLength",
    max_prompt_length: "data.maxPromptLength",
    loss_type: "objective.name",
    label_smoothing: "objective.labelSmoothing",
    dataset_name: "data.train",
    dataset: "data.train",
  }),
  ...names("LLaMA-Factory", {
    lora_rank: "adapter.rank",
    lora_target: "adapter.targets",
    cutoff_len: "data.maxLength",
    val_size: "data.heldOutRecords",
    max_samples: "data.limit",
    pref_loss: "objective.name",
    pref_beta: "objective.beta",
    dataset_dir: "data.train",
  }),
  ...names("Axolotl", {
    base_model: "model.base",
    lora_r: "adapter.rank",
    lora_target_modules: "adapter.targets",
    lora_target_linear: "adapter.targets",
    sequence_len: "data.maxLength",
    micro_batch_size: "training.batchSize",
    num_epochs: "training.localEpochs",
    lr_scheduler: "training.schedule",
    datasets: "data.train",
    val_set_size: "data.heldOutRecords",
  }),
  ...names("OpenFedLLM", {
    fed_alg: "federation.algorithm",
    num_rounds: "federation.rounds",
    num_clients: "federation.clients",
    sample_clients: "federation.clientsPerRound",
    split_strategy: "data.partition.by",
    prox_mu: "federation.proxMu",
    peft_lora_r: "adapter.rank",
    peft_lora_alpha: "adapter.alpha",
    seq_length: "data.maxLength",
    dataset_sample: "data.poolLimit",
    dpo_beta: "objective.beta",
  }),
  ...names("Flower", {
    num_server_rounds: "federation.rounds",
    fraction_fit: "federation.clientsPerRound",
    fraction_train: "federation.clientsPerRound",
    min_fit_clients: "federation.minClients",
    min_available_clients: "federation.minClients",
    strategy: "federation.algorithm",
    local_epochs: "training.localEpochs",
  }),
  ...names("", {
    lr: "training.learningRate",
    epochs: "training.localEpochs",
    epoch: "training.localEpochs",
    steps: "training.localSteps",
    batch: "training.batchSize",
    grad_accum: "training.gradientAccumulation",
    grad_accumulation_steps: "training.gradientAccumulation",
    grad_clip: "training.maxGradNorm",
    scheduler: "training.schedule",
    model_name: "model.base",
    model_id: "model.base",
    context_length: "data.maxLength",
    chat_template: "data.template",
    prompt_template: "data.template",
    system_prompt: "data.system",
    validation: "data.heldOut",
    validation_data: "data.heldOut",
    test: "data.heldOut",
    random_seed: "seed",
    alg: "federation.algorithm",
  }),
]);

/** Finds the meaning of a name that another program has for a setting. */
export function otherName(key: string): OtherName | undefined {
  const snake = key.replaceAll("-", "_").replaceAll(/[a-z\d][A-Z]/g, (pair) => `${pair[0]}_${pair[1]}`);
  return OTHER_NAMES.get(snake.toLowerCase());
}

/** `learningRate` for `learning_rate` and `learning-rate`. */
export function camelCase(key: string): string {
  return key.toLowerCase() === key || key.includes("_") || key.includes("-")
    ? key.toLowerCase().replaceAll(/[_-]+([a-z\d])/g, (_, letter: string) => letter.toUpperCase())
    : key;
}

/** For tests: every setting that a name leads to. */
export function namedSettings(): readonly string[] {
  return [...OTHER_NAMES.values()].flatMap(({ setting }) => setting ?? []);
}
