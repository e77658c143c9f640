import type { Context, MiddlewareHandler } from "hono";
import { sha256 } from "../tensor/sha256.ts";
import { ApiError } from "./api-error.ts";

/** Tells if a host name or address means this machine alone. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/i.test(host);
}

/** Lets in who sends the key. */
export function requireKey(key: string): MiddlewareHandler {
  const wanted = sha256(new TextEncoder().encode(key));
  return async (c, next) => {
    const given = /^bearer +(.+)$/i.exec(c.req.header("authorization") ?? "")?.[1];
    if (given === undefined || !sameText(await sha256(new TextEncoder().encode(given)), await wanted)) {
      c.header("www-authenticate", "Bearer");
      const what = given === undefined ? "no API key was sent" : "the API key is not this server's";
      throw new ApiError(401, `${what}. Send it as the header Authorization: Bearer KEY`, { code: "invalid_api_key" });
    }
    await next();
  };
}

/** Takes as long wherever the texts differ; hashes, so that lengths are equal too. */
function sameText(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}

/**
 * For a server without a key, which only this machine reaches: a web page cannot, by making its own name lead here, and ask
 * with a reader's browser.
 */
export const requireLoopbackName: MiddlewareHandler = async (c, next) => {
  const { hostname } = new URL(c.req.url);
  if (!isLoopback(hostname)) {
    throw new ApiError(
      403,
      `the request is for the host ${hostname}, and without an API key only this machine is answered`,
    );
  }
  await next();
};

/** JSON by its media type: a form of a web page cannot send that to another site unasked. */
export async function jsonBody(c: Context): Promise<unknown> {
  const type = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    throw new ApiError(415, `the body is ${type ?? "of no media type"}, expected application/json`);
  }
  try {
    return await c.req.json();
  } catch (cause) {
    throw new ApiError(400, `the body is not JSON (${(cause as Error).message})`, { cause });
  }
}
