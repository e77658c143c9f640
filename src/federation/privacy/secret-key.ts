import { newSecretKey } from "../../privacy/secret-stream.ts";
import { type Bytes, fromHex, toHex } from "../../secagg/bytes.ts";
import type { Store } from "../../store/store.ts";
import { createMessage, readMessage } from "../protocol/cells.ts";
import { ownKeys, secretKey } from "./messages.ts";

/** The secret key of a party, from its own store; undefined where it has none yet. */
export async function readSecretKey(own: Store): Promise<Bytes | undefined> {
  const found = await readMessage(own, ownKeys.secret, secretKey);
  return found === undefined ? undefined : fromHex(found);
}

/** The secret key of a party. A new one is stored before anything is made of it, and the first one stored counts. */
export async function secretKeyIn(own: Store): Promise<Bytes> {
  return (
    (await readSecretKey(own)) ?? fromHex(await createMessage(own, ownKeys.secret, secretKey, toHex(newSecretKey())))
  );
}
