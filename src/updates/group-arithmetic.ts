import type { Groups } from "../tensor/groups.ts";
import { type Params, toFloat32 } from "../tensor/params.ts";

/** Applies `f` to every number of every group, in order, in float64. */
export function filled(groups: Groups, f: (x: number) => number): Groups {
  return mapGroups(groups, (params) => {
    const tensors = Array.from(params, ([name, { shape, data }]) => {
      const into = new Float64Array(data.length);
      for (let i = 0; i < data.length; i++) into[i] = f(data[i]!);
      return [name, { shape, data: into }] as const;
    });
    return new Map(tensors);
  });
}

export function inFloat32(groups: Groups): Groups {
  return mapGroups(groups, toFloat32);
}

/** All numbers of all groups, in order, as the bytes of float64. */
export function bytesOfTensors(groups: Groups): Uint8Array {
  const tensors = Object.values(groups).flatMap((params) => [...params.values()]);
  const all = new Float64Array(tensors.reduce((total, { data }) => total + data.length, 0));
  let at = 0;
  for (const { data } of tensors) {
    all.set(data, at);
    at += data.length;
  }
  return new Uint8Array(all.buffer);
}

function mapGroups(groups: Groups, f: (params: Params) => Params): Groups {
  return Object.fromEntries(Object.entries(groups).map(([name, params]) => [name, f(params)]));
}
