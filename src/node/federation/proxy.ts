import { UserError } from "../../diagnostics/user-error.ts";
import type { ServerUrl } from "./connection-errors.ts";
import type { EnvironmentVariables } from "./environment.ts";

/**
 * The HTTP proxy for a server: the given one, or that of HTTPS_PROXY unless NO_PROXY names the server. Undefined for none, and
 * for a server of this machine.
 *
 * @throws UserError("config") for an address that is not one of a proxy.
 */
export function proxyFor(server: ServerUrl, given: string | undefined, env: EnvironmentVariables): URL | undefined {
  if (given === undefined && (!server.isEncrypted || isExempt(server, env["NO_PROXY"] ?? env["no_proxy"] ?? ""))) {
    return undefined;
  }
  const text = given ?? env["HTTPS_PROXY"] ?? env["https_proxy"];
  if (text === undefined || text === "") return undefined;
  const address = text.includes("://") ? text : `http://${text}`;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new UserError(
      "config",
      `${given === undefined ? "HTTPS_PROXY" : "the proxy"} is not the address of an HTTP proxy`,
      {
        hint: "Write http://HOST:PORT.",
      },
    );
  }
  return url;
}

/** Entries of NO_PROXY are hosts, `.domain` or `*.domain`, each with a port or without; `*` is every host. */
function isExempt({ host, port }: ServerUrl, list: string): boolean {
  return list
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .some((entry) => {
      if (entry === "*") return true;
      const [, name = "", only] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
      if (only !== undefined && Number(only) !== port) return false;
      const domain = name.replace(/^\*?\./, "").toLowerCase();
      return host.toLowerCase() === domain || host.toLowerCase().endsWith(`.${domain}`);
    });
}
