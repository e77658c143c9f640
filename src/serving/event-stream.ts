/** A reply of server-sent events, each with one line of JSON. */
export interface EventStream {
  readonly response: Response;
  /** Sends an event; does nothing after the reader has left. */
  send(data: object | "[DONE]"): void;
  end(): void;
}

/** Opens a stream. `onLeave` is called when the reader leaves before the end. */
export function eventStream(onLeave: () => void): EventStream {
  const encoder = new TextEncoder();
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({
    start: (opened) => {
      controller = opened;
    },
    cancel() {
      controller = undefined;
      onLeave();
    },
  });
  return {
    response: new Response(body, {
      headers: { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" },
    }),
    send: (data) => controller?.enqueue(encoder.encode(`data: ${data === "[DONE]" ? data : JSON.stringify(data)}\n\n`)),
    end() {
      controller?.close();
      controller = undefined;
    },
  };
}
