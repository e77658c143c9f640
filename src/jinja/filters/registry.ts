import type { Filter } from "./filter.ts";
import { NUMBER_FILTERS } from "./number-filters.ts";
import { SEQUENCE_FILTERS } from "./sequence-filters.ts";
import { TEXT_FILTERS } from "./text-filters.ts";

/** Jinja's filters by name, with transformers' `tojson`. */
export const FILTERS: ReadonlyMap<string, Filter> = new Map([...TEXT_FILTERS, ...SEQUENCE_FILTERS, ...NUMBER_FILTERS]);
