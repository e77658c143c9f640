import type { Msg, NatsConnection, Subscription } from "@nats-io/nats-core";

/** Answers a request. @param account the member's, as the server vouches for it. */
export type RpcHandler = (account: string, request: Uint8Array) => Promise<Uint8Array>;

/** Answers the requests of all members, by method. Returns the function that stops it. */
export function serveRpc(connection: NatsConnection, handlers: Readonly<Record<string, RpcHandler>>): () => void {
  const subscriptions: Subscription[] = Object.entries(handlers).map(([method, handler]) =>
    connection.subscribe(`fl.rpc.*.${method}`, {
      callback(error, request) {
        if (error !== null) return;
        const account = request.subject.split(".", 3)[2]!;
        void answer(handler, account, request);
      },
    }),
  );
  return () => {
    for (const subscription of subscriptions) subscription.unsubscribe();
  };
}

/** Asks the coordinator. Undefined where it does not answer in time or cannot. @param timeout milliseconds. */
export async function callRpc(
  connection: NatsConnection,
  method: string,
  request: Uint8Array,
  { timeout }: { readonly timeout: number },
): Promise<Uint8Array | undefined> {
  try {
    const { data } = await connection.request(`rpc.${method}`, request, { timeout });
    return data[0] === 0 ? new Uint8Array(data.subarray(1)) : undefined;
  } catch {
    return undefined;
  }
}

/** Tells the coordinator something that needs no answer. It may be lost. */
export function tellRpc(connection: NatsConnection, method: string, message: Uint8Array): void {
  if (!connection.isClosed()) connection.publish(`rpc.${method}`, message);
}

async function answer(handler: RpcHandler, account: string, request: Msg): Promise<void> {
  try {
    request.respond(prefixed(0, await handler(account, request.data)));
  } catch {
    // A member is told that it failed, and nothing of how: the text may name another.
    request.respond(prefixed(1, new Uint8Array()));
  }
}

/** The first byte of an answer is 0, or 1 for a handler that failed. */
function prefixed(state: 0 | 1, answer: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(answer.length + 1);
  bytes[0] = state;
  bytes.set(answer, 1);
  return bytes;
}
