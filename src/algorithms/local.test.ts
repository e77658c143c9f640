import { expect, it } from "vitest";
import {
  close,
  double,
  golden,
  GOLDEN_START,
  made,
  ORIGINAL,
  server,
  trained,
  values,
} from "../../test/support/play.ts";
import type { Groups } from "../tensor/groups.ts";
import { addScaled } from "../tensor/params.ts";

it("fidelity original gives OpenFedLLM's numbers to 1e-9: the adapter of client 1 goes on alone", async () => {
  const algorithm = made("local", ORIGINAL);
  const received = { round: 1, adapter: GOLDEN_START, extra: {} };
  let memory: Groups = {};
  for (const { global } of golden.algs["local1"]!) {
    const before = algorithm.ownAdapter!(received, memory);
    ({ memory } = algorithm.report(
      trained(before, addScaled(before, 1, double(golden.client_offsets[1]!))),
      received,
      memory,
    ));
    close(values(algorithm.ownAdapter!(received, memory)), global);
  }
  const round = { global: GOLDEN_START, state: {}, population: 3 };
  expect((await server(algorithm, round, [[{}, 10]])).global).toBe(GOLDEN_START);
});
