import { expect, it } from "vitest";
import { FIGURES } from "../../test/support/federation.ts";
import { encodeJson } from "../store/codec.ts";
import { memoryStore } from "../store/memory-store.ts";
import { keys } from "./protocol/keys.ts";
import { forgetRound } from "./round.ts";

it("forgets the updates of a round, but no blob that a refused submission names", async () => {
  const store = memoryStore();
  const [update, state] = [await store.putBlob(Uint8Array.of(1)), await store.putBlob(Uint8Array.of(2))];
  const opening = {
    round: 1,
    clients: ["a", "b"],
    earlierRounds: [0, 0],
    learningRate: 1,
    adapter: state,
    broadcast: null,
  };
  await store.create(keys.opening(1), encodeJson(opening));
  for (const [client, named] of [
    ["a", update],
    ["b", state],
  ] as const) {
    await store.create(keys.update(1, client), encodeJson({ client, base: state, update: named, ...FIGURES }));
  }
  const accepted = [{ client: "a", update, records: 1, loss: 1, count: 1 }];
  const refused = [{ client: "b", refused: "the group adapter is missing" }];
  await store.create(keys.close(1), encodeJson({ round: 1, accepted, refused }));
  await forgetRound(store, 1);
  await expect(store.blob(update)).rejects.toThrow("not in the store");
  expect(await store.blob(state)).toEqual(Uint8Array.of(2));
});
