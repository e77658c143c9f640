import type { Params } from "./params.ts";

/**
 * Named groups of named tensors, which an algorithm keeps or sends. The client's adapter travels as `adapter`; further
 * payloads have names of their own (SCAFFOLD's `control`). Group names hold no `/`.
 */
export type Groups = Readonly<Record<string, Params>>;
