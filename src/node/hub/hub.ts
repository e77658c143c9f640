import { UserError } from "../../diagnostics/user-error.ts";
import type { RepositoryKind } from "./hub-cache.ts";
import { HubClient } from "./hub-client.ts";
import { type HubEnvironment, hubSettings, type HubSettings } from "./hub-settings.ts";
import { DEFAULT_REVISION, type DownloadProgress, openSnapshot, type Snapshot } from "./hub-snapshot.ts";

export interface HubOptions {
  /** Default: the process's. */
  readonly env?: HubEnvironment;
  readonly onDownload?: ((progress: DownloadProgress) => void) | undefined;
  /** Gets sentences that a person should know, such as that the Hub was not asked. */
  readonly onNote?: ((text: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Pause before a request is tried again; it doubles. Default 500. */
  readonly firstPauseMs?: number;
}

export interface Hub {
  readonly settings: HubSettings;
  /**
   * Opens a repository at a branch, tag or commit (default `main`). A `Hub` asks once for the commit of a branch. Where the Hub
   * cannot be reached, or must not be asked (HF_HUB_OFFLINE), the commit that was last fetched is taken.
   *
   * @throws UserError of kind `model` or `data`, by the kind of repository, `storage` for the cache, `config` for the environment.
   */
  snapshot(kind: RepositoryKind, id: string, revision?: string): Promise<Snapshot>;
}

const REVISION = /^(?!\/|.*(\/\/|\.\.|\/$))[\w./+-]+$/;

/** Opens the Hugging Face Hub with huggingface_hub's cache, as `env` configures both. */
export function openHub({ env, onDownload, onNote, signal, firstPauseMs }: HubOptions = {}): Hub {
  const settings = hubSettings(env);
  const client = new HubClient(settings, { signal, firstPauseMs });
  const snapshots = new Map<string, Promise<Snapshot>>();
  return {
    settings,
    snapshot(kind, id, revision = DEFAULT_REVISION) {
      if (!REVISION.test(revision)) {
        throw new UserError(kind === "model" ? "model" : "data", `${id}@${revision}: not a name of a revision`, {
          hint: "A revision is a branch, a tag or a commit.",
        });
      }
      const key = JSON.stringify([kind, id, revision]);
      const opened =
        snapshots.get(key) ?? openSnapshot({ kind, id, revision }, { settings, client, onDownload, onNote });
      snapshots.set(key, opened);
      return opened;
    },
  };
}

/** The Hub, opened at its first use: a mistake in its environment hinders no command that does without it. */
export function lazyHub(options: HubOptions): () => Hub {
  let hub: Hub | undefined;
  return () => (hub ??= openHub(options));
}
