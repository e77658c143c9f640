import type { Adapter, AdapterConfig } from "../model/adapter.ts";
import type { BaseModel } from "../model/base-model.ts";

/** A file that an export writes from its beginning to its end. */
export interface ExportFile {
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** PORT. A new folder that an export fills. It gets its name when all files are in it, or never. */
export interface ExportFolder {
  /** Makes a file, and the folders of its name where it has some. */
  create(name: string): Promise<ExportFile>;
}

/** A base, and the adapter that is exported with it. */
export interface ExportSource {
  readonly base: BaseModel;
  /** Undefined: the base alone. */
  readonly adapter: (Adapter & { readonly config: AdapterConfig }) | undefined;
}

/** Number formats of exported weights, as llama.cpp and transformers abbreviate them. */
export const DTYPES = ["f32", "f16", "bf16", "q8_0"] as const;
export type ExportDtype = (typeof DTYPES)[number];

export interface ExportOptions {
  readonly dtype: ExportDtype;
  /** Largest file of merged weights. */
  readonly shardBytes: number;
  readonly onProgress: (progress: ExportProgress) => void;
  /** A sentence that the person must know, such as a limit of the format. It stands in the model card too. */
  readonly onNote: (note: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Tensors that are written, of all. */
export interface ExportProgress {
  readonly done: number;
  readonly total: number;
}

/** A format of another program. */
export interface ExportTarget {
  /** One line for the help. */
  readonly summary: string;
  /** `library_name` of the model card: what loads the folder, as the Hugging Face Hub names it. */
  readonly library: string;
  /** The number formats that it has; the first is the default unless `defaultDtype` says another. */
  readonly dtypes: readonly [ExportDtype, ...ExportDtype[]];
  readonly defaultDtype?: (source: ExportSource) => Promise<ExportDtype>;
  /** False: it means nothing without an adapter. Default: true. */
  readonly ofBaseAlone?: boolean;
  /** How the exported folder is loaded, for the model card: Markdown with a fenced example. */
  readonly loading: (source: ExportSource, dtype: ExportDtype) => string;
  /** Writes all files but the model card. @throws UserError of kind `model` for what the format cannot say. */
  readonly write: (source: ExportSource, folder: ExportFolder, options: ExportOptions) => Promise<void>;
}

/** Writes a small file at once. */
export async function writeWhole(folder: ExportFolder, name: string, content: Uint8Array | string): Promise<void> {
  const file = await folder.create(name);
  try {
    await file.write(typeof content === "string" ? new TextEncoder().encode(content) : content);
  } finally {
    await file.close();
  }
}
