import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import { type SizedAdapter, smallerAdapters } from "../../experiment/plan/smaller-adapters.ts";
import { type PlannedRecords, plannedRecords } from "../../experiment/plan/planned-records.ts";
import { prepareExperiment } from "../../experiment/prepare.ts";
import { nodePlatform } from "../../node/platform.ts";
import { type ClientTerms, planClients, type PlannedMechanism } from "../../privacy/client-plan.ts";
import { noiseFor } from "../../privacy/gaussian.ts";
import type { ClientPrivacySettings } from "../../settings/privacy-schema.ts";
import { honestClients } from "../../settings/secure-aggregation.ts";
import { type Command, DEFAULT_COLUMNS, defineCommand } from "../command.ts";
import { number, toggle, wholeNumber } from "../flag.ts";
import { privacyPlanLines, recordPlanLines } from "../views/privacy-plan-text.ts";
import { wrap } from "../views/text-width.ts";
import { readRunConfig } from "../work/training.ts";
import { withStatus } from "../work/work.ts";
import { setFlag } from "./shared-flags.ts";

const DEFAULT_EPSILON = 8;

const UNSET =
  "note: The configuration sets no privacy, and its runs have none. --set privacy.client.epsilon=8 would give what is planned here.";

export const command: Command = defineCommand({
  description:
    "Shows, before anything runs, what differential privacy costs: ε by round, how long the noise is beside what the clients say, and how many clients or how small an adapter would make it useful. Without a configuration it takes the numbers from flags.",
  argument: { placeholder: "[config]", description: "configuration file" },
  flags: {
    set: setFlag,
    clients: wholeNumber("<n>", "clients of the federation; default: those of the configuration", { min: 1 }),
    perRound: wholeNumber("<n>", "clients that take part in a round; default: all", { min: 1 }),
    rounds: wholeNumber("<n>", "rounds of the run", { min: 1 }),
    epsilon: number("<number>", `budget of each client; default: the configuration's, or ${DEFAULT_EPSILON}`, {
      min: 1e-6,
    }),
    delta: number("<number>", "δ, less than 1/clients; default: 1/(10·clients)", { min: 1e-300, max: 1 }),
    noise: number("<number>", "noise multiplier; default: the smallest with which all rounds fit in ε", { min: 1e-6 }),
    dimension: wholeNumber("<n>", "numbers in an update; default: those of the configuration's adapter", { min: 1 }),
    local: toggle("each client adds its noise before it sends"),
    json: toggle("write the plan as JSON"),
  },
  examples: [
    ["npx openfedllm privacy plan examples/quickstart.yaml"],
    ["npx openfedllm privacy plan --clients 1000 --per-round 100 --rounds 100 --dimension 100000", "without a file"],
    ["npx openfedllm privacy plan my.yaml --epsilon 2 --rounds 10", "ask what would happen"],
  ],
  async run({ set, json, ...flags }, context, configFile) {
    const config = configFile === undefined ? undefined : readRunConfig(configFile, set, undefined);
    const federation = config?.federation;
    const settings = config?.privacy?.client;
    const clients = flags.clients ?? config?.data.clients?.length ?? federation?.clients;
    const { adapters, records } =
      config === undefined || flags.dimension !== undefined
        ? NOTHING
        : await withStatus(context, async ({ status, signal, reports }): Promise<FromConfig> => {
            status.say(`opening ${config.model.base}`);
            const platform = nodePlatform({ baseDir: path.dirname(configFile!), ...reports });
            const { modelConfig } = await platform.openModel(config.model.base);
            const adapters = smallerAdapters(config, modelConfig);
            if (config.privacy?.record === undefined) return { adapters, records: [] };
            const hooks = { onProgress: status.say, onNote: status.note, signal };
            const prepared = await prepareExperiment(config, platform, hooks);
            return { adapters, records: plannedRecords(prepared, adapters[0]!.length) };
          });
    const { stdout } = context;
    const columns = stdout.columns() ?? DEFAULT_COLUMNS;
    if (records.length > 0 && settings === undefined) {
      const text = json === true ? JSON.stringify({ records }) : recordPlanLines(records, columns).join("\n");
      stdout.write(`${text}\n`);
      return;
    }
    const terms = termsOf({
      clients: needed(clients, "--clients"),
      perRound: flags.perRound ?? federation?.clientsPerRound,
      rounds: needed(flags.rounds ?? federation?.rounds, "--rounds"),
      length: needed(flags.dimension ?? adapters[0]?.length, "--dimension"),
      epsilon: flags.epsilon ?? settings?.epsilon ?? DEFAULT_EPSILON,
      delta: flags.delta ?? settings?.delta,
      noise: flags.noise ?? settings?.noiseMultiplier,
      mechanism: flags.local === true ? "local" : plannedAs(settings?.mechanism),
      enough: config?.secureAggregation === undefined ? 1 : honestClients(config.secureAggregation),
    });
    const plan = planClients(terms);
    if (json === true) {
      stdout.write(`${JSON.stringify({ ...terms, ...plan, adapters, records })}\n`);
      return;
    }
    const lines = privacyPlanLines({ terms, plan, adapters }, columns);
    const others = recordPlanLines(records, columns);
    const unset = config !== undefined && settings === undefined && config.privacy?.record === undefined;
    const note = unset ? ["", ...wrap(UNSET, columns)] : [];
    stdout.write(`${[...lines, ...(others.length === 0 ? [] : ["", ...others]), ...note].join("\n")}\n`);
  },
});

interface FromConfig {
  readonly adapters: readonly SizedAdapter[];
  readonly records: readonly PlannedRecords[];
}

const NOTHING: FromConfig = { adapters: [], records: [] };

interface Asked extends Pick<ClientTerms, "clients" | "rounds" | "length" | "epsilon" | "mechanism" | "enough"> {
  readonly perRound: number | undefined;
  readonly delta: number | undefined;
  readonly noise: number | undefined;
}

/** Fills in what follows from the rest. */
function termsOf({ perRound: asked, delta: given, noise, ...rest }: Asked): ClientTerms {
  const { clients, rounds, epsilon } = rest;
  if (asked !== undefined && asked > clients) {
    throw new UserError("config", `A round of ${asked} clients needs as many in all, and there are ${clients}.`, {
      hint: "Lower --per-round or federation.clientsPerRound, or raise --clients.",
    });
  }
  const perRound = asked ?? clients;
  const delta = given ?? 1 / (10 * clients);
  if (delta >= 1 / clients) {
    throw new UserError(
      "config",
      `privacy.client.delta is ${delta}; with ${clients} clients it must be below ${Number((1 / clients).toPrecision(3))}.`,
      {
        hint: "With δ at 1/clients, one client could be published whole. Leave it out: the default is a tenth of that.",
      },
    );
  }
  const participations = Math.ceil((rounds * perRound) / clients);
  return { ...rest, perRound, delta, noiseMultiplier: noise ?? noiseFor(epsilon, delta, participations) };
}

function needed(value: number | undefined, flag: string): number {
  if (value !== undefined) return value;
  throw new UserError("config", `A plan needs ${flag}, and no configuration gives it.`, {
    hint: "Name a configuration file, or give the flag.",
  });
}

/** Noise that is correlated over rounds is planned as that of one round. */
function plannedAs(mechanism: ClientPrivacySettings["mechanism"] = "central"): PlannedMechanism {
  return mechanism === "ftrl" ? "central" : mechanism;
}
