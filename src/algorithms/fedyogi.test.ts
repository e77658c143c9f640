import { it } from "vitest";
import { afterRounds, close, double, expectGolden, play, SERVER, SETTINGS, values } from "../../test/support/play.ts";
import { subtract } from "../tensor/params.ts";

it("fidelity original gives OpenFedLLM's numbers, three rounds, to 1e-9", () => expectGolden("fedyogi"));

it("v = 1e-6 + 0.01·0.0016 = 1.7e-5, then 3.3e-5, for v is below Δ²", async () => {
  const first = (0.01 * 0.004) / (Math.sqrt(1.7e-5) + 0.001);
  const second = (0.01 * 0.0076) / (Math.sqrt(3.3e-5) + 0.001);
  close(values((await afterRounds("fedyogi", 1)).global), [1 + first], 1e-14);
  close(values((await afterRounds("fedyogi", 2)).global), [1 + first + second], 1e-14);
});

it("v falls where it is above Δ²: τ 0.1 gives v₋₁ = 0.01, v = 0.01 − 0.01·0.0016", async () => {
  const { state } = await afterRounds("fedyogi", 1, { server: { ...SERVER, tau: 0.1 } });
  close(values(state["variance"]), [0.009984], 1e-15);
});

it("with τ far above Δ is a scaled FedAvg: η/2τ·(1 − β₁)·Δ in round one", async () => {
  const tau = 1e6;
  const settings = { ...SETTINGS, server: { ...SETTINGS.server, learningRate: 2 * tau, tau } };
  const rounds = [[{ client: 0, offset: [0.5, -1, 2, 4], records: 3 }]];
  const zeros = double([0, 0, 0, 0]);
  const step = values(subtract((await play("fedyogi", settings, zeros, rounds)).global, zeros));
  close(step, [0.05, -0.1, 0.2, 0.4], 1e-9);
});
