import type { LocalRule } from "../../optim/local-rule.ts";
import type { Groups } from "../../tensor/groups.ts";
import { filterParams, type Params, withTensors } from "../../tensor/params.ts";
import type { Algorithm, Received } from "../algorithm.ts";
import { type FactorRule, type Phase, phaseOf } from "./factor-rule.ts";

/** The group of a client's memory with the tensors that it does not send. */
const OWN = "own";

/**
 * Makes an algorithm that trains and sends only some tensors of the adapter, as a rule says. The algorithm sees those that are
 * sent: its pull, its corrections and its server step act on them alone. Its states of unlike phases are kept apart, so that no
 * momentum moves a tensor that is not trained.
 */
export function withFactors(algorithm: Algorithm, rule: FactorRule): Algorithm {
  const { phases, personal } = rule;
  const own = (memory: Groups): Params => memory[OWN] ?? new Map();
  const whole = (adapter: Params, memory: Groups): Params => withTensors(adapter, own(memory));
  const sent = (received: Received): Received => ({
    ...received,
    adapter: filterParams(received.adapter, phaseOf(rule, received.round).sends),
  });
  return {
    ...algorithm,
    keepsMemory: personal || algorithm.keepsMemory === true,
    ...(personal && { ownAdapter: ({ adapter }, memory) => whole(adapter, memory) }),
    localRule(received, memory) {
      const phase = phaseOf(rule, received.round);
      return restricted(algorithm.localRule(sent(received), ofPhase(memory, phase)), phase);
    },
    report(result, received, memory) {
      const phase = phaseOf(rule, received.round);
      const only = (params: Params): Params => filterParams(params, phase.sends);
      const { before, after, gradientMean } = result;
      const reported = algorithm.report(
        {
          ...result,
          before: only(before),
          after: only(after),
          gradientMean: gradientMean && only(gradientMean),
        },
        sent(received),
        ofPhase(memory, phase),
      );
      const others = Object.fromEntries(
        Object.entries(memory).filter(([name]) => !name.startsWith(`${phase.name}.`) && name !== OWN),
      );
      const kept = { [OWN]: filterParams(after, (tensor) => !phase.sends(tensor)) };
      return {
        update: reported.update,
        memory: { ...others, ...named(reported.memory, phase), ...(personal && kept) },
      };
    },
    ...(algorithm.remembered && {
      remembered(decoded, received, memory) {
        const phase = phaseOf(rule, received.round);
        return named(algorithm.remembered!(decoded, sent(received), ofPhase(memory, phase)), phase);
      },
    }),
    init: (global) =>
      Object.assign(
        {},
        ...phases.map((phase) => named(algorithm.init(filterParams(global, phase.sends)), phase)),
      ) as Groups,
    broadcast: (state, round) => {
      const phase = phaseOf(rule, round);
      return algorithm.broadcast(ofPhase(state, phase), round);
    },
    update: (adapter, round) => algorithm.update(filterParams(adapter, phaseOf(rule, round).sends), round),
    apply(server, aggregate) {
      const phase = phaseOf(rule, server.round);
      const global = filterParams(server.global, phase.sends);
      const next = algorithm.apply({ ...server, global, state: ofPhase(server.state, phase) }, aggregate);
      return {
        global: withTensors(server.global, next.global),
        state: { ...server.state, ...named(next.state, phase) },
      };
    },
  };
}

/** The groups of a phase, under the names that the algorithm gave them. */
function ofPhase(groups: Groups, { name }: Phase): Groups {
  const start = `${name}.`;
  return Object.fromEntries(
    Object.entries(groups).flatMap(([group, params]) =>
      group.startsWith(start) ? [[group.slice(start.length), params]] : [],
    ),
  );
}

function named(groups: Groups, { name }: Phase): Groups {
  return Object.fromEntries(Object.entries(groups).map(([group, params]) => [`${name}.${group}`, params]));
}

/** A local rule on the tensors that are sent; those that the phase does not train stay as they are. */
function restricted({ gradient, step, ...others }: LocalRule, { trains, sends }: Phase): LocalRule {
  return {
    ...others,
    frozen: (tensor) => !trains(tensor),
    ...(gradient && {
      gradient: (g, adapter) => withTensors(g, gradient(filterParams(g, sends), filterParams(adapter, sends))),
    }),
    ...(step && {
      step: (adapter, learningRate) => withTensors(adapter, step(filterParams(adapter, sends), learningRate)),
    }),
  };
}
