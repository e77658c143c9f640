import { UserError } from "../diagnostics/user-error.ts";
import type { ModelConfig } from "./config.ts";
import type { ByteSource, SourceWeights } from "./convert.ts";
import { familyOf } from "./families/registry.ts";
import { GGML_FORMATS, type GgmlFormat, OTHER_FORMATS, storedBytes } from "./gguf-blocks.ts";
import { type GgufEntry, readGgufHeader } from "./gguf-header.ts";
import { unpairRows } from "./gguf-rules.ts";
import { expectedTensors } from "./names.ts";

/** Elements that are converted at a time, whole blocks. */
const PIECE_ELEMENTS = 4 * 1024 * 1024;

/**
 * Opens the weights of a GGUF file as float32, under Hugging Face names and in Hugging Face's order of rows. The file says the
 * weights alone; `config.json` says the model. Throws a `UserError` of kind `model` that names the file, for a family without
 * GGUF, another architecture, and a tensor of a format that is not read.
 */
export async function ggufWeights(file: ByteSource, config: ModelConfig): Promise<SourceWeights> {
  const { gguf: rules, title } = familyOf(config);
  if (rules === undefined) {
    throw new UserError("model", `${file.name}: GGUF files of ${title} models are not read`, {
      hint: "Use the model's safetensors.",
    });
  }
  const { metadata, tensors } = await readGgufHeader(file);
  const architecture = metadata.get("general.architecture");
  if (architecture !== rules.architecture) {
    throw new UserError(
      "model",
      `${file.name}: general.architecture is ${JSON.stringify(architecture)}, but config.json is of a ${title} model, expected ${rules.architecture}`,
      { hint: "Use config.json and the GGUF file of the same model." },
    );
  }
  const located = new Map<string, { readonly entry: GgufEntry; readonly format: GgmlFormat }>();
  for (const name of expectedTensors(config).keys()) {
    const written = rules.tensorName(name);
    const entry = tensors.get(written);
    if (entry !== undefined) located.set(name, { entry, format: formatOf(file, written, entry) });
  }
  return {
    shapes: new Map([...located].map(([name, { entry }]) => [name, entry.shape])),
    async *pieces(name) {
      const { entry, format } = located.get(name)!;
      const change = rules.change(config, name);
      const pieces = decoded(file, entry, format);
      if (change === undefined) yield* pieces;
      else if (change.kind === "add-one") for await (const piece of pieces) yield piece.map((weight) => weight - 1);
      else {
        const whole = new Float32Array(entry.shape.reduce((a, b) => a * b, 1));
        let at = 0;
        for await (const piece of pieces) {
          whole.set(piece, at);
          at += piece.length;
        }
        yield unpairRows(whole, entry.shape[0]!, change.heads);
      }
    },
  };
}

function formatOf(file: ByteSource, name: string, { type, shape, position }: GgufEntry): GgmlFormat {
  const fail = (problem: string, hint: string): UserError =>
    new UserError("model", `${file.name}: tensor ${name} ${problem}`, { hint });
  const format = GGML_FORMATS.get(type);
  if (format === undefined) {
    const known = [...GGML_FORMATS.values()].map((each) => each.name).join(", ");
    throw fail(
      `has the type ${OTHER_FORMATS[type] ?? type}, which is not read; read are ${known}`,
      "Use a file in one of these types, such as Q8_0 or Q4_K_M.",
    );
  }
  if ((shape.at(-1) ?? 1) % format.elements !== 0)
    throw fail(`has rows that are no whole blocks of ${format.name}`, AGAIN);
  if (position + storedBytes(format, shape) > file.size) throw fail("lies beyond the file's end", AGAIN);
  return format;
}

const AGAIN = "Download or copy the file again.";

async function* decoded(
  file: ByteSource,
  { shape, position }: GgufEntry,
  { elements, bytes, decode }: GgmlFormat,
): AsyncGenerator<Float32Array> {
  const blocks = shape.reduce((a, b) => a * b, 1) / elements;
  const most = PIECE_ELEMENTS / elements;
  for (let first = 0; first < blocks; first += most) {
    const count = Math.min(most, blocks - first);
    yield decode(await file.read(position + first * bytes, count * bytes));
  }
}
