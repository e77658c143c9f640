import type { ClientDescription } from "../../experiment/records/describe-data.ts";
import { blockBar, divideColumns } from "./bar.ts";
import { plainStyle, type Style } from "../output.ts";
import { counted, formatCount } from "./quantities.ts";
import { tableLines, type Column } from "../tables/table.ts";
import { clip, oneLine, padEnd, textWidth } from "./text-width.ts";

const HUES = ["cyan", "magenta", "yellow", "blue", "green", "red", "white"] as const;
const SHADES = ["█", "▓", "▒"] as const;
const LETTERS = "abcdefghijklmnopqrstu";
const OTHERS = "·";
/** Largest number of labels with their own mark; the others share one. */
const MOST_LABELS = LETTERS.length;
const LEGEND_GAP = 3;
const BAR = { least: 10, most: 50 } as const;

export interface PartitionPicture {
  readonly clients: readonly ClientDescription[];
  readonly field: string | undefined;
}

interface PictureOptions {
  readonly columns: number;
  readonly style: Style;
}

/** A line for each client. The length of its bar is its number of records, the parts are its labels. Without colours a label is a letter. */
export function partitionLines({ clients, field }: PartitionPicture, { columns, style }: PictureOptions): string[] {
  const total = clients.reduce((sum, { records }) => sum + records, 0);
  const heldOut = clients.reduce((sum, client) => sum + client.heldOut, 0);
  const kept = heldOut === 0 ? "" : `, ${formatCount(heldOut)} held out`;
  const title = `${counted(clients.length, "client")}, ${counted(total, "training record")}${kept}`;
  const groups = field === undefined ? [] : labelGroups(clients);

  const right = { align: "right" } as const;
  const sizes: Column[] = [
    { header: "client" },
    { header: "records", ...right },
    ...(heldOut === 0 ? [] : [{ header: "held out", ...right }]),
  ];
  const cells = clients.map((client) => [
    clip(oneLine(client.name), 24),
    formatCount(client.records),
    ...(heldOut === 0 ? [] : [formatCount(client.heldOut)]),
  ]);
  const table = tableLines(sizes, cells);
  const indent = table.reduce((width, line) => Math.max(width, textWidth(line)), 0) + 2;
  const barWidth = Math.max(BAR.least, Math.min(BAR.most, columns - 1 - indent));
  const largest = clients.reduce((most, { records }) => Math.max(most, records), 0);
  const lines = clients.map(
    (client, i) => padEnd(table[i + 1]!, indent) + mixBar(client, groups, { largest, barWidth, style }),
  );
  return [
    title,
    "",
    style("bold", table[0]!),
    ...lines,
    ...(field === undefined ? [] : ["", ...legend(field, groups, clients, { columns, style })]),
  ];
}

interface LabelGroup {
  readonly name: string;
  readonly labels: readonly string[];
}

/** Counts the most frequent labels one by one, and all others together. */
function labelGroups(clients: readonly ClientDescription[]): LabelGroup[] {
  const totals = new Map<string, number>();
  for (const { labels } of clients) {
    for (const [label, count] of Object.entries(labels)) totals.set(label, (totals.get(label) ?? 0) + count);
  }
  const byCount = [...totals.keys()].sort((a, b) => totals.get(b)! - totals.get(a)! || (a < b ? -1 : 1));
  const alone = byCount.slice(0, MOST_LABELS);
  const rest = byCount.slice(alone.length);
  const groups = alone.map((label) => ({ name: clip(oneLine(label), 24), labels: [label] }));
  return rest.length === 0 ? groups : [...groups, { name: `${rest.length} others`, labels: rest }];
}

function countOf({ labels }: ClientDescription, group: LabelGroup): number {
  return group.labels.reduce((sum, label) => sum + (labels[label] ?? 0), 0);
}

function mixBar(
  client: ClientDescription,
  groups: readonly LabelGroup[],
  { largest, barWidth, style }: { largest: number; barWidth: number; style: Style },
): string {
  const fraction = largest === 0 ? 0 : client.records / largest;
  if (groups.length === 0) return style("cyan", blockBar(fraction, barWidth));
  const length = client.records === 0 ? 0 : Math.max(1, Math.round(fraction * barWidth));
  const parts = divideColumns(
    groups.map((group) => countOf(client, group)),
    length,
  );
  return parts.map((columns, i) => (columns === 0 ? "" : segment(i, columns, style))).join("");
}

function segment(group: number, columns: number, style: Style): string {
  const letter = LETTERS[group] ?? OTHERS;
  if (style === plainStyle || letter === OTHERS) return style("dim", letter.repeat(columns));
  return style(HUES[group % HUES.length]!, SHADES[Math.floor(group / HUES.length)]!.repeat(columns));
}

/** The legend of the bars, in as many columns as fit. */
function legend(
  field: string,
  groups: readonly LabelGroup[],
  clients: readonly ClientDescription[],
  { columns, style }: PictureOptions,
): string[] {
  const rows = groups.map((group, i) => [
    segment(i, 1, style),
    group.name,
    formatCount(clients.reduce((sum, client) => sum + countOf(client, group), 0)),
  ]);
  const entries = tableLines([{}, {}, { align: "right" }], rows);
  const width = entries.reduce((most, entry) => Math.max(most, textWidth(entry)), 0) + LEGEND_GAP;
  const across = Math.max(1, Math.floor((columns - 1 + LEGEND_GAP) / width));
  const down = Math.ceil(entries.length / across);
  const lines = Array.from({ length: down }, (_, line) => {
    const inLine = entries.filter((_, i) => i % down === line);
    return inLine
      .map((entry) => padEnd(entry, width))
      .join("")
      .trimEnd();
  });
  return [style("bold", `records by ${oneLine(field)}`), ...lines];
}
