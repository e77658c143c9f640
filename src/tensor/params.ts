import { formatShape, sameShape } from "./shape.ts";

/** Element storage: Float32Array for adapters and weights, Float64Array where a caller needs the extra digits. */
export type Floats = Float32Array | Float64Array;

/** A dense row-major tensor. `data.length` is the product of `shape`. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Floats;
}

/**
 * Named tensors: an adapter, an update, a gradient, an optimizer moment. Names are PEFT's
 * (`base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight`). Never changed in place by library code.
 */
export type Params = ReadonlyMap<string, Tensor>;

type Storage = Float32ArrayConstructor | Float64ArrayConstructor;

function storageOf(data: Floats): Storage {
  return data instanceof Float64Array ? Float64Array : Float32Array;
}

function emptyLike(data: Floats): Floats {
  return new (storageOf(data))(data.length);
}

/** Applies `f` to every element. Shapes and element types are kept. */
export function mapParams(a: Params, f: (x: number) => number): Params {
  const result = new Map<string, Tensor>();
  for (const [name, { shape, data }] of a) {
    const out = emptyLike(data);
    for (let i = 0; i < data.length; i++) out[i] = f(data[i]!);
    result.set(name, { shape, data: out });
  }
  return result;
}

/**
 * Applies `f` to every pair of elements of the same name and place. Order, shapes and element types are those of `a`;
 * the order of `b` does not matter. Throws an Error that names the tensor and both shapes if `a` and `b` do not have the
 * same names and shapes.
 */
export function zipParams(a: Params, b: Params, f: (x: number, y: number) => number): Params {
  for (const [name, { shape }] of b) {
    if (!a.has(name)) throw new Error(`tensor ${name}: missing on the left, ${formatShape(shape)} on the right`);
  }
  const result = new Map<string, Tensor>();
  for (const [name, { shape, data }] of a) {
    const other = b.get(name);
    if (other === undefined) throw new Error(`tensor ${name}: ${formatShape(shape)} on the left, missing on the right`);
    if (!sameShape(shape, other.shape)) {
      throw new Error(`tensor ${name}: ${formatShape(shape)} on the left, ${formatShape(other.shape)} on the right`);
    }
    const out = emptyLike(data);
    for (let i = 0; i < data.length; i++) out[i] = f(data[i]!, other.data[i]!);
    result.set(name, { shape, data: out });
  }
  return result;
}

/** `a + s·b`, each element rounded once. */
export function addScaled(a: Params, s: number, b: Params): Params {
  return zipParams(a, b, (x, y) => x + s * y);
}

/** `a − b`. */
export function subtract(a: Params, b: Params): Params {
  return zipParams(a, b, (x, y) => x - y);
}

/** `s·a`. */
export function scale(a: Params, s: number): Params {
  return mapParams(a, (x) => s * x);
}

/** Zeros with the names and shapes of `a`, and with its element types or all in `storage`. */
export function zerosLike(a: Params, storage?: Storage): Params {
  return filledLike(a, 0, storage);
}

/** Tensors with the names and shapes of `a` in which every element is `value`, which may be −0. */
export function filledLike(a: Params, value: number, storage?: Storage): Params {
  const result = new Map<string, Tensor>();
  for (const [name, { shape, data }] of a) {
    result.set(name, { shape, data: new (storage ?? storageOf(data))(data.length).fill(value) });
  }
  return result;
}

/** Euclidean norm of all elements together, summed in float64. Does not depend on the map's order. */
export function globalNorm(a: Params): number {
  let total = 0;
  for (const name of [...a.keys()].sort()) {
    const { data } = a.get(name)!;
    let sum = 0;
    for (let i = 0; i < data.length; i++) sum += data[i]! * data[i]!;
    total += sum;
  }
  return Math.sqrt(total);
}

/** Finds the first tensor with a NaN or infinite element and returns its name; undefined where all are finite. */
export function firstNonFinite(a: Params): string | undefined {
  for (const [name, { data }] of a) {
    for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i])) return name;
  }
  return undefined;
}

/** The tensors whose names pass `keep`, in their order. */
export function filterParams(a: Params, keep: (name: string) => boolean): Params {
  return new Map([...a].filter(([name]) => keep(name)));
}

/** The tensors of `a` with the names of `like`. Throws an Error for a name that `a` lacks. */
export function pick(a: Params, like: Params): Params {
  return new Map(
    Array.from(like.keys(), (name) => {
      const tensor = a.get(name);
      if (tensor === undefined) throw new Error(`tensor ${name}: missing`);
      return [name, tensor];
    }),
  );
}

/** The tensors of `a` with the names of `like`, and zeros for those that `a` lacks. */
export function pickOrZeros(a: Params, like: Params): Params {
  return pick(new Map([...zerosLike(like), ...a]), like);
}

/** `a` with the tensors of `b` in the places of those of the same names. Throws an Error for a name that `a` lacks. */
export function withTensors(a: Params, b: Params): Params {
  for (const name of b.keys()) if (!a.has(name)) throw new Error(`tensor ${name}: missing`);
  return new Map(Array.from(a, ([name, tensor]) => [name, b.get(name) ?? tensor]));
}

export function parameterCount(a: Params): number {
  let count = 0;
  for (const { data } of a.values()) count += data.length;
  return count;
}

/** The same values as float64, copied. */
export function toFloat64(a: Params): Params {
  return new Map(Array.from(a, ([name, { shape, data }]) => [name, { shape, data: Float64Array.from(data) }]));
}

/** The same values as float32. Tensors that are float32 already are shared, not copied. */
export function toFloat32(a: Params): Params {
  const result = new Map<string, Tensor>();
  for (const [name, tensor] of a) {
    result.set(
      name,
      tensor.data instanceof Float32Array ? tensor : { shape: tensor.shape, data: Float32Array.from(tensor.data) },
    );
  }
  return result;
}
