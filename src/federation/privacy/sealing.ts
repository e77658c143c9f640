import { UserError } from "../../diagnostics/user-error.ts";
import { hkdf } from "../../privacy/secret-stream.ts";
import { agree, PublicKeyError, publicKeyOf } from "../../secagg/agreement.ts";
import { type Bytes, fromHex, join, toHex } from "../../secagg/bytes.ts";
import { gcmOf } from "../../secagg/envelope.ts";
import { hash, message } from "../../store/check.ts";
import { BlobError, type MemberStore, type Store } from "../../store/store.ts";
import { sha256 } from "../../tensor/sha256.ts";
import { createMessage, readMessage } from "../protocol/cells.ts";
import { keys } from "../protocol/keys.ts";
import { secretKeyIn } from "./secret-key.ts";

/** `run-key`: the coordinator's public key of X25519, for this run alone. Clients seal their updates for it. */
const runKey = message({ publicKey: hash });

/** Makes an update readable for the coordinator only. */
export type Seal = (update: Uint8Array, client: string) => Promise<Uint8Array>;

const LABEL = "openfedllm/sealed-update/1 ";
const PUBLIC_KEY_BYTES = 32;

/**
 * Seals for the key of the run that is in the exchange: X25519 with a key pair of one update's own, HKDF-SHA256, AES-256-GCM. That
 * pair follows from the client's secret key and the update, so sealing the same again gives the same bytes, and no two
 * updates have the same key.
 *
 * @throws UserError of kind `config` where the run has no key.
 */
export function sealing(own: Store, exchange: MemberStore): Seal {
  return async (update, client) => {
    const found = await readMessage(exchange, keys.runKey, runKey);
    if (found === undefined) {
      throw new UserError(
        "config",
        "the run has no key that updates could be sealed for, and its settings ask for it",
        {
          hint: "Nothing was sent. Ask whoever leads the run which version of this software started it.",
        },
      );
    }
    const label = join(LABEL, client, "|", await sha256(update));
    const secret = await hkdf(await secretKeyIn(own), join(), label, PUBLIC_KEY_BYTES);
    const ephemeral = await publicKeyOf(secret);
    const publicKey = fromHex(found.publicKey);
    const { key, algorithm } = await cipherOf(await agree(secret, publicKey), ephemeral, publicKey, client);
    const sealed = await crypto.subtle.encrypt(algorithm, key, join(update));
    return join(ephemeral, new Uint8Array(sealed));
  };
}

/**
 * Publishes the key of a run, made from the coordinator's secret key, and gives the exchange in which updates are open.
 *
 * @throws UserError of kind `storage` where the run has the key of another secret: no update could be opened.
 */
export async function unsealing(exchange: Store, secretKey: Bytes): Promise<Store> {
  const secret = await hkdf(secretKey, join(), join(LABEL, "run key"), PUBLIC_KEY_BYTES);
  const publicKey = await publicKeyOf(secret);
  const published = await createMessage(exchange, keys.runKey, runKey, { publicKey: toHex(publicKey) });
  if (published.publicKey !== toHex(publicKey)) {
    throw new UserError(
      "storage",
      "The run's key is of another secret key than that of this folder: updates cannot be read.",
      {
        hint: "Put the folder private/ of the run back as it was. Without it, start a new run.",
      },
    );
  }
  return {
    ...exchange,
    async blob(blobHash, owner) {
      const bytes = await exchange.blob(blobHash, owner);
      return owner === undefined ? bytes : open(join(bytes), secret, publicKey, owner);
    },
  };
}

async function open(sealed: Bytes, secret: Bytes, publicKey: Bytes, client: string): Promise<Uint8Array> {
  const ephemeral = sealed.slice(0, PUBLIC_KEY_BYTES);
  try {
    const { key, algorithm } = await cipherOf(await agree(secret, ephemeral), ephemeral, publicKey, client);
    return new Uint8Array(await crypto.subtle.decrypt(algorithm, key, sealed.slice(PUBLIC_KEY_BYTES)));
  } catch (error) {
    if (!(error instanceof PublicKeyError || error instanceof DOMException)) throw error;
    throw new BlobError(`the update of client ${client} is not sealed for this run`);
  }
}

async function cipherOf(shared: Bytes, ephemeral: Bytes, publicKey: Bytes, client: string) {
  return gcmOf(await hkdf(shared, join(ephemeral, publicKey), join(LABEL, client), 44));
}
