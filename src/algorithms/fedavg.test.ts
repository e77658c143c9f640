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

it("(30·1.02 + 10·1.06)/40 = 1.03; with uniform weights 1.04", () => {
  close(values(afterRounds("fedavg", 1).global), [1.03], 1e-15);
  close(values(afterRounds("fedavg", 1, { weighting: "uniform" }).global), [1.04], 1e-15);
});

it("gives a client alone its own adapter, bit for bit, the sign of zeros too", () => {
  const fedavg = made("fedavg", SETTINGS);
  const alone = (after: Params, n: number): Params =>
    server(fedavg, { global: start, state: {}, population: 1 }, [[{ adapter: after }, n]]).global;
  fc.assert(
    fc.property(floats, records, (after, n) => {
      expect(bits(alone(params(after), n))).toEqual(bits(params(after)));
    }),
  );
  expect(bits(alone(params([-0, 0, 1e-45, -0]), 7))).toEqual(bits(params([-0, 0, 1e-45, -0])));
});
