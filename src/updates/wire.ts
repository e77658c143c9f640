import type { UpdateGroups } from "../algorithms/algorithm.ts";
import type { Groups } from "../tensor/groups.ts";
import { type Params, pick, subtract, toFloat64, zipParams } from "../tensor/params.ts";
import { stream } from "../tensor/random.ts";
import { unsentAfter, withUnsent } from "./error-feedback.ts";
import type { PackedPlace, Stage, StageContext } from "./stage.ts";

/** The place of an update in a run. */
export interface UpdateContext extends Omit<StageContext, "random" | "shared"> {
  /** The run's seed. */
  readonly seed: number;
}

/** What a client has not sent of its earlier changes, and the rounds it missed since. */
export interface Unsent {
  readonly change: Params;
  readonly missed: number;
}

/** An update as a client's stages leave it. */
export interface EncodedUpdate {
  /** Its groups, before they become bytes. */
  readonly groups: Groups;
  /** The groups that the first stage with error feedback was given, what had not been sent included. */
  readonly wanted?: { readonly place: number; readonly groups: Groups };
}

/**
 * Makes the groups that a client sends for an update. Without a stage they are the update itself, bit for bit. With stages the
 * group `delta`, adapter − received, takes the place of `adapter` and goes through each stage in turn. The first stage with
 * error feedback gets `unsent` too.
 */
export function encodeUpdate(
  update: Groups,
  stages: readonly Stage[],
  context: UpdateContext,
  unsent?: Unsent,
): EncodedUpdate {
  if (stages.length === 0) return { groups: update };
  let groups = replaced(update, "adapter", "delta", (adapter) => subtract(adapter, pick(context.received, adapter)));
  let wanted: EncodedUpdate["wanted"];
  for (const [place, stage] of stages.entries()) {
    if (stage.errorFeedback === true && wanted === undefined) {
      groups = wantedOf(groups, unsent);
      wanted = { place, groups };
    }
    groups = stage.encode(groups, at(context, place));
  }
  return { groups, ...(wanted !== undefined && { wanted }) };
}

/** Adds to the change what was not sent before. */
function wantedOf({ delta, ...others }: Groups, unsent: Unsent | undefined): Groups {
  return { delta: withUnsent(toFloat64(delta!), unsent?.change, unsent?.missed ?? 0), ...others };
}

/** The bytes of an update, where the last stage has a codec. Otherwise undefined: they are to be safetensors. */
export function packed(
  groups: Groups,
  stages: readonly Stage[],
  context: UpdateContext,
): Uint8Array<ArrayBuffer> | undefined {
  return stages.at(-1)?.codec?.pack(groups, at(context, stages.length - 1));
}

/**
 * The groups of packed bytes, which have the shape of `shape` (`wireShape`); undefined where the last stage has no codec.
 *
 * @throws UserError of kind `model` for bytes that the codec does not write for this shape and place.
 */
export function unpacked(
  bytes: Uint8Array,
  stages: readonly Stage[],
  shape: Groups,
  place: PackedPlace,
): Groups | undefined {
  return stages.at(-1)?.codec?.unpack(bytes, shape, place);
}

/**
 * Makes the update that the coordinator aggregates from the groups that a client sent. With stages `adapter` is
 * received + delta in float64, so that no small change is rounded away.
 */
export function decodeUpdate(
  wire: Groups,
  groups: UpdateGroups,
  stages: readonly Stage[],
  context: UpdateContext,
): Groups {
  return stages.length === 0 ? wire : putOn(decodedBefore(0, wire, groups, stages, context), context.received);
}

/** Undoes all stages. `groups` may have `delta` in the place of `adapter`, which the result has. */
export function decodeChange(
  wire: Groups,
  groups: UpdateGroups,
  stages: readonly Stage[],
  context: UpdateContext,
): Groups {
  return decodedBefore(0, wire, groups, stages, context);
}

/** What a client learns of its update from the bytes that it sends. */
export interface SentUpdate {
  /** The update's groups as the coordinator decodes them, with `delta` in the place of `adapter`. */
  readonly groups: Groups;
  /** What was not sent; undefined without error feedback. */
  readonly unsent: Params | undefined;
}

/** Decodes an update as the coordinator will. */
export function sentUpdate(
  { wanted }: EncodedUpdate,
  wire: Groups,
  groups: UpdateGroups,
  stages: readonly Stage[],
  context: UpdateContext,
): SentUpdate {
  const unsent =
    wanted &&
    unsentAfter(wanted.groups["delta"]!, decodedBefore(wanted.place, wire, groups, stages, context)["delta"]!);
  return { groups: decodedBefore(0, wire, groups, stages, context), unsent };
}

/** Undoes the stages from the last to the one at `first`. */
function decodedBefore(
  first: number,
  wire: Groups,
  groups: UpdateGroups,
  stages: readonly Stage[],
  context: UpdateContext,
): Groups {
  const shapes = shapesBefore(groups, stages);
  let decoded = wire;
  for (let place = stages.length - 1; place >= first; place--) {
    decoded = stages[place]!.decode(decoded, at(context, place), shapes[place]!);
  }
  return decoded;
}

/** Puts the group `delta` on an adapter: the group `adapter`, adapter + delta, takes its place. In float64. */
export function putOn(changed: Groups, adapter: Params): Groups {
  return replaced(changed, "delta", "adapter", (delta) =>
    zipParams(toFloat64(delta), pick(adapter, delta), (d, w) => w + d),
  );
}

/** Takes an adapter from the group `adapter`: the group `delta`, the difference in float64, takes its place. */
export function changeFrom(update: Groups, adapter: Params): Groups {
  return replaced(update, "adapter", "delta", (after) =>
    zipParams(toFloat64(after), pick(adapter, after), (y, w) => y - w),
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
  return shapesBefore(groups, stages).at(-1)!;
}

/** The shape of what each stage is given, and of what the last returns. */
function shapesBefore(groups: UpdateGroups, stages: readonly Stage[]): Groups[] {
  const update = Object.fromEntries(Object.entries(groups).map(([name, { like }]) => [name, like]));
  const shapes = [stages.length === 0 ? update : replaced(update, "adapter", "delta", (adapter) => adapter)];
  for (const stage of stages) shapes.push(stage.shape(shapes.at(-1)!));
  return shapes;
}

function at({ seed, ...place }: UpdateContext, stage: number): StageContext {
  const { round, client } = place;
  return {
    ...place,
    random: (...key) => stream(seed, "stage", stage, round, client, ...key),
    shared: (...key) => stream(seed, "stage of all", stage, round, ...key),
  };
}

/** Renames a group and keeps its position. */
function replaced(groups: Groups, from: string, to: string, change: (params: Params) => Params): Groups {
  return Object.fromEntries(
    Object.entries(groups).map(([name, params]) => (name === from ? [to, change(params)] : [name, params])),
  );
}
