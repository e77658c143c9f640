import { expect, it } from "vitest";
import { clientsOfRound } from "../algorithms/client-sampling.ts";
import { encodeJson } from "../store/codec.ts";
import { memoryStore } from "../store/memory-store.ts";
import { drawCohort, EarlierRounds } from "./cohort.ts";
import { keys } from "./protocol/keys.ts";

it("earlier rounds count the draws before, not the round itself", async () => {
  const store = memoryStore();
  const names = ["a", "b", "c", "d"];
  const earlier = new EarlierRounds(store);
  expect(await earlier.before(1, names)).toEqual([0, 0, 0, 0]);
  const sampling = { seed: 3, population: 4, perRound: 2 };
  const drawn = clientsOfRound(sampling, 1);
  const clients = drawCohort({ seed: 3, perRound: 2, members: ["d", "b", "a", "c"] }, 1);
  expect(clients).toEqual(drawn.map((index) => names[index]));
  const opening = {
    round: 1,
    clients,
    earlierRounds: [0, 0],
    learningRate: 1,
    adapter: "0".repeat(64),
    broadcast: null,
  };
  await store.create(keys.opening(1), encodeJson(opening));
  expect(await earlier.before(2, names)).toEqual(names.map((name) => (clients.includes(name) ? 1 : 0)));
  expect(await new EarlierRounds(store).before(2, names)).toEqual(await earlier.before(2, names));
});

it("draws those that are there, and others only where they are too few", () => {
  const members = Array.from({ length: 20 }, (_, i) => `c${String(i).padStart(2, "0")}`);
  const draw = (available?: readonly string[], round = 1): string[] =>
    drawCohort({ seed: 7, perRound: 4, members, available: available && new Set(available) }, round);
  // All of them there is as nobody asked.
  for (let round = 1; round <= 20; round++) expect(draw(members, round)).toEqual(draw(undefined, round));
  const few = members.slice(3, 9);
  const drawn = new Set(Array.from({ length: 50 }, (_, round) => draw(few, round + 1)).flat());
  expect([...drawn].sort()).toEqual(few);
  const two = draw(["c05", "c11", "stranger"]);
  expect(two).toHaveLength(4);
  expect(two).toEqual(expect.arrayContaining(["c05", "c11"]));
  expect(two).not.toContain("stranger");
  expect(two).toEqual([...two].sort());
});
