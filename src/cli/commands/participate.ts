import path from "node:path";
import { participateInExperiment } from "../../experiment/participate.ts";
import { prepareExperiment } from "../../experiment/prepare.ts";
import { nodePlatform } from "../../node/platform.ts";
import { boundSettings, checkRunPlace } from "../../node/check-run-folder.ts";
import { openRunFolder } from "../../node/run-folder.ts";
import { directoryStore } from "../../node/store/directory-store.ts";
import { keepOrigin } from "../../node/store/stored-experiment.ts";
import { type Command, defineCommand } from "../command.ts";
import { repeated, text } from "../flag.ts";
import { counted } from "../views/quantities.ts";
import { someNames } from "../views/run-facts.ts";
import { readRunConfig } from "../work/training.ts";
import { trainingNotes } from "../work/training-notes.ts";
import { withStatus } from "../work/work.ts";
import { exchangeFlag, setFlag, threadsFlag } from "./shared-flags.ts";

/** Clients that a line names. */
const NAMED = 8;

export const command: Command = defineCommand({
  description:
    "Takes part in a run that another process coordinates (coordinate), with the records of the named clients. Only adapters and numbers go into the exchange. Ends when the run is over; run the same command again to continue after a stop.",
  argument: {
    placeholder: "<config>",
    description: "the coordinator's configuration; only the files of the named clients are read",
  },
  flags: {
    exchange: exchangeFlag("the coordinator's --exchange, or the folder `exchange` of its run folder").required(),
    client: repeated("<name>", "client that this process is; may be given several times").required(),
    out: text("<folder>", "folder for everything that stays here: adapters, events, the clients' memory").required(),
    set: setFlag,
    threads: threadsFlag,
  },
  examples: [["npx openfedllm participate my.yaml --exchange runs/joint/exchange --client clinic --out runs/clinic"]],
  async run({ exchange, client: clients, out, set, threads }, context, configFile) {
    const { stdout } = context;
    const config = readRunConfig(configFile, set, threads);
    const baseDir = path.dirname(configFile);
    checkRunPlace(out, boundSettings(config), "parties");
    const ended = await withStatus(
      context,
      async ({ status, signal, unlessStopped, reports }) => {
        const platform = nodePlatform({ baseDir, threads: config.runtime.threads, ...reports });
        const hooks = {
          part: { role: "participant" as const, clients },
          onProgress: status.say,
          onCount: status.counting,
          onNote: status.note,
          signal,
        };
        const prepared = await unlessStopped(prepareExperiment(config, platform, hooks));
        const names = someNames(clients, NAMED);
        status.note(`${names}: waiting for a coordinator in ${exchange}`);
        const store = await openRunFolder(out);
        try {
          await keepOrigin(store, out, baseDir);
          return await participateInExperiment(prepared, platform, store, directoryStore(exchange), {
            emit: trainingNotes(status, config.data.maxLength),
            onJoined: () => status.note(`${names}: joined the run`),
            onCount: status.counting,
            signal,
          });
        } finally {
          store.close();
        }
      },
      { endsItself: true },
    );
    const saved = ended.adapters.map((folder) => path.join(out, folder)).join(", ");
    stdout.write(`The run is over after ${counted(ended.rounds, "round")}; saved ${saved}\n`);
  },
});
