import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import * as ort from "onnxruntime-node";
import { describe, expect, it } from "vitest";
import { EXPORT_OPTIONS, goldenSource, memoryFolder } from "../../test/support/export-folder.ts";
import { goldenExamples, GOLDEN_FAMILIES, openGolden } from "../../test/support/golden.ts";
import { openDecoder } from "../decode/decoder.ts";
import { exportedGraph } from "../model/language-model.ts";
import { encodeOnnx } from "../graph/onnx.ts";
import { onnxRuntime } from "../node/onnx-runtime.ts";
import { onnx } from "./onnx.ts";

type Feeds = Record<string, ort.Tensor>;

/** Opens an exported model as another program does: from its folder, with nothing of ours. */
async function opened(family: string, options: Partial<typeof EXPORT_OPTIONS> = {}) {
  const { folder, files } = memoryFolder();
  await onnx.write(goldenSource(family), folder, { ...EXPORT_OPTIONS, ...options });
  const place = mkdtempSync(path.join(tmpdir(), "openfedllm-onnx-"));
  mkdirSync(path.join(place, "onnx"));
  for (const [name, bytes] of files) writeFileSync(path.join(place, name), bytes);
  const model = [...files.keys()].find((name) => name.endsWith(".onnx"))!;
  const session = await ort.InferenceSession.create(path.join(place, model), { logSeverityLevel: 3 });
  rmSync(place, { recursive: true });
  const { layers, kvHeads, headDim } = openGolden(family).modelConfig;
  const none = (rows: number): Feeds =>
    Object.fromEntries(
      Array.from({ length: layers }, (_, layer) =>
        ["key", "value"].map((kind) => [
          `past_key_values.${layer}.${kind}`,
          new ort.Tensor("float32", new Float32Array(), [rows, kvHeads, 0, headDim]),
        ]),
      ).flat(),
    );
  return { session, files, none };
}

const int64 = (rows: readonly (readonly number[])[]): ort.Tensor =>
  new ort.Tensor("int64", BigInt64Array.from(rows.flat(), BigInt), [rows.length, rows[0]!.length]);

/** Positions as transformers counts them: of visible places. */
function positionsOf(mask: readonly number[], from: number): number[] {
  let seen = 0;
  return mask.map((one) => (one === 1 ? seen++ : 1)).slice(from);
}

/** The logits [vocabulary] after the last token of each row. */
function last({ dims, data }: ort.Tensor): Float32Array[] {
  const [rows, length, vocabulary] = dims as [number, number, number];
  return Array.from({ length: rows }, (_, row) => {
    const end = (row + 1) * length * vocabulary;
    return (data as Float32Array).slice(end - vocabulary, end);
  });
}

const largestDifference = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0);

/** Our decoder's logits after a prompt and after one token more. */
async function ours(family: string, prompt: readonly number[], next: number): Promise<Float32Array[]> {
  const { modelConfig, weights, lora, adapter } = openGolden(family);
  const decoder = await openDecoder({ runtime: onnxRuntime(), modelConfig, weights, lora, maxLength: 40 });
  const cache = decoder.openCache(1, 40);
  const logits = [];
  for (const tokens of [prompt, [next]]) logits.push(...(await decoder.extend(adapter, cache, 0, [tokens])));
  await decoder.dispose();
  return logits.map((values) => values.slice());
}

/** The rotation of the others depends on the length of the text. */
const EXPORTED = GOLDEN_FAMILIES.filter((family) => !["phi3-short", "phi3-long"].includes(family));

describe.each(EXPORTED)("%s as ONNX", (family) => {
  it("answers what the decoder answers: padded on the left, with and without its cache", async () => {
    const [a, b] = goldenExamples(family).map(({ tokens }) => [...tokens].slice(0, 14));
    const short = b!.slice(0, 9);
    const next = 5;
    const { session, none } = await opened(family);
    const pad = (tokens: readonly number[], value: number): number[] => [
      ...Array<number>(a!.length - short.length).fill(value),
      ...tokens,
    ];
    const masks = [
      a!.map(() => 1),
      pad(
        short.map(() => 1),
        0,
      ),
    ];
    const first = await session.run({
      ...none(2),
      input_ids: int64([a!, pad(short, 0)]),
      attention_mask: int64(masks),
      position_ids: int64(masks.map((mask) => positionsOf(mask, 0))),
    });
    const grown = masks.map((mask) => [...mask, 1]);
    const past = Object.fromEntries(
      Object.entries(first)
        .filter(([name]) => name.startsWith("present."))
        .map(([name, tensor]) => [name.replace("present", "past_key_values"), tensor]),
    );
    const second = await session.run({
      ...past,
      input_ids: int64([[next], [next]]),
      attention_mask: int64(grown),
      position_ids: int64(grown.map((mask) => positionsOf(mask, mask.length - 1))),
    });
    const got = [first, second].map((outputs) => last(outputs["logits"]!));
    for (const [row, prompt] of [a!, short].entries()) {
      const wanted = await ours(family, prompt, next);
      // In float64 the two graphs differ by 5e-7, which is the merged weights' rounding; the rest is the engine's float32.
      wanted.forEach((logits, step) => expect(largestDifference(logits, got[step]![row]!)).toBeLessThan(2e-5));
    }
    await session.release();
  });
});

it("refuses a rotation that depends on the length of the text", async () => {
  const { folder } = memoryFolder();
  await expect(onnx.write(goldenSource("phi3-short"), folder, EXPORT_OPTIONS)).rejects.toThrow(
    "rotates longer texts otherwise (longrope), which the ONNX export does not have",
  );
});

it("needs no operation beside the standard's", () => {
  for (const family of GOLDEN_FAMILIES) {
    const bytes = encodeOnnx(exportedGraph(openGolden(family).modelConfig), () => ({ location: "data", offset: 0 }));
    const text = Buffer.from(bytes).toString("latin1");
    expect(text.split("com.microsoft")).toHaveLength(2); // The import of the operator set alone.
    expect(text).not.toMatch(/SimplifiedLayerNormalization/);
  }
});

it("f16 stores half the bytes, and rounds each weight once", async () => {
  const exact = await opened("llama");
  const half = await opened("llama", { dtype: "f16" });
  const ids = [[1, 7, 3, 9]];
  const feeds = { input_ids: int64(ids), attention_mask: int64([[1, 1, 1, 1]]), position_ids: int64([[0, 1, 2, 3]]) };
  const [a, b] = await Promise.all(
    [exact, half].map(async ({ session, none }) => last((await session.run({ ...none(1), ...feeds }))["logits"]!)[0]!),
  );
  const difference = largestDifference(a!, b!);
  expect(difference).toBeGreaterThan(0);
  expect(difference).toBeLessThan(2e-2);
  const sizeOf = ({ files }: typeof exact): number =>
    [...files].reduce((sum, [name, { length }]) => sum + (name.includes("onnx_data") ? length : 0), 0);
  expect(sizeOf(half)).toBeLessThan(0.8 * sizeOf(exact));
  await Promise.all([exact.session.release(), half.session.release()]);
});

it("deals weights to files that a browser can hold, and names their number", async () => {
  const { files, session } = await opened("qwen3", { shardBytes: 20_000 });
  await session.release();
  const data = [...files.keys()].filter((name) => name.includes("onnx_data"));
  expect(data.slice(0, 3)).toEqual(["onnx/model.onnx_data", "onnx/model.onnx_data_1", "onnx/model.onnx_data_2"]);
  expect(JSON.parse(new TextDecoder().decode(files.get("config.json")))).toMatchObject({
    "transformers.js_config": { dtype: "fp32", use_external_data_format: { "model.onnx": data.length } },
  });
});
