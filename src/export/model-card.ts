import { stringify } from "yaml";
import { hubBase } from "./peft.ts";
import type { ExportDtype, ExportSource } from "./target.ts";
import type { TrainingFacts } from "./training-facts.ts";

export interface CardContent {
  readonly title: string;
  readonly source: ExportSource;
  /** Name of the format, what loads it, and its number format. */
  readonly to: string;
  readonly library: string;
  readonly dtype: ExportDtype;
  /** Markdown with a fenced example; FOLDER stands for this folder. */
  readonly loading: string;
  readonly notes: readonly string[];
  /** Undefined for an adapter that no run folder tells about. */
  readonly training: TrainingFacts | undefined;
}

/** Writes a model card as the Hugging Face Hub reads it: a YAML header, and then what a reader must know. */
export function modelCard(content: CardContent): string {
  const { title, source, notes, loading, training } = content;
  const parts = [
    `---\n${stringify(header(content))}---`,
    `# ${title}`,
    whatItIs(content),
    ...(training === undefined || source.adapter === undefined ? [] : trained(training)),
    `## Privacy\n\n${privacy(content)}`,
    `## Limits\n\n${limits(content)}`,
    `## How to load it\n\n${loading.replaceAll("FOLDER", "path/to/this/folder")}`,
    ...(notes.length === 0 ? [] : [`## Notes\n\n${notes.map((note) => `- ${sentence(note)}`).join("\n")}`]),
  ];
  return `${parts.join("\n\n")}\n`;
}

const sentence = (note: string): string => {
  const text = note.replace(/^note: /, "");
  return text.charAt(0).toUpperCase() + text.slice(1);
};

function header({ source, to, library, dtype }: CardContent): Record<string, unknown> {
  const base = hubBase(source);
  const relation = to === "peft" || to === "gguf-lora" ? "adapter" : dtype === "q8_0" ? "quantized" : "merge";
  return {
    ...(base === undefined ? {} : { base_model: base.id, base_model_relation: relation }),
    library_name: library,
    pipeline_tag: "text-generation",
    tags: ["openfedllm", "federated-learning", ...(source.adapter === undefined ? [] : ["lora"])],
  };
}

function whatItIs({ source: { base, adapter }, to, dtype }: CardContent): string {
  const at = base.commit === undefined ? "" : ` at commit ${base.commit}`;
  const model = `\`${base.name}\`${at} (${base.modelConfig.family}, ${base.modelConfig.layers} layers)`;
  const format = `Format: ${to}, numbers as ${dtype}.`;
  if (adapter === undefined) return `The base model ${model}, without an adapter. ${format}`;
  const { rank, alpha, targets, rsLora } = adapter.config;
  const adapted = targets === "all-linear" ? "all linear layers" : targets.join(", ");
  return `A LoRA adapter for ${model}: rank ${rank}, alpha ${alpha}${rsLora ? " with rsLoRA" : ""}, on ${adapted}. ${format}`;
}

function trained(facts: TrainingFacts): string[] {
  const { algorithm, objective, rounds, members, examples, supervisedTokens, template, maxLength, heldOut } = facts;
  const { startedFrom } = facts;
  const done = [
    `- Federated algorithm ${algorithm}, objective ${objective}, ${counted(rounds, "round")}, ${counted(members, "member")}.`,
    `- ${examples === 0 ? "Members did not tell the number of their records" : `${counted(examples, "record")} with repeats, ${counted(supervisedTokens, "supervised token")}`}; template \`${template}\`, at most ${maxLength} tokens.`,
    ...(startedFrom === undefined
      ? []
      : [`- It goes on from the adapter \`${startedFrom}\`. What that was trained on is not counted here.`]),
    ...(template === "chat"
      ? []
      : [
          `- Ask it with the template \`${template}\`, which is not the chat template that stands in the tokenizer's files.`,
        ]),
  ];
  const figures =
    heldOut === undefined
      ? "No records were held out, so what the training changed was not measured."
      : [
          `Mean loss over ${counted(heldOut.sets, "held-out set")} (${counted(heldOut.records, "record")}), in nats:`,
          "",
          "| before | after | change |",
          "| --- | --- | --- |",
          `| ${heldOut.before.toFixed(3)} | ${heldOut.after.toFixed(3)} | ${percent(heldOut.after / heldOut.before - 1, true)} |`,
        ].join("\n");
  return [`## Training\n\n${done.join("\n")}`, `## Held-out records\n\n${figures}`];
}

function privacy({ training, source }: CardContent): string {
  if (source.adapter === undefined) return "Nothing was trained.";
  if (training === undefined) return "This folder does not say how the adapter was trained.";
  const { algorithm, privacy: settings, stages, memorisation } = training;
  const leaves =
    algorithm === "centralized"
      ? "The records of all members were trained on in one place."
      : "A member sends updates of the adapter to the others, and no records.";
  const how =
    settings === undefined
      ? "The training had no differential privacy. An adapter can remember parts of what it was trained on."
      : `The training had these settings of privacy: \`${JSON.stringify(settings)}\`. The run folder holds what they amount to.`;
  const steps = stages.length === 0 ? "" : ` Before they were sent, updates went through: ${stages.join(", ")}.`;
  const measured =
    memorisation.length === 0
      ? "What it remembers was not measured (`openfedllm memorisation`)."
      : `Training records that can be drawn out word by word: ${memorisation.map(remembered).join("; ")}.`;
  return `${leaves} ${how}${steps}\n\n${measured}`;
}

function remembered({ adapter, train, heldOut }: TrainingFacts["memorisation"][number]): string {
  const never = heldOut === undefined ? "" : `, of held-out records ${percent(heldOut)}`;
  return `${adapter} ${percent(train)}${never}`;
}

function limits({ source }: CardContent): string {
  return [
    `- It has the limits of its base, and the licence of its base applies to it.`,
    ...(source.adapter === undefined
      ? []
      : ["- It was tuned on the members' records and is not tested on others than those named above."]),
    "- It can state wrong things fluently. A person must check what it says where that matters.",
  ].join("\n");
}

const counted = (count: number, noun: string): string =>
  `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;

function percent(share: number, signed = false): string {
  return `${signed && share > 0 ? "+" : ""}${(100 * share).toFixed(1)} %`;
}
