import type { UpdateGroups } from "../algorithms/algorithm.ts";
import type { Groups } from "../tensor/groups.ts";
import { type Params, pick, subtract, zipParams } from "../tensor/params.ts";
import { stream } from "../tensor/random.ts";
import type { Stage, StageContext } from "./stage.ts";

/** The place of an update in a run. */
export interface UpdateContext extends Omit<StageContext, "random"> {
  /** The run's seed. */
  readonly seed: number;
}

/**
 * Makes the groups that a client sends for an update. Without a stage they are the update itself, bit for bit. With stages the
 * group `delta`, adapter − received, takes the place of `adapter` and goes through each stage in turn.
 */
export function encodeUpdate(update: Groups, stages: readonly Stage[], context: UpdateContext): Groups {
  if (stages.length === 0) return update;
  const changed = replaced(update, "adapter", "delta", (adapter) => subtract(adapter, pick(context.received, adapter)));
  return stages.reduce((groups, stage, place) => stage.encode(groups, at(context, place)), changed);
}

/**
 * Makes the update that the coordinator aggregates from the groups that a client sent. With stages `adapter` is
 * received + delta in float64, so that no small change is rounded away.
 */
export function decodeUpdate(wire: Groups, stages: readonly Stage[], context: UpdateContext): Groups {
  if (stages.length === 0) return wire;
  const delta = stages.reduceRight((groups, stage, place) => stage.decode(groups, at(context, place)), wire);
  return putOn(delta, context.received);
}

/** Puts the group `delta` on an adapter: the group `adapter`, adapter + delta, takes its place. In float64. */
export function putOn(changed: Groups, adapter: Params): Groups {
  return replaced(changed, "delta", "adapter", (delta) =>
    zipParams(inFloat64(delta), pick(adapter, delta), (d, w) => w + d),
  );
}

/** Takes an adapter from the group `adapter`: the group `delta`, the difference in float64, takes its place. */
export function changeFrom(update: Groups, adapter: Params): Groups {
  return replaced(update, "adapter", "delta", (after) =>
    zipParams(inFloat64(after), pick(adapter, after), (y, w) => y - w),
  );
}

/** Declares the group `delta` in the place of `adapter`. */
export function asChange(groups: UpdateGroups): UpdateGroups {
  return Object.fromEntries(
    Object.entries(groups).map(([name, group]) => [name === "adapter" ? "delta" : name, group]),
  );
}

/** Gives the names and shapes of the groups that clients send, with arbitrary values. */
export function wireShape(groups: UpdateGroups, stages: readonly Stage[]): Groups {
  const update = Object.fromEntries(Object.entries(groups).map(([name, { like }]) => [name, like]));
  if (stages.length === 0) return update;
  return stages.reduce(
    (shape, stage) => stage.shape(shape),
    replaced(update, "adapter", "delta", (adapter) => adapter),
  );
}

function at({ seed, ...place }: UpdateContext, stage: number): StageContext {
  const { round, client } = place;
  return { ...place, random: (...key) => stream(seed, "stage", stage, round, client, ...key) };
}

/** Renames a group and keeps its position. */
function replaced(groups: Groups, from: string, to: string, change: (params: Params) => Params): Groups {
  return Object.fromEntries(
    Object.entries(groups).map(([name, params]) => (name === from ? [to, change(params)] : [name, params])),
  );
}

function inFloat64(params: Params): Params {
  return new Map([...params].map(([name, { shape, data }]) => [name, { shape, data: Float64Array.from(data) }]));
}
