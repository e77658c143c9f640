import type { Params } from "../../tensor/params.ts";

/** The names of a module's LoRA tensors: A [rank, in] and B [out, rank]. */
export interface LoraPair {
  readonly a: string;
  readonly b: string;
}

const ENDS_IN_A = /\.lora_A\.weight$/;

/** Finds the LoRA pairs among tensors, and the names of the tensors that are in none. */
export function loraPairs(like: Params): { readonly pairs: LoraPair[]; readonly others: string[] } {
  const pairs: LoraPair[] = [];
  const paired = new Set<string>();
  for (const [a, { shape }] of like) {
    const b = a.replace(ENDS_IN_A, ".lora_B.weight");
    const other = b === a ? undefined : like.get(b);
    if (other === undefined || shape.length !== 2 || other.shape.length !== 2) continue;
    pairs.push({ a, b });
    paired.add(a).add(b);
  }
  return { pairs, others: [...like.keys()].filter((name) => !paired.has(name)) };
}
