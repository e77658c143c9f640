import { existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { UserError } from "../../diagnostics/user-error.ts";
import { nearFile } from "../files.ts";
import { enclosingRun } from "../store/trained-run.ts";
import { asHubFailure, HubFailure, hubFetch, withHubRetries } from "./hub-http.ts";
import type { HubSettings } from "./hub-settings.ts";

/** A file of a folder that is published. */
export interface PublishedFile {
  /** Relative, with slashes. */
  readonly path: string;
  readonly bytes: number;
}

export interface PublishOptions {
  readonly settings: HubSettings;
  /** True: a repository that is made is private. */
  readonly isPrivate: boolean;
  /** Gets the number of large files, or parts of them, that have arrived. The small ones are in the commit itself. */
  readonly onUpload: (arrived: number) => void;
  readonly signal?: AbortSignal | undefined;
  /** Pause before a request is tried again; it doubles. Default 500. */
  readonly firstPauseMs?: number | undefined;
}

const NAME = /^[\w-][\w.-]*\/[\w-][\w.-]*$/;
/** An answer may wait for a whole large file to arrive. */
const UPLOAD_TIMEOUT_MS = 3_600_000;
const ATTEMPTS = 3;
const CARD = "README.md";

/**
 * Lists what would be published of a folder.
 *
 * @throws UserError of kind `config` for a name that is not `org/name`, or for a folder that is not one of an export or adapter:
 * a run folder holds more than a model.
 */
export async function listPublished(folder: string, id: string): Promise<readonly PublishedFile[]> {
  if (!NAME.test(id)) {
    throw new UserError("config", `'${id}' is not the name of a repository on the Hub`, {
      hint: "For example: my-organisation/clinic-adapter",
    });
  }
  const found = await stat(folder).catch(() => undefined);
  if (found === undefined || !found.isDirectory()) {
    const near = found === undefined ? nearFile(folder) : undefined;
    throw new UserError("config", `there is no folder ${folder}`, {
      hint: near === undefined ? "Give a folder that `openfedllm export` made." : `Did you mean ${near}?`,
    });
  }
  const run = enclosingRun(folder);
  if (run !== undefined && path.resolve(run) === path.resolve(folder)) {
    throw new UserError("config", `${folder} is a run folder, which holds names and numbers of members`, {
      hint: `Export it first: openfedllm export ${folder} --to peft`,
    });
  }
  if (!existsSync(path.join(folder, CARD))) {
    throw new UserError("config", `${folder} has no model card (${CARD})`, {
      hint: "`openfedllm export` writes one. Without it nobody can tell what the model was trained on.",
    });
  }
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  const listed = await Promise.all(
    files.map(async (file) => ({
      path: path.relative(folder, file).replaceAll(path.sep, "/"),
      bytes: (await stat(file)).size,
    })),
  );
  return listed.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/**
 * Pushes a folder's files to a model repository in one commit; makes the repository where there is none. Returns its address.
 *
 * @throws UserError of kind `config` without a token, `model` where the Hub refuses or cannot be reached.
 */
export async function publishFolder(
  folder: string,
  id: string,
  files: readonly PublishedFile[],
  { settings, isPrivate, onUpload, signal, firstPauseMs }: PublishOptions,
): Promise<string> {
  const { endpoint, token: accessToken, offline } = settings;
  if (offline) {
    throw new UserError("config", "HF_HUB_OFFLINE is set, and publishing needs the Hub", { hint: "Unset it." });
  }
  if (accessToken === undefined) {
    throw new UserError("config", "there is no access token of the Hub", {
      hint: "Set HF_TOKEN to a token that may write, from https://huggingface.co/settings/tokens.",
    });
  }
  const request = hubFetch(settings, signal, UPLOAD_TIMEOUT_MS);
  let arrived = 0;
  const counting: typeof fetch = async (input, init) => {
    const response = await request(input, init);
    if (init?.method === "PUT") onUpload(++arrived);
    return response;
  };
  const shared = {
    repo: { type: "model" as const, name: id },
    hubUrl: endpoint,
    fetch: counting,
    accessToken,
  };
  const retry = { signal, firstPauseMs, attempts: ATTEMPTS };
  try {
    const { createRepo, uploadFiles } = await import("@huggingface/hub");
    await withHubRetries(async () => {
      try {
        await createRepo({ ...shared, visibility: isPrivate ? "private" : "public" });
      } catch (error) {
        const failure = asHubFailure(error);
        // It is there already.
        if (!(failure instanceof HubFailure && failure.status === 409)) throw failure;
      }
    }, retry);
    const contents = files.map(({ path: name }) => ({ path: name, content: pathToFileURL(path.join(folder, name)) }));
    // Xet's protocol would not be tried by any test here; the Hub takes the same files over plain HTTP.
    const options = { ...shared, files: contents, commitTitle: "Publish with openfedllm", useXet: false };
    await withHubRetries(() => uploadFiles({ ...options, ...(signal && { abortSignal: signal }) }), retry);
    return `${endpoint}/${id}`;
  } catch (error) {
    throw refusal(asHubFailure(error), id, settings);
  }
}

function refusal(failure: Error, id: string, { endpoint }: HubSettings): Error {
  if (!(failure instanceof HubFailure)) return failure;
  const { status, message: said } = failure;
  const quoted = said === "" ? "" : `: ${said.slice(0, 200)}`;
  const explain = (message: string, hint: string): UserError =>
    new UserError("model", message, { hint, cause: failure });
  if (failure.reason !== "answer") {
    return explain(
      `the Hub at ${endpoint} cannot be reached (${said}); ${id} was not changed`,
      "Check the network and HF_ENDPOINT, and run the same command again.",
    );
  }
  switch (status) {
    case 401:
      return explain(
        "the Hub does not accept the access token (401)",
        "Set HF_TOKEN to a valid token that may write, from https://huggingface.co/settings/tokens.",
      );
    case 403:
      return explain(
        `the access token may not write to ${id} (403${quoted})`,
        "Use a token with write permission of an account that belongs to the organisation, or another name.",
      );
    case 404:
      return explain(
        `the access token cannot see ${id} (404)`,
        "Correct the name, or use a token of an account that may see it.",
      );
    case 409:
    case 412:
      return explain(
        `${id} was changed by somebody else at the same time (${status}); nothing was published`,
        "Run the same command again.",
      );
    default:
      return explain(
        `the Hub answered ${status} for ${id}${quoted}; nothing was published`,
        failure.passing ? "Run the same command again later." : `Look at ${endpoint}/${id}.`,
      );
  }
}
