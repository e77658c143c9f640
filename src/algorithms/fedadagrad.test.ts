import { it } from "vitest";
import { afterRounds, close, double, expectGolden, play, SETTINGS, UNSET, values } from "../../test/support/play.ts";
import { subtract } from "../tensor/params.ts";

it("fidelity original gives OpenFedLLM's numbers, three rounds, to 1e-9", () => expectGolden("fedadagrad"));

it("Δ = 0.04; v = 1e-6 + 0.0016, then + 0.0016; w += 0.01·0.04/(√v + 0.001)", async () => {
  const first = 0.0004 / (Math.sqrt(0.001601) + 0.001);
  close(values((await afterRounds("fedadagrad", 1)).global), [1 + first], 1e-15);
  close(
    values((await afterRounds("fedadagrad", 2)).global),
    [1 + first + 0.0004 / (Math.sqrt(0.003201) + 0.001)],
    1e-15,
  );
});

it("without η and τ goes by the first delta: rms 0.04, so τ 0.004 and η 0.04", async () => {
  // v = 1.6e-5 + 1.6e-3; step = 0.04·0.04/(√v + 0.004), close to Δ itself.
  const { global } = await afterRounds("fedadagrad", 1, { server: UNSET });
  close(values(global), [1 + 0.0016 / (Math.sqrt(0.001616) + 0.004)], 1e-14);
});

it("with τ far above Δ is a scaled FedAvg: η/2τ·(1 − β₁)·Δ in round one", async () => {
  const tau = 1e6;
  const settings = { ...SETTINGS, server: { ...SETTINGS.server, learningRate: 2 * tau, tau } };
  const rounds = [[{ client: 0, offset: [0.5, -1, 2, 4], records: 3 }]];
  const zeros = double([0, 0, 0, 0]);
  const step = values(subtract((await play("fedadagrad", settings, zeros, rounds)).global, zeros));
  close(step, [0.5, -1, 2, 4], 1e-9);
});
