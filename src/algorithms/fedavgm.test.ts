import * as fc from "fast-check";
import { expect, it } from "vitest";
import { clients, inOrder, start } from "../../test/support/clients.ts";
import {
  afterRounds,
  close,
  expectGolden,
  play,
  type PlaySettings,
  SERVER,
  SETTINGS,
  UNSET,
  values,
} from "../../test/support/play.ts";

it("fidelity original gives OpenFedLLM's numbers, three rounds, to 1e-9", () => expectGolden("fedavgm"));

it("Δ = 0.03 each round; m = 0.03, then 0.9·0.03 + 0.03 = 0.057; w = 1 + η·0.03 + η·0.057", async () => {
  const unit: Partial<PlaySettings> = { server: { ...SERVER, learningRate: 1 } };
  close(values((await afterRounds("fedavgm", 1, unit)).global), [1.03], 1e-15);
  close(values((await afterRounds("fedavgm", 2, unit)).global), [1.087], 1e-15);
  // η not set is 1 − 0.9.
  close(values((await afterRounds("fedavgm", 2, { server: UNSET })).global), [1.0087], 1e-15);
  // η 0.01: 1 + 0.01·0.03 + 0.01·0.057.
  close(values((await afterRounds("fedavgm", 2)).global), [1.00087], 1e-15);
});

it("without momentum and with step 1 is FedAvg, but for the last bit", async () => {
  const settings: PlaySettings = { ...SETTINGS, server: { ...SETTINGS.server, beta1: 0 } };
  await fc.assert(
    fc.asyncProperty(clients, async (list) => {
      const rounds = [inOrder(list), inOrder(list).slice(0, 1)];
      for (const fidelity of ["paper", "original"] as const) {
        const got = values((await play("fedavgm", { ...settings, fidelity }, start, rounds)).global);
        const want = values((await play("fedavg", SETTINGS, start, rounds)).global);
        got.forEach((x, i) =>
          expect(Math.abs(x - want[i]!)).toBeLessThanOrEqual(2 ** -22 * Math.max(1e-2, Math.abs(want[i]!))),
        );
      }
    }),
  );
});
