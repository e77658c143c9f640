import type { Algorithm } from "./algorithm.ts";
import { fedavg } from "./fedavg.ts";

/**
 * The baseline every federation has to beat: each client trains an adapter of its own from the common start, round after
 * round, and sends nothing. The global adapter stays what it was.
 */
export function local(): Algorithm {
  return {
    ...fedavg(),
    name: "local",
    federated: false,
    ownAdapter: ({ adapter }, memory) => memory["adapter"] ?? adapter,
    report: ({ after }) => ({ update: {}, memory: { adapter: after } }),
    absorb: (sum) => sum,
    finish: ({ global, state }) => ({ global, state }),
  };
}
