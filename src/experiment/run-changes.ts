import { algorithmOf } from "../algorithms/registry.ts";
import type { ExperimentConfig } from "../settings/schema.ts";

/**
 * `training.localSteps was 10, is 20` for every setting that prevents continuing a run. More rounds do not, nor does another
 * order of the clients, but for a baseline that pools their records in this order.
 */
export function settingsThatDiffer(stored: ExperimentConfig, config: ExperimentConfig): string[] {
  const rounds = isLengthened(stored, config) ? stored.federation.rounds : config.federation.rounds;
  const now = withRounds(withClientsOf(stored, config), rounds);
  const others = differing(withoutIndifferent(stored), withoutIndifferent(now));
  const [before, after] = [orderOf(stored), orderOf(config)];
  if (!poolsRecords(config) || before === undefined || after === undefined || before.join() === after.join())
    return others;
  const order = `data.clients was in the order ${before.join(", ")}, is ${after.join(", ")}`;
  return [...others, `${order}, and ${config.federation.algorithm} pools the records in this order`];
}

/** True where the run is to have more rounds than its folder was bound to. */
export function isLengthened(stored: ExperimentConfig, config: ExperimentConfig): boolean {
  // The stored one may be damaged, or of another version.
  const before = (stored.federation as ExperimentConfig["federation"] | undefined)?.rounds;
  return before !== undefined && config.federation.rounds > before;
}

/** The same configuration with another number of rounds. */
export function withRounds(config: ExperimentConfig, rounds: number): ExperimentConfig {
  return { ...config, federation: { ...config.federation, rounds } };
}

/** A sentence for a run that goes on with more rounds than it was to have; undefined for the others. */
export function lengtheningNote(stored: ExperimentConfig, config: ExperimentConfig): string | undefined {
  if (!isLengthened(stored, config)) return undefined;
  const [before, now] = [stored.federation.rounds, config.federation.rounds];
  const what = `the run is lengthened from ${before} to ${now} rounds`;
  if (config.training.schedule === "constant") return what;
  return `${what}; its first ${before} had the learning rates of ${before} rounds (${config.training.schedule}), so the result is not that of ${now} rounds from the start`;
}

/** True where the run may stop early at another round: an earlier stop is then not its end for good. */
export function stopsOtherwise(stored: ExperimentConfig, config: ExperimentConfig): boolean {
  const of = ({ evaluation: { earlyStopping, best } }: ExperimentConfig): object => ({ earlyStopping, best });
  return differing(of(stored), of(config)).length > 0;
}

/** The names of a run's clients in the order that its folder has them in, where this is not the order of its settings. */
export function storedOrder(stored: ExperimentConfig, config: ExperimentConfig): readonly string[] | undefined {
  const [before, after] = [orderOf(stored), orderOf(config)];
  const isSame = before === undefined || after === undefined || before.join() === after.join();
  return isSame || poolsRecords(config) ? undefined : before;
}

/** Names of the clients; undefined where pooled records are dealt out, or for a damaged configuration. */
function orderOf({ data }: ExperimentConfig): string[] | undefined {
  return (data as ExperimentConfig["data"] | undefined)?.clients?.map(({ name }) => name);
}

function poolsRecords({ federation, fidelity }: ExperimentConfig): boolean {
  return algorithmOf(federation.algorithm, federation, fidelity).data === "pooled";
}

/** A configuration with its clients in the order of another one. */
function withClientsOf(stored: ExperimentConfig, config: ExperimentConfig): ExperimentConfig {
  const { clients } = config.data;
  const order = orderOf(stored);
  if (clients === undefined || order === undefined) return config;
  return { ...config, data: { ...config.data, clients: sortedAs(order, clients) } };
}

/** Things in the order of their names; those without a place there come last. */
export function sortedAs<T extends { readonly name: string }>(order: readonly string[], things: readonly T[]): T[] {
  const place = new Map(order.map((name, i) => [name, i]));
  const placeOf = ({ name }: T): number => place.get(name) ?? order.length;
  return [...things].sort((a, b) => placeOf(a) - placeOf(b));
}

/** A configuration without the settings that change nothing in any round. */
export function withoutIndifferent({
  runtime: _runtime,
  output: _output,
  evaluation,
  ...config
}: ExperimentConfig): object {
  const { best: _best, earlyStopping: _earlyStopping, ...measured } = evaluation;
  return { ...config, evaluation: measured };
}

/** `path was before, is now` for every leaf that is not the same. */
export function differing(before: unknown, now: unknown, path = ""): string[] {
  if (typeof before === "object" && typeof now === "object" && before !== null && now !== null) {
    const keys = new Set([...Object.keys(before), ...Object.keys(now)]);
    return [...keys].flatMap((key) =>
      differing(
        (before as Record<string, unknown>)[key],
        (now as Record<string, unknown>)[key],
        path === "" ? key : `${path}.${key}`,
      ),
    );
  }
  return before === now ? [] : [`${path} was ${shown(before)}, is ${shown(now)}`];
}

export function shown(value: unknown): string {
  return value === undefined ? "not set" : JSON.stringify(value);
}
