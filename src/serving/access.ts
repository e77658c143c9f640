import type { Context, MiddlewareHandler } from "hono";
import { excerpt } from "../diagnostics/excerpt.ts";
import { sha256 } from "../tensor/sha256.ts";
import { ApiError } from "./api-error.ts";

/** Tells if a host name or address means this machine alone. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/i.test(host);
}

/** Accepts requests with the key only. */
export function requireKey(key: string): MiddlewareHandler {
  const wanted = sha256(new TextEncoder().encode(key));
  return async (c, next) => {
    const given = /^bearer +(.+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
    if (given === undefined || !sameText(await sha256(new TextEncoder().encode(given)), await wanted)) {
      c.header("www-authenticate", "Bearer");
      const what = given === undefined ? "no API key was sent" : "the API key is wrong";
      throw new ApiError(401, `${what}. Send it as the header Authorization: Bearer KEY`, { code: "invalid_api_key" });
    }
    await next();
  };
}

/** Compares hashes in a time that does not depend on the place of a difference. */
function sameText(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}

/**
 * Accepts requests to a loopback name only, for a server without a key. Otherwise a web page could point its own domain to this
 * machine and send requests from a visitor's browser.
 */
export const requireLoopbackName: MiddlewareHandler = async (c, next) => {
  const { hostname } = new URL(c.req.url);
  if (!isLoopback(hostname)) {
    throw new ApiError(
      403,
      `the request is for the host ${excerpt(hostname)}, but a server without an API key answers only requests to localhost`,
    );
  }
  await next();
};

/** Reads a JSON body with the media type of JSON, which a form of another site cannot send. */
export async function jsonBody(c: Context): Promise<unknown> {
  const type = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    throw new ApiError(415, `the body has the media type ${excerpt(type ?? "none")}, expected application/json`);
  }
  const bytes = await c.req.arrayBuffer();
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new ApiError(400, "the body is not UTF-8 text", { cause });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new ApiError(400, `the body is not JSON (${(cause as Error).message})`, { cause });
  }
}
