import type { MiddlewareHandler } from "hono";
import { excerpt } from "../diagnostics/excerpt.ts";

/** One ended request, for a log. It holds neither key nor text. A long path or name is cut. */
export interface Access {
  readonly method: string;
  readonly path: string;
  readonly status: number;
  /** The model's name in the request; there may be no such model. */
  readonly model?: string;
  readonly promptTokens?: number;
  readonly answerTokens?: number;
  /** True: the client left before the end. */
  readonly left: boolean;
  readonly seconds: number;
}

export interface AccessLog {
  Variables: {
    /** The entry of the log, as far as it is known. */
    readonly noted: { -readonly [K in keyof Access]: Access[K] };
    /** Ends with a streamed answer; its response is there before. */
    streamed: Promise<void> | undefined;
  };
}

/** Reports each request when it has ended. */
export function accessLog(onAccess: ((access: Access) => void) | undefined): MiddlewareHandler<AccessLog> {
  return async (c, next) => {
    const started = performance.now();
    const { method, path } = c.req;
    const noted = { method, path: excerpt(path), status: 0, left: false, seconds: 0 };
    c.set("noted", noted);
    await next();
    const tell = (): void =>
      onAccess?.({ ...noted, status: c.res.status, seconds: (performance.now() - started) / 1000 });
    void (c.get("streamed") ?? Promise.resolve()).then(tell);
  };
}
