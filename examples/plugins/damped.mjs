/**
 * An algorithm of one's own: FedAvg that goes only part of the way. w ← (1 − d)·w + d·mean, d the setting `damping`.
 * With d = 1 it is FedAvg.
 *
 *   npx openfedllm run examples/quickstart.yaml --plugin examples/plugins/damped.mjs \
 *     --set federation.algorithm=damped --set federation.damping=0.7 --out runs/damped
 *
 * @type {import("openfedllm").PluginModule}
 */
export default function plugin({ ALGORITHMS, z, zipParams }) {
  const { fedavg } = ALGORITHMS;
  const damped = {
    settings: {
      ...fedavg.settings,
      // optional(): a default would change the settings of every run, whatever its algorithm.
      damping: z.number().gt(0).max(1).optional().describe("Damped's share of the way to the mean. Default: 0.5."),
    },
    make({ damping = 0.5, ...others }, fidelity) {
      return {
        ...fedavg.make(others, fidelity),
        name: "damped",
        apply: ({ global, state }, { adapter }) => ({
          global: zipParams(global, adapter, (w, mean) => (1 - damping) * w + damping * mean),
          state,
        }),
      };
    },
  };
  return { algorithms: { damped } };
}
