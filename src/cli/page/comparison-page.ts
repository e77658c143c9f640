import type { NamedChart } from "../../study/charts.ts";
import type { Table, Tables } from "../tables/tables.ts";
import { chartMarkup, document, type Section, tableMarkup } from "./frame.ts";
import { markup, type Piece } from "./html.ts";

/** The reasons to doubt a run. */
export interface RunDoubts {
  readonly name: string;
  readonly doubts: readonly string[];
}

export interface ComparisonPage {
  readonly tables: Tables;
  readonly charts: readonly NamedChart[];
  readonly warnings: readonly string[];
  readonly doubts: readonly RunDoubts[];
}

/** The page of a comparison, with the tables and charts of its Markdown report. */
export function comparisonPage({ tables: { tables, notes }, charts, warnings, doubts }: ComparisonPage): string {
  const sections: readonly (Section | false)[] = [
    { id: "doubts", title: "What a reader should doubt", body: doubtsBody(warnings, doubts) },
    { id: "tables", title: "Tables", body: [...tables.map(titled), listOf(notes)] },
    charts.length > 0 && { id: "charts", title: "Charts", body: charts.map((chart) => chartMarkup(chart)) },
  ];
  return document({
    title: "Comparison of runs",
    subtitle: doubts.map(({ name }) => name).join(" · "),
    sections: sections.filter((each) => each !== false),
    footer:
      "Made from the figures in the run folders. The tables hold the numbers of the charts; scores.csv has all of them.",
  });
}

function titled(table: Table): Piece {
  return markup`<h3>${table.title[0]!.toUpperCase() + table.title.slice(1)}</h3>
${tableMarkup(table)}`;
}

function listOf(texts: readonly string[]): Piece {
  return texts.length === 0 ? undefined : markup`<ul>${texts.map((text) => markup`<li>${text}</li>`)}</ul>`;
}

/** Sentences that hold for all runs come first; then those of each run. */
function doubtsBody(warnings: readonly string[], doubts: readonly RunDoubts[]): Piece {
  const [first, ...others] = doubts;
  const ofAll = (first?.doubts ?? []).filter((doubt) => others.every((other) => other.doubts.includes(doubt)));
  const rest = doubts
    .map(({ name, doubts: of }) => ({ name, own: of.filter((doubt) => !ofAll.includes(doubt)) }))
    .filter(({ own }) => own.length > 0);
  if (warnings.length + ofAll.length + rest.length === 0) return markup`<p>No rule found a reason.</p>`;
  return [
    markup`<ul class="doubts">${[...warnings, ...ofAll].map((doubt) => markup`<li>${doubt}</li>`)}${rest.map(
      ({ name, own }) => markup`<li>${name}: <ul>${own.map((doubt) => markup`<li>${doubt}</li>`)}</ul></li>`,
    )}</ul>`,
  ];
}
