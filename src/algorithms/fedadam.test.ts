import { it } from "vitest";
import { afterRounds, close, double, expectGolden, play, SETTINGS, UNSET, values } from "../../test/support/play.ts";
import { subtract } from "../tensor/params.ts";

it("fidelity original gives OpenFedLLM's numbers, three rounds, to 1e-9", () => expectGolden("fedadam"));

it("m = 0.004, then 0.0076; v = 0.99e-6 + 0.01·0.0016 = 1.699e-5, then 0.99·1.699e-5 + 1.6e-5", async () => {
  const first = (0.01 * 0.004) / (Math.sqrt(1.699e-5) + 0.001);
  const second = (0.01 * 0.0076) / (Math.sqrt(0.99 * 1.699e-5 + 1.6e-5) + 0.001);
  close(values((await afterRounds("fedadam", 1)).global), [1 + first], 1e-14);
  close(values((await afterRounds("fedadam", 2)).global), [1 + first + second], 1e-14);
});

it("without η and τ goes by the first delta: rms 0.04, so τ 0.004 and η, with momentum, 0.012", async () => {
  // m = 0.004, v = 0.99·1.6e-5 + 0.01·1.6e-3 = 3.184e-5.
  const { global } = await afterRounds("fedadam", 1, { server: UNSET });
  close(values(global), [1 + (0.012 * 0.004) / (Math.sqrt(3.184e-5) + 0.004)], 1e-14);
  close(values((await afterRounds("fedadam", 3, { server: UNSET })).state["scale"]), [0.04], 1e-15);
});

it("with τ far above Δ is a scaled FedAvg: η/2τ·(1 − β₁)·Δ in round one", async () => {
  const tau = 1e6;
  const settings = { ...SETTINGS, server: { ...SETTINGS.server, learningRate: 2 * tau, tau } };
  const rounds = [[{ client: 0, offset: [0.5, -1, 2, 4], records: 3 }]];
  const zeros = double([0, 0, 0, 0]);
  const step = values(subtract((await play("fedadam", settings, zeros, rounds)).global, zeros));
  close(
    step,
    [0.05, -0.1, 0.2, 0.4].map((x) => (x * 2) / (1 + Math.sqrt(0.99))),
    1e-9,
  );
});
