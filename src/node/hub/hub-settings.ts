import { readFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";

export type HubEnvironment = Readonly<Record<string, string | undefined>>;

/** The settings in huggingface_hub's environment variables, with its names and defaults. */
export interface HubSettings {
  /** Address of the Hub, without a slash at its end. */
  readonly endpoint: string;
  /** Holds `models--org--name` and `datasets--org--name`. */
  readonly cache: string;
  /** This program's own cache, for files that huggingface_hub does not keep; undefined: `cacheFolder`'s default. */
  readonly ownCache: string | undefined;
  readonly token: string | undefined;
  /** True where HTTPS_PROXY is set and Node's fetch does not use it. */
  readonly proxyUnused: boolean;
  /** True: no request may be made. */
  readonly offline: boolean;
}

const DEFAULT_ENDPOINT = "https://huggingface.co";
const TRUE = /^(1|on|yes|true)$/i;

/** Reads the settings. @throws UserError("config") for an endpoint that is not an address, or an impossible token. */
export function hubSettings(env: HubEnvironment = process.env): HubSettings {
  const cacheHome = env["XDG_CACHE_HOME"] || path.join(os.homedir(), ".cache");
  const home = expandHome(env["HF_HOME"] || path.join(cacheHome, "huggingface"));
  const cache = expandHome(env["HF_HUB_CACHE"] || env["HUGGINGFACE_HUB_CACHE"] || path.join(home, "hub"));
  return {
    endpoint: endpointOf(env["HF_ENDPOINT"] || DEFAULT_ENDPOINT),
    cache: path.resolve(cache),
    ownCache: env["OPENFEDLLM_CACHE"] || undefined,
    token: tokenOf(env, home),
    proxyUnused: Boolean(env["HTTPS_PROXY"] || env["https_proxy"]) && env["NODE_USE_ENV_PROXY"] !== "1",
    offline: TRUE.test(env["HF_HUB_OFFLINE"] ?? ""),
  };
}

function expandHome(folder: string): string {
  return folder.replace(/^~(?=$|[/\\])/, os.homedir());
}

function endpointOf(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text.replace(/\/+$/, "");
  throw new UserError("config", `HF_ENDPOINT is not an http or https address: ${text}`, {
    hint: `Set it to https://…, or unset it to use ${DEFAULT_ENDPOINT}.`,
  });
}

function tokenOf(env: HubEnvironment, home: string): string | undefined {
  const named = env["HF_TOKEN"] || env["HUGGING_FACE_HUB_TOKEN"];
  const file = expandHome(env["HF_TOKEN_PATH"] || path.join(home, "token"));
  const token = (named || fileText(file)).trim();
  if (token === "") return undefined;
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  // The token is never quoted.
  throw new UserError("config", `${named ? "HF_TOKEN" : file} contains characters that cannot be in an access token`, {
    hint: "Copy the token again from https://huggingface.co/settings/tokens.",
  });
}

function fileText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
