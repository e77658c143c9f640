import type { Example } from "../example.ts";
import type { ItemKind } from "./item-kind.ts";
import { pairs, type PairExample } from "./pair.ts";
import { ratedAnswers, type RatedExample } from "./rated.ts";
import { singleAnswers } from "./single.ts";

interface Items {
  readonly example: Example;
  readonly pair: PairExample;
  readonly rated: RatedExample;
}

/** Every kind of training item, by the name that an objective gives for the kind it learns from. */
const ITEM_KINDS: { readonly [K in keyof Items]: ItemKind<Items[K]> } = {
  example: singleAnswers,
  pair: pairs,
  rated: ratedAnswers,
};

export type ItemKindName = keyof Items;

/** One record as it enters a batch. */
export type TrainingItem = Items[ItemKindName];

/** Finds a kind by its name. */
export function itemKind(name: ItemKindName): ItemKind<TrainingItem> {
  return ITEM_KINDS[name];
}

/** Finds the kind of an item. */
export function kindOf(item: TrainingItem): ItemKind<TrainingItem> {
  const name = (Object.keys(ITEM_KINDS) as ItemKindName[]).find((each) => ITEM_KINDS[each].is(item));
  return itemKind(name!);
}

/** Returns an item as one of a kind. `reader` is the name of the caller in the error. @throws Error for another kind. */
export function itemAs<K extends ItemKindName>(kind: K, item: TrainingItem, reader: string): Items[K] {
  const wanted: ItemKind<Items[K]> = ITEM_KINDS[kind];
  if (wanted.is(item)) return item;
  throw new Error(`${reader} learns from ${wanted.many}, but '${item.id}' is ${kindOf(item).one}`);
}
