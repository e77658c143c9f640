import type { ConfigFields } from "./config-fields.ts";

/** No window: all layers attend to every earlier position. */
export const noWindows = (layers: number): undefined[] => Array<undefined>(layers).fill(undefined);

/**
 * Reads the length of the sliding window of each layer, as Qwen's families state it: `use_sliding_window` switches it on;
 * `layer_types`, or else `max_window_layers`, names the layers.
 */
export function switchedWindows(fields: ConfigFields, layers: number): (number | undefined)[] {
  const { json } = fields;
  const none = noWindows(layers);
  const types = json["layer_types"];
  if (!fields.flag("use_sliding_window")) {
    if (Array.isArray(types) && types.includes("sliding_attention")) {
      throw fields.fail("layer_types", "full_attention everywhere, because use_sliding_window is false");
    }
    return none;
  }
  // null switches the window off; an absent key does not.
  if (json["sliding_window"] === null) return none;
  const window = fields.count("sliding_window", 4096);
  if (types === undefined || types === null) {
    const first = json["max_window_layers"] === 0 ? 0 : fields.count("max_window_layers", 28);
    return none.map((_, layer) => (layer >= first ? window : undefined));
  }
  return windowsByType(fields, layers, window, () => false);
}

/** Reads the window of each layer by `layer_types`; where that is absent, of the layers that `slides` names. */
export function windowsByType(
  fields: ConfigFields,
  layers: number,
  window: number,
  slides: (layer: number) => boolean,
): (number | undefined)[] {
  const types = fields.json["layer_types"];
  if (types === undefined || types === null) {
    return noWindows(layers).map((_, layer) => (slides(layer) ? window : undefined));
  }
  if (!Array.isArray(types) || types.length !== layers) throw fields.fail("layer_types", `a list of ${layers}`);
  return types.map((type) => {
    if (type === "sliding_attention") return window;
    if (type === "full_attention") return undefined;
    throw fields.fail("layer_types", "full_attention or sliding_attention for each layer");
  });
}
