import { type Estimate, FEWEST_FOR_BOOTSTRAP } from "../../evaluation/metrics/estimate.ts";
import type { CanarySummary } from "../../memorisation/canary-scores.ts";
import type { Memorisation, RecordsSummary } from "../../memorisation/memorisation.ts";
import type { Cell, Table, Tables } from "./tables.ts";
import { counted, formatCount } from "../views/quantities.ts";
import { clip, oneLine } from "../views/text-width.ts";

/** Largest number of clients that a terminal lists. With more it shows only all clients together. */
const MOST_CLIENTS = 8;
const MISSING: Cell = { text: "–" };

/** Tables of the exposure of canaries, of their extraction, and of records. */
export function memorisationTables(
  found: Memorisation,
  { everyClient = false }: { readonly everyClient?: boolean } = {},
): Tables {
  const { canaries, records, options, adapters } = found;
  const clients = new Set(records.map(({ client }) => client));
  const listed = <T extends { readonly client: string | null }>(rows: readonly T[]): readonly T[] =>
    everyClient || clients.size <= MOST_CLIENTS + 1 ? rows : rows.filter(({ client }) => client === null);
  const few =
    clients.size > MOST_CLIENTS + 1 && !everyClient ? ["The numbers of each client are in memorisation.md."] : [];
  return {
    tables: [...canaryTables(listed(canaries), found), recordsTable(listed(records))],
    notes: [
      ...adapters.map(({ name, what }) => `${name}: ${what}.`),
      ...(canaries.length === 0 ? ["No canaries were planted in this run (data.canaries)."] : [exposureNote(found)]),
      `extracted: records whose answer the model continues exactly for ${counted(options.suffixTokens, "token")}, given the question and the first ${counted(options.prefixTokens, "token")} of the answer.`,
      `copied: share of the ${options.ngramTokens}-token sequences in answers to training questions that occur in the client's training answers and, beside it, in held-out answers.`,
      `Ranges of counts are exact 95% intervals (Clopper–Pearson). Other ranges are 95% bootstrap intervals; fewer than ${FEWEST_FOR_BOOTSTRAP} canaries or answers have none, and equal values neither.`,
      ...few,
    ],
  };
}

function exposureNote({ canaryScores }: Memorisation): string {
  const { candidates, secret } = canaryScores[0]!;
  const space = 10 ** secret.length;
  const among =
    candidates === space
      ? `all ${formatCount(space)} secrets`
      : `${formatCount(candidates)} of ${formatCount(space)} secrets`;
  return `exposure: log2(candidates / rank), where the model ranks the secret among ${among}; chance gives 1.4, the first rank ${Math.log2(candidates).toFixed(1)}.`;
}

function canaryTables(canaries: readonly CanarySummary[], { adapters }: Memorisation): Table[] {
  if (canaries.length === 0) return [];
  const rows = new Map<string, CanarySummary[]>();
  for (const each of canaries) {
    const key = JSON.stringify([each.client, each.copies]);
    rows.set(key, [...(rows.get(key) ?? []), each]);
  }
  const columns = [
    { header: "client", right: false },
    { header: "copies", right: true },
    { header: "canaries", right: true },
    ...adapters.map(({ name }) => ({ header: name, right: true })),
  ];
  const table = (title: string, value: (summary: CanarySummary) => Cell): Table => ({
    title,
    columns,
    rows: [...rows.values()].map((group) => [
      clientCell(group[0]!.client),
      { text: formatCount(group[0]!.copies) },
      { text: formatCount(group[0]!.canaries) },
      ...adapters.map(({ name }) => {
        const own = group.find(({ adapter }) => adapter === name);
        return own === undefined ? MISSING : value(own);
      }),
    ]),
  });
  return [
    table("exposure of canaries, bits", ({ bits }) => intervalCell(bits, (value) => value.toFixed(1))),
    table("canaries extracted", ({ extracted }) => countCell(extracted)),
  ];
}

function recordsTable(records: readonly RecordsSummary[]): Table {
  const right = (header: string) => ({ header, right: true });
  return {
    title: "training and held-out records",
    columns: [
      { header: "client", right: false },
      { header: "", right: false },
      right("extracted"),
      right("held out"),
      right("copied"),
      right("held out"),
      right("longest, tokens"),
    ],
    rows: records.map((each) => [
      clientCell(each.client),
      { text: oneLine(each.adapter) },
      countCell(each.trainExtracted),
      countCell(each.heldOutExtracted),
      intervalCell(each.trainOverlap, percent),
      intervalCell(each.heldOutOverlap, percent),
      { text: formatCount(each.longestRun.tokens) },
    ]),
  };
}

function clientCell(client: string | null): Cell {
  return { text: client === null ? "all" : clip(oneLine(client), 24) };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)}%`;
}

/** `3 of 32`: a percentage of so few would look more precise than it is. */
function countCell(share: Estimate | undefined): Cell {
  if (share === undefined) return MISSING;
  const { value, n, low, high } = share;
  const whole = (part: number): string => `${Math.round(100 * part)}`;
  const text = `${Math.round(value * n)} of ${n}`;
  return low === undefined || high === undefined ? { text } : { text, range: `${whole(low)}–${whole(high)}%` };
}

function intervalCell(interval: Estimate | undefined, format: (value: number) => string): Cell {
  if (interval === undefined) return MISSING;
  const { value, low, high } = interval;
  const text = format(value);
  // A bootstrap of equal values has no width, and says nothing.
  return low === undefined || high === undefined || low === high
    ? { text }
    : { text, range: `${format(low)}–${format(high)}` };
}
