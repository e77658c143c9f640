import { byName, type Check, type Checked, count, hash, list, message, optional, text } from "../../store/check.ts";
import { type Refusal, refusal } from "./messages.ts";

/** A message, or the statement of its client that it takes no further part in the round, and why. */
function orRefusal<T>(check: Check<T>): Check<T | Refusal> {
  return (value, at) =>
    typeof value === "object" && value !== null && "refused" in value ? refusal(value, at) : check(value, at);
}

/** `round-0003/keys/<client>`: two public keys for this round, and hashes of the secrets that will be shared (hexadecimal). */
const publishedKeys = message({
  round: count,
  client: text,
  /** sha256 of the round's opening. */
  opening: hash,
  channel: hash,
  mask: hash,
  selfHash: hash,
  maskHash: hash,
});
export type PublishedKeys = Checked<typeof publishedKeys>;
export const keysAnswer = orRefusal(publishedKeys);

/** `round-0003/key-list`: the clients that masks are made with. The graph follows from the keys, the thresholds from the rules. */
export const keyList = message({
  round: count,
  /** The largest weight of a client: the grid rests on it. */
  weightMax: count,
  /** In the order of names; `signed` is the whole cell, where cells are signed. */
  members: list(message({ keys: publishedKeys, signed: optional(text) })),
  refused: list(refusal),
});
export type KeyList = Checked<typeof keyList>;

const envelopesByClient = byName(text);

/** `round-0003/shares/<client>`: shares of its two secrets, sealed for each neighbour (base64). */
export const sharesAnswer = orRefusal(message({ round: count, client: text, envelopes: envelopesByClient }));

/** `round-0003/envelopes/<client>`: the shares that others sealed for it. The coordinator sends them on. */
export const relayed = message({ round: count, client: text, envelopes: envelopesByClient });

/** `round-0003/sharers` and `round-0003/survivors`: those that are still in the round. */
export const remaining = message({ round: count, clients: list(text), refused: list(refusal) });
export type Remaining = Checked<typeof remaining>;

/** `round-0003/agree/<client>`: the client was told these survivors (sha256 of the cell). */
const agreement = message({ round: count, client: text, survivors: hash });
export const agreementAnswer = orRefusal(agreement);

/** `round-0003/agreed`: the agreements, as they were signed. */
export const agreed = message({ round: count, agreements: list(message({ client: text, signed: optional(text) })) });

/** `round-0003/unmask/<client>`: its shares (base64), of each client one: of a survivor's own mask, of a lost client's pair masks. */
export const unmasking = message({ round: count, client: text, self: byName(text), mask: byName(text) });
export const unmaskingAnswer = orRefusal(unmasking);
