import * as fc from "fast-check";
import { expect, it } from "vitest";
import { floats, records, start } from "../../test/support/clients.ts";
import {
  afterRounds,
  bits,
  close,
  expectGolden,
  made,
  params,
  server,
  SETTINGS,
  values,
} from "../../test/support/play.ts";
import type { Params } from "../tensor/params.ts";

it("fidelity original gives OpenFedLLM's numbers, three rounds, to 1e-9", () => expectGolden("fedavg"));

it("(30·1.02 + 10·1.06)/40 = 1.03; with uniform weights 1.04", async () => {
  close(values((await afterRounds("fedavg", 1)).global), [1.03], 1e-15);
  close(values((await afterRounds("fedavg", 1, { weighting: "uniform" })).global), [1.04], 1e-15);
});

it("gives a client alone its own adapter, bit for bit, the sign of zeros too", async () => {
  const fedavg = made("fedavg", SETTINGS);
  const alone = async (after: Params, n: number): Promise<Params> =>
    (await server(fedavg, { global: start, state: {}, population: 1 }, [[{ adapter: after }, n]])).global;
  await fc.assert(
    fc.asyncProperty(floats, records, async (after, n) => {
      expect(bits(await alone(params(after), n))).toEqual(bits(params(after)));
    }),
  );
  expect(bits(await alone(params([-0, 0, 1e-45, -0]), 7))).toEqual(bits(params([-0, 0, 1e-45, -0])));
});
