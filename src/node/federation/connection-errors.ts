import { JetStreamApiError } from "@nats-io/jetstream";
import { errors } from "@nats-io/transport-node";
import { unreachableReason } from "../../diagnostics/connection-error.ts";
import { errorCode } from "../../diagnostics/error-code.ts";
import { UserError } from "../../diagnostics/user-error.ts";

/** An address of a server, read. */
export interface ServerUrl {
  readonly host: string;
  readonly port: number;
  /** Over WebSocket. */
  readonly isWeb: boolean;
  readonly isEncrypted: boolean;
  /** As a message may show it. */
  readonly text: string;
}

/** The facts of a failed attempt to connect. */
export interface Attempt {
  readonly servers: readonly ServerUrl[];
  readonly hasCa: boolean;
  /** Host and port of the proxy that was used. */
  readonly proxy?: string | undefined;
  /** The status that the proxy answered with. */
  proxyStatus?: number | undefined;
  /** The error of the WebSocket, whose code the client library drops. */
  socketError?: Error | undefined;
}

/** The server was reached and did not accept the login. */
export class LoginRefused extends UserError {}

/** The server or the coordinator does not answer now. It may later. */
export class NotReached extends UserError {}

/** An error of a request that the server did not answer becomes `NotReached`: a command that waits tries again. Others stay. */
export function unanswered(error: unknown): unknown {
  const kinds = [
    errors.TimeoutError,
    errors.RequestError,
    errors.NoRespondersError,
    errors.ConnectionError,
    errors.ClosedConnectionError,
    errors.DrainingConnectionError,
  ];
  // A server that has just started, or a cluster without a leader, answers with 503.
  const isNotReady = error instanceof JetStreamApiError && error.status === 503;
  if (!isNotReady && !kinds.some((kind) => error instanceof kind)) return error;
  return new NotReached("storage", `the server does not answer: ${messageOf(error).replaceAll(/[.\s]+$/g, "")}`, {
    hint: "Wait for it, or start it, then run the same command again to continue.",
    cause: error,
  });
}

/** Explains in one sentence why no server was reached, without any secret. */
export function connectionError(error: unknown, attempt: Attempt): UserError {
  const { servers, hasCa, proxy, proxyStatus, socketError } = attempt;
  const where = servers.map(({ text }) => text).join(", ");
  const cause = socketError ?? error;
  if (error instanceof errors.AuthorizationError && /timeout/i.test(error.message)) {
    const hint = "The server or the line is busy; wait, then run the same command again.";
    return new NotReached("storage", `the server at ${where} did not get the login in time`, { hint, cause: error });
  }
  if (error instanceof errors.AuthorizationError || error instanceof errors.UserAuthenticationExpiredError) {
    return new LoginRefused("config", `the server at ${where} refuses the login`, {
      hint: "The login was revoked, it has expired, or it is of another federation. Ask the coordinator for an invitation.",
      cause: error,
    });
  }
  if (proxy !== undefined && proxyStatus !== undefined && proxyStatus !== 200) {
    const message = `the proxy ${proxy} refuses to connect to ${where}: HTTP status ${proxyStatus}`;
    // 502 to 504: the proxy does not reach the server.
    if (proxyStatus > 500)
      return new NotReached("storage", message, { hint: "Start the server, or wait for it.", cause });
    return new UserError("config", message, {
      hint:
        proxyStatus === 407
          ? "The proxy wants a login: HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT."
          : "Ask the network's administrator to allow this host and port, or name another proxy in HTTPS_PROXY.",
      cause,
    });
  }
  const code = errorCode(cause) ?? errorCode(cause instanceof Error ? cause.cause : undefined);
  const certificate = certificateError(code, where, hasCa, namesIn(cause));
  if (certificate !== undefined) {
    return new UserError("config", certificate.message, { hint: certificate.hint, cause });
  }
  const via = proxy === undefined ? "" : ` through the proxy ${proxy}`;
  const why =
    unreachableReason(code) ??
    (error instanceof errors.TimeoutError ? "it does not answer" : messageOf(cause).replaceAll(/[.\s]+$/g, ""));
  const nobody = code === "ECONNREFUSED" && proxy === undefined;
  return new NotReached(
    "storage",
    nobody ? `nobody listens at ${where}: the connection is refused` : `cannot connect to ${where}${via}: ${why}`,
    {
      hint:
        proxy === undefined
          ? "Start the server, or correct the address. Behind a firewall use a wss:// address, and set HTTPS_PROXY if there is a proxy."
          : "Correct the address of the proxy in HTTPS_PROXY, or the address of the server.",
      cause,
    },
  );
}

function certificateError(
  code: string | undefined,
  where: string,
  hasCa: boolean,
  names: string,
): { readonly message: string; readonly hint: string } | undefined {
  switch (code) {
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return {
        message: `the certificate of the server at ${where} is for another name${names === "" ? "" : `: ${names}`}`,
        hint: "Ask the coordinator for an invitation with a name that the certificate has, or for a certificate of this name.",
      };
    case "CERT_HAS_EXPIRED":
    case "CERT_NOT_YET_VALID":
      return {
        message: `the certificate of the server at ${where} ${code === "CERT_HAS_EXPIRED" ? "has expired" : "is not valid yet"} by this machine's clock (${new Date().toISOString()})`,
        hint: "Renew the certificate, or correct the clock if it is wrong.",
      };
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "CERT_UNTRUSTED":
      return {
        message: `the certificate of the server at ${where} is signed by an unknown authority`,
        hint: hasCa
          ? "The authority's certificate (CA) that was given is another one. Ask the coordinator for the right one."
          : "Ask the coordinator for an invitation with the authority's certificate (openfedllm federation invite NAME --ca ca.pem), or set NODE_EXTRA_CA_CERTS=ca.pem before the command.",
      };
    default:
      return undefined;
  }
}

/** The names of the certificate that an error is about. */
function namesIn(error: unknown): string {
  const { subjectaltname = "" } = (error as { cert?: { subjectaltname?: string } } | undefined)?.cert ?? {};
  return subjectaltname.replaceAll(/\b(DNS|IP Address):/g, "");
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
