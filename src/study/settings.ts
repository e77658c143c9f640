/** Settings that make no other adapter and no other score: runs that differ in these only are the same to a comparison. */
function isIndifferent(key: string): boolean {
  const [section, name] = key.split(".");
  if (section === "evaluation") return name !== "limit" && name !== "labels";
  return section === "output" || section === "runtime";
}

/** Every setting of a configuration by its dotted key. Lists and mappings without fixed keys are one setting. */
function leavesOf(config: Readonly<Record<string, unknown>>, prefix = ""): Map<string, unknown> {
  const leaves = new Map<string, unknown>();
  for (const [key, value] of Object.entries(config)) {
    const full = `${prefix}${key}`;
    if (typeof value === "object" && value !== null && !Array.isArray(value) && full !== "data.fields") {
      for (const [inner, leaf] of leavesOf(value as Record<string, unknown>, `${full}.`)) leaves.set(inner, leaf);
    } else if (value !== undefined) {
      leaves.set(full, value);
    }
  }
  return leaves;
}

/** The settings that tell runs of a comparison apart, but for the seed. */
export function tellingLeaves(config: Readonly<Record<string, unknown>>): Map<string, unknown> {
  return new Map([...leavesOf(config)].filter(([key]) => key !== "seed" && !isIndifferent(key)));
}

/** Keys whose values are not the same in all, in the order they first occur in. */
export function differingKeys(all: readonly ReadonlyMap<string, unknown>[]): string[] {
  const keys = new Set(all.flatMap((leaves) => [...leaves.keys()]));
  return [...keys].filter((key) => new Set(all.map((leaves) => JSON.stringify(leaves.get(key)))).size > 1);
}

/** A setting's value as a person writes it. */
export function valueText(value: unknown): string {
  if (value === undefined) return "–";
  if (typeof value === "string") return value;
  if (typeof value === "number") return value > 0 && value < 1e-3 ? value.toExponential() : String(value);
  return JSON.stringify(value);
}
