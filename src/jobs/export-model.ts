import { UserError } from "../diagnostics/user-error.ts";
import type { Platform } from "../experiment/ports.ts";
import { modelCard } from "../export/model-card.ts";
import { EXPORT_TARGETS, type ExportTargetName } from "../export/registry.ts";
import {
  type ExportDtype,
  type ExportFolder,
  type ExportOptions,
  type ExportSource,
  type ExportTarget,
  writeWhole,
} from "../export/target.ts";
import type { TrainingFacts } from "../export/training-facts.ts";
import { openFittingAdapter } from "./fitting-adapter.ts";

export interface ExportModelOptions {
  /** Reference of the base. */
  readonly model: string;
  /** Folder of the adapter; undefined: the base alone. */
  readonly adapter: string | undefined;
  readonly to: ExportTargetName;
  /** Default: the target's. */
  readonly dtype?: ExportDtype | undefined;
  /** Largest file of merged weights. Default: 5 GB, as in the tools of Hugging Face. */
  readonly shardBytes?: number | undefined;
  /** Title of the model card. */
  readonly title: string;
  /** What the run that trained the adapter tells. */
  readonly training?: TrainingFacts | undefined;
}

const SHARD_BYTES = 5_000_000_000;

/**
 * Writes a base with its adapter in the format of another program, and a model card.
 *
 * @throws UserError of kind `config` for a number format that the target does not have, `model` for an adapter that does not fit
 * the base, or for what the format cannot say.
 */
export async function exportModel(
  { model, adapter, to, dtype, shardBytes = SHARD_BYTES, title, training }: ExportModelOptions,
  platform: Platform,
  folder: ExportFolder,
  hooks: Pick<ExportOptions, "onProgress" | "onNote" | "signal">,
): Promise<void> {
  const target: ExportTarget = EXPORT_TARGETS[to];
  if (dtype !== undefined && !target.dtypes.includes(dtype)) {
    throw new UserError("config", `${to} has no number format ${dtype}`, {
      hint: `Its number formats are ${target.dtypes.join(", ")}.`,
    });
  }
  if (adapter === undefined && target.ofBaseAlone === false) {
    throw new UserError("config", `${to} is a format of adapters, and a base alone is none`, {
      hint: "Leave out --base-only, or choose another format.",
    });
  }
  const base = await platform.openModel(model);
  const source: ExportSource = {
    base,
    adapter: adapter === undefined ? undefined : await openFittingAdapter(platform, base, adapter),
  };
  const chosen = dtype ?? (await target.defaultDtype?.(source)) ?? target.dtypes[0];
  const notes: string[] = [];
  const onNote = (note: string): void => {
    notes.push(note);
    hooks.onNote(note);
  };
  await target.write(source, folder, { ...hooks, dtype: chosen, shardBytes, onNote });
  const loading = target.loading(source, chosen);
  const card = { title, source, to, library: target.library, dtype: chosen, loading, notes, training };
  await writeWhole(folder, "README.md", modelCard(card));
}
