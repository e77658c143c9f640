import { defineAlgorithm } from "./algorithm.ts";
import { fedavg } from "./fedavg.ts";

/**
 * The baseline that a federation has to beat: each client trains an adapter of its own from the common start, round after
 * round, and sends nothing. The global adapter stays what it was.
 */
export const local = defineAlgorithm({
  settings: {},
  make: (_settings, fidelity) => ({
    ...fedavg.make({}, fidelity),
    name: "local",
    federated: false,
    keepsMemory: true,
    ownAdapter: ({ adapter }, memory) => memory["adapter"] ?? adapter,
    report: ({ after }) => ({ update: {}, memory: { adapter: after } }),
    update: () => ({}),
    apply: ({ global, state }) => ({ global, state }),
  }),
});
