import { formatCount } from "../views/quantities.ts";
import type { ClientFacts, PrivacyPart, RecordFacts } from "./privacy-parts.ts";

/** What a run shows besides its adapters. */
export interface SeenFacts {
  /** Held-out sets of single clients that were scored. */
  readonly ownSets: readonly string[];
  /** True where clients sent how many records they have. */
  readonly countsSent: boolean;
  /** Numbers in an update, where an adapter of the run is there to count. */
  readonly length: number | undefined;
}

/** Says what the guarantee rests on. Where a point is false, the figures mean nothing. */
export function assumptions(
  client: ClientFacts | undefined,
  records: readonly RecordFacts[] | undefined,
  seen: SeenFacts,
): PrivacyPart {
  return {
    id: "assumptions",
    title: "What it rests on",
    paragraphs: [
      "Whoever signs should be able to say yes to each point. Where one is false, the figures above mean nothing.",
    ],
    points: [
      ...(client === undefined ? [] : clientAssumptions(client, seen)),
      ...(records === undefined
        ? []
        : [
            "Each client's own folder is its own: the key of its coins and noise lies there, was made before it was used, and nobody else reads it.",
            "The gradient of a record does not depend on the other records of its step. It does, in the seventh digit, by the rounding of floating point, unless training.microBatchTokens is 1.",
            "No record is in the files of a client twice. A copy counts as a record of its own, and the ε of what both say adds up.",
          ]),
      "The program is the published one, on machines that nobody else controls. Its random bits are those of the operating system.",
    ],
  };
}

const COORDINATED: ReadonlySet<string> = new Set(["central", "ftrl"]);

function clientAssumptions({ mechanism, charges }: ClientFacts, { length }: SeenFacts): string[] {
  const rounds = new Set(charges.map(({ round }) => round)).size;
  const draws = length === undefined ? undefined : rounds * length;
  return [
    ...(COORDINATED.has(mechanism)
      ? [
          "The coordinator sees each update, clips it, adds the noise and keeps no update. It shows nobody an update or a sum without noise.",
          "Its folder private/ is its own. The key of the noise lies there, was made before it was used, and nobody else reads it: with the key, the noise can be taken away.",
          "Updates in the exchange are sealed for the coordinator. Whoever reads the exchange sees sizes, and no update.",
        ]
      : [
          "Each client's own folder is its own: the key of its noise lies there, was made before it was used, and nobody else reads it.",
        ]),
    ...(mechanism === "distributed"
      ? [
          "The clients add the noise, and the coordinator sees their sum only (secure aggregation). The noise of secureAggregation.minCohort clients is enough, two thirds of them with active: as many honest ones have to be in each sum. A client that works with the coordinator takes its share of the noise away.",
          "The coordinator invents no members. Without secureAggregation.active it also follows the protocol: with it, one that does not is found out.",
          "Each client cuts its own update. A client that does not is protected less; the others are protected as before.",
        ]
      : []),
    "One client is one organisation, and no person's records are with several. Where k clients hold the same records, μ² of those records is up to k² times as large.",
    `The noise is a discrete Gaussian on a grid with at least 2,048 steps in a standard deviation. ε is that of the continuous one, which at this grid is the same to six digits. Rounding of its table adds less than ${draws === undefined ? "10⁻²⁰" : `${formatCount(draws)} · 2⁻¹¹²`} to δ.`,
    "The divisor, the clip and the noise were fixed before a round, whoever came.",
  ];
}

/** Says what the guarantee does not cover. */
export function limits(
  client: ClientFacts | undefined,
  records: readonly RecordFacts[] | undefined,
  seen: SeenFacts,
): PrivacyPart {
  const { ownSets, countsSent } = seen;
  return {
    id: "limits",
    title: "What is not covered",
    paragraphs: [],
    points: [
      ...(client !== undefined && COORDINATED.has(client.mechanism)
        ? [
            "The coordinator itself: it sees each client's update. Only secure aggregation or noise by the clients would change that.",
          ]
        : []),
      ...(client === undefined
        ? [
            "A client as a whole. The figures protect single records; what all records of a client have in common can be learned.",
          ]
        : []),
      "What the clients have in common. That is what the run is for: it is learned, also about those who took no part.",
      "Who took part in which round, when, and how many bytes were sent. All of it is public in the exchange.",
      ...(ownSets.length === 0
        ? []
        : [
            `Scores on held-out records of single clients (${shortList(ownSets)}). They were measured and sent without noise. The records of those sets are not trained on, but the scores tell of them.`,
          ]),
      ...(records === undefined
        ? []
        : [
            "How many records a client has. The number of its steps, and so the time that it takes, may follow from it.",
          ]),
      ...(countsSent ? ["How many training records each client has. The clients sent it."] : []),
      "Other runs on the same records. What they spend adds to this run's, and so does what runs spend that were stopped or thrown away. Choosing settings by looking at such runs is a use of the records too.",
      "What the base model learned before, and what a member publishes about itself.",
      "Poisoned updates. Noise and clip bound what one client can do to a round; they do not find it.",
    ],
  };
}

function shortList(names: readonly string[]): string {
  const SHOWN = 3;
  const rest = names.length - SHOWN;
  return names.slice(0, SHOWN).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}

/** Says how somebody else gets the same figures. */
export function checks(client: ClientFacts | undefined): PrivacyPart {
  return {
    id: "checks",
    title: "How to check it",
    paragraphs: [],
    points: [
      "openfedllm privacy report makes this page anew from the ledgers in the run folder. The same folder gives the same page.",
      ...(client === undefined
        ? []
        : [
            "Each charge is a file of its own under private/cells/ledger/, written once, before its round opened. The course of the run (events.jsonl) names the clients of each round: each has its charge.",
            "μ² of a client is the sum of (weight · clip / standard deviation of the noise)² over its charges. ε at δ solves Φ(μ/2 − ε/μ) − e^ε Φ(−μ/2 − ε/μ) = δ (Balle and Wang 2018). No amplification by sampling is claimed.",
            ...(client.mechanism === "central"
              ? [
                  "An auditor who is allowed to see the sums can be shown that a noise was the one of the key with the sha256 above.",
                ]
              : []),
          ]),
      "docs/privacy.md has the formulas, and names the tests that hold them to golden numbers of other programs.",
    ],
  };
}
