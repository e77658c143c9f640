import { zipParams } from "../tensor/params.ts";
import { type Attack, defineAttack } from "./attack.ts";
import { normalQuantile, spreadOf } from "./statistics.ts";

/**
 * "A little is enough" (Baruch et al. 2019): the honest mean less z of the honest deviation, in each coordinate. z is the largest at which
 * as many honest clients as a majority needs are still further away.
 */
export const alie = defineAttack({
  settings: {},
  make: (): Attack => ({
    name: "alie",
    colludes: true,
    change(_own, { honest, clients, hostile }) {
      const { mean, deviation } = spreadOf(honest);
      const z = alieFactor(clients, hostile);
      return zipParams(mean, deviation, (g, s) => g - z * s);
    },
  }),
});

/** z = Φ⁻¹((n − f − S)/(n − f)), with S = ⌊n/2 + 1⌋ − f supporters (Baruch et al. 2019, section 4). */
export function alieFactor(clients: number, hostile: number): number {
  const supporters = Math.floor(clients / 2 + 1) - hostile;
  return normalQuantile((clients - hostile - supporters) / (clients - hostile));
}
