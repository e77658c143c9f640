import { markdownText, tableMarkdown } from "../tables/tables-text.ts";
import { textTable } from "../tables/tables.ts";
import { document, tableMarkup } from "./frame.ts";
import { markup, type Markup } from "./html.ts";
import { assumptions, checks, limits, type SeenFacts } from "./privacy-limits.ts";
import {
  clientAccounts,
  type ClientFacts,
  clientCourse,
  clientSummary,
  clientTerms,
  type PrivacyPart,
  type RecordFacts,
  recordPart,
} from "./privacy-parts.ts";

/** What a run's privacy report is made from. */
export interface PrivacyFacts {
  /** Name of the run, a line about it, and the sha256 of its adapter where it is finished. */
  readonly name: string;
  readonly subtitle: string;
  readonly adapter: string | undefined;
  readonly client: ClientFacts | undefined;
  /** What the clients of this folder have spent on their records; undefined where records are not protected. */
  readonly records: readonly RecordFacts[] | undefined;
  readonly seen: SeenFacts;
}

const FOOTER = "Made from the ledgers in the run folder by openfedllm privacy report.";

/** The report as a page in one file. The same facts give the same page. */
export function privacyPage(facts: PrivacyFacts): string {
  return document({
    title: titleOf(facts),
    subtitle: facts.subtitle,
    sections: partsOf(facts).map((part) => ({ id: part.id, title: part.title, body: partMarkup(part) })),
    footer: FOOTER,
  });
}

/** The report as Markdown. */
export function privacyMarkdown(facts: PrivacyFacts): string {
  const blocks = partsOf(facts).flatMap(({ title, paragraphs, points = [], table }) => [
    `## ${title}`,
    ...paragraphs.map(markdownText),
    ...(points.length === 0 ? [] : [points.map((point) => `- ${markdownText(point)}`).join("\n")]),
    ...(table === undefined ? [] : [tableMarkdown(table)]),
  ]);
  return `${[`# ${markdownText(titleOf(facts))}`, markdownText(facts.subtitle), ...blocks, FOOTER].join("\n\n")}\n`;
}

const titleOf = ({ name }: PrivacyFacts): string => `Privacy of run ${name}`;

function partsOf(facts: PrivacyFacts): readonly PrivacyPart[] {
  const { client, records, seen } = facts;
  return [
    ...(client === undefined ? [] : [clientSummary(client), clientTerms(client), clientAccounts(client)]),
    ...(records === undefined ? [] : [recordPart(records)]),
    assumptions(client, records, seen),
    limits(client, records, seen),
    ...(client === undefined ? [] : [clientCourse(client)]),
    checks(client),
    signatures(facts),
  ];
}

function signatures({ adapter }: PrivacyFacts): PrivacyPart {
  const roles = ["for the coordinator", "data protection officer"];
  const headers = ["role", "name", "date", "signature"];
  return {
    id: "signatures",
    title: "Signatures",
    paragraphs: [
      adapter === undefined
        ? "The run is not over. The figures can still grow, up to the budget."
        : `The result is the adapter with the sha256 ${adapter} of its tensors.`,
    ],
    table: textTable(
      "signatures",
      headers,
      roles.map((role) => [role, "", "", ""]),
      headers.length,
    ),
  };
}

function partMarkup({ paragraphs, points = [], table }: PrivacyPart): Markup {
  return markup`${paragraphs.map((paragraph) => markup`<p>${paragraph}</p>`)}
    ${
      points.length === 0
        ? undefined
        : markup`<ul>
            ${points.map((point) => markup`<li>${point}</li>`)}
          </ul>`
    }
    ${table === undefined ? undefined : tableMarkup(table)}`;
}
