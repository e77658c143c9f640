import { nearest } from "../../diagnostics/nearest.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { DamagedFile } from "./hub-blob.ts";
import type { RepositoryKind } from "./hub-cache.ts";
import { HubFailure } from "./hub-http.ts";
import type { HubSettings } from "./hub-settings.ts";

/** The revision of a repository that is needed. */
export interface Wanted {
  readonly kind: RepositoryKind;
  /** `org/name` */
  readonly id: string;
  readonly revision: string;
}

/** Finds the failure behind an error of this program. */
export function failureBehind(error: unknown): HubFailure | undefined {
  return error instanceof UserError && error.cause instanceof HubFailure ? error.cause : undefined;
}

/** Tells if the Hub has no such repository, or none that this token can see. */
export function isUnknownRepository(failure: HubFailure | undefined): boolean {
  if (failure?.code !== undefined) return failure.code === "RepoNotFound";
  return failure?.status === 404 || (failure?.status === 401 && !SAYS_BAD_TOKEN.test(failure.message));
}

const SAYS_BAD_TOKEN = /invalid credentials/i;

interface Circumstances {
  readonly wanted: Wanted;
  readonly commit?: string | undefined;
  readonly file?: string | undefined;
  readonly settings: HubSettings;
  /** `fetch` with the token, to look for similar names. */
  readonly request: typeof fetch;
}

interface Explanation {
  readonly message: string;
  readonly hint: string;
}

const AGAIN = "Run the same command again to continue the download.";

/** Turns a failure of the Hub into a `UserError`; aborts and defects are returned unchanged. */
export async function explainFailure(error: unknown, around: Circumstances): Promise<unknown> {
  const explanation = await explain(error, around);
  if (explanation === undefined) return error;
  const { kind } = around.wanted;
  return new UserError(kind === "model" ? "model" : "data", explanation.message, {
    hint: explanation.hint,
    cause: error,
  });
}

async function explain(error: unknown, around: Circumstances): Promise<Explanation | undefined> {
  const { wanted, file, settings } = around;
  const what = file === undefined ? `${wanted.kind} ${wanted.id}` : `${file} of ${wanted.id}`;
  if (error instanceof DamagedFile) {
    return {
      message: `${what} arrived damaged (its bytes differ from the Hub's listing) and was not kept`,
      hint: "Run the same command again. If it fails again, a proxy or mirror changes the files.",
    };
  }
  // The answer is not JSON, or lacks parts of the Hub's.
  if (error instanceof SyntaxError) {
    return {
      message: `${settings.endpoint} does not answer like the Hugging Face Hub (${error.message})`,
      hint: "Correct HF_ENDPOINT, or check if a login page of the network answers instead.",
    };
  }
  if (!(error instanceof HubFailure)) return undefined;
  if (error.reason === "range") {
    return {
      message: `the download of ${what} broke off several times, and its server cannot send the rest of a file`,
      hint: "Run the same command again on a more stable connection. The download starts from the beginning.",
    };
  }
  if (error.reason === "network") {
    if (file !== undefined && error.passing) {
      return { message: `the download of ${what} broke off several times (${error.message})`, hint: AGAIN };
    }
    const where = settings.endpoint === "https://huggingface.co" ? "" : ` at ${settings.endpoint}`;
    return {
      message: `the Hugging Face Hub${where} cannot be reached (${error.message}), and ${what} is not in the cache ${settings.cache}`,
      hint: settings.proxyUnused
        ? "HTTPS_PROXY is set, but Node uses it only from version 24 and with NODE_USE_ENV_PROXY=1. Or set HF_ENDPOINT to a mirror, or HF_HUB_CACHE to a cache from another machine."
        : "Check the network and HF_ENDPOINT. Or set HF_HUB_CACHE to a cache from another machine.",
    };
  }
  return refusal(error, what, around);
}

async function refusal(failure: HubFailure, what: string, around: Circumstances): Promise<Explanation> {
  const { wanted, settings } = around;
  const { status, code, message: said } = failure;
  const page = pageOf(wanted, settings);
  const quoted = said === "" ? "" : `: ${said.slice(0, 200)}`;
  if (status === 429) {
    const wait =
      failure.retryAfterMs === undefined
        ? ""
        : ` It asks for a wait of ${Math.ceil(failure.retryAfterMs / 1000)} seconds.`;
    return {
      message: `the Hub refuses ${what} because of too many requests (429), in every attempt`,
      hint: `Wait and run the same command again.${wait}${settings.token === undefined ? " With HF_TOKEN set, more requests are allowed." : ""}`,
    };
  }
  if (code === "GatedRepo") {
    return {
      message: `${wanted.kind} ${wanted.id} is gated: its owner gives access to each account (${status})`,
      hint: `Accept the terms at ${page}, and set HF_TOKEN to an access token of that account.`,
    };
  }
  // A valid token that cannot see the repository gets a 404.
  if (status === 401 && settings.token !== undefined && code === undefined) {
    return {
      message: "the Hub does not accept the access token (401)",
      hint: "Set HF_TOKEN to a valid token from https://huggingface.co/settings/tokens. For public repositories, unset it and remove the token file.",
    };
  }
  if (code === "RevisionNotFound") {
    return {
      message: `${wanted.kind} ${wanted.id} has no revision ${wanted.revision}`,
      hint: await nearRevision(around),
    };
  }
  if (code === "EntryNotFound") {
    return { message: `${what} does not exist at revision ${wanted.revision} (404)`, hint: `Look at ${page}.` };
  }
  // Without a token the Hub does not distinguish a private repository from none.
  if (code === "RepoNotFound" || status === 404 || status === 401) {
    const privately = settings.token === undefined ? "or it is private" : "or the access token cannot see it";
    return {
      message: `there is no ${wanted.kind} ${wanted.id} on the Hub, ${privately} (${status})`,
      hint: await nearRepository(around),
    };
  }
  if (status === 403) {
    return {
      message: `the Hub denies access to ${what} (403${quoted})`,
      hint: `Accept the terms at ${page}, if there are any, and set HF_TOKEN to an access token with access.`,
    };
  }
  return {
    message: `the Hub answered ${status} for ${what}${quoted}`,
    hint: failure.passing ? "Run the same command again later." : `Look at ${page}.`,
  };
}

function pageOf({ kind, id }: Wanted, { endpoint }: HubSettings): string {
  return `${endpoint}/${kind === "model" ? "" : "datasets/"}${id}`;
}

async function nearRevision({ wanted: { kind, id, revision }, settings, request }: Circumstances): Promise<string> {
  try {
    const answer = await request(`${settings.endpoint}/api/${kind}s/${id}/refs`);
    const refs = (await answer.json()) as Readonly<Record<"branches" | "tags", readonly { readonly name: string }[]>>;
    const names = [...refs.branches, ...refs.tags].map(({ name }) => name);
    const near = nearest(revision, names);
    if (near !== undefined) return `Did you mean ${near}?`;
    return `Its branches and tags are ${names.slice(0, 8).join(", ")}${names.length > 8 ? ", …" : ""}.`;
  } catch {
    return "A revision is a branch, a tag or a commit.";
  }
}

/** Looks for a similar name among the owner's repositories. */
async function nearRepository({ wanted: { kind, id }, settings, request }: Circumstances): Promise<string> {
  const token =
    settings.token === undefined ? "Correct the name, or set HF_TOKEN if it is private." : "Correct the name.";
  const [owner, name] = id.split("/");
  if (name === undefined) return token;
  try {
    const { listModels, listDatasets } = await import("@huggingface/hub");
    const params = { search: { owner: owner! }, limit: 200, hubUrl: settings.endpoint, fetch: request };
    const names: string[] = [];
    for await (const entry of kind === "model" ? listModels(params) : listDatasets(params)) names.push(entry.name);
    const near = nearest(id, names);
    return near === undefined ? token : `Did you mean ${near}?`;
  } catch {
    return token;
  }
}
