import path from "node:path";
import { coordinateExperiment } from "../../experiment/coordinate.ts";
import { prepareExperiment } from "../../experiment/prepare.ts";
import { exchangeIn } from "../../node/exchange-place.ts";
import { nodePlatform } from "../../node/platform.ts";
import { boundSettings, checkRunPlace } from "../../node/check-run-folder.ts";
import { openRunFolder } from "../../node/run-folder.ts";
import { checkTrackers } from "../../node/tracking/registry.ts";
import { keepOrigin } from "../../node/store/stored-experiment.ts";
import { type Command, defineCommand } from "../command.ts";
import { number, text, toggle } from "../flag.ts";
import { jsonView, plainView } from "../views/plain-view.ts";
import { runFacts } from "../views/run-facts.ts";
import { leaveRunReport } from "../work/run-report.ts";
import { defaultRunFolder, readRunConfig, writeSummary } from "../work/training.ts";
import { waitingNotes } from "../work/waiting-notes.ts";
import { withStatus } from "../work/work.ts";
import { exchangeFlag, setFlag, threadsFlag } from "./shared-flags.ts";

export const command: Command = defineCommand({
  description:
    "Coordinates a run whose clients are processes of their own (participate). The coordinator reads no client's records: both sides meet in a shared folder. Over a network, use host. Run the same command again to continue a stopped run.",
  argument: {
    placeholder: "<config>",
    description: "configuration file that lists the clients under data.clients; their files need not exist here",
  },
  flags: {
    set: setFlag,
    out: text("<folder>", "run folder (default: runs/<name of the configuration>)"),
    exchange: exchangeFlag("default: the folder `exchange` in the run folder"),
    deadline: number(
      "<seconds>",
      "longest wait for a round's clients once federation.minClients have answered; default: wait for all",
      { min: 0 },
    ),
    json: toggle("write every event as a line of JSON to stdout, and the summary last"),
    threads: threadsFlag,
  },
  examples: [
    ["npx openfedllm coordinate my.yaml --out runs/joint"],
    ["npx openfedllm coordinate my.yaml --out runs/joint --deadline 600", "close a round without late clients"],
  ],
  async run({ set, out, exchange, deadline: deadlineSeconds, json = false, threads }, context, configFile) {
    const { stdout, stderr } = context;
    const config = readRunConfig(configFile, set, threads);
    checkTrackers(config.output);
    const baseDir = path.dirname(configFile);
    const folder = out ?? defaultRunFolder(configFile);
    checkRunPlace(folder, boundSettings(config), "parties");
    const view = json ? jsonView(stdout, stderr) : plainView(stderr);
    const summary = await withStatus(
      context,
      async ({ status, signal, unlessStopped, reports }) => {
        signal.addEventListener("abort", () => view.note("stopping… (press Ctrl-C again to stop at once)"), {
          once: true,
        });
        const platform = nodePlatform({ baseDir, threads: config.runtime.threads, ...reports });
        const hooks = {
          part: { role: "coordinator" as const },
          onProgress: status.say,
          onCount: status.counting,
          onNote: status.note,
          signal,
        };
        const prepared = await unlessStopped(prepareExperiment(config, platform, hooks));
        const record = path.join(folder, "exchange");
        const place = exchange ?? record;
        const opened = await openRunFolder(folder, status.note);
        try {
          const meeting = await exchangeIn(place, opened.exchange, record);
          const store = { ...opened, exchange: meeting };
          await keepOrigin(store, folder, baseDir);
          view.begin(runFacts(prepared, folder));
          view.note(`participants meet in ${place}`);
          const ended = await coordinateExperiment(prepared, platform, store, {
            emit: (event) => view.event(event),
            onWaiting: waitingNotes(view, { tellsJoins: true }),
            deadlineSeconds,
            signal,
          });
          await meeting.settled();
          return ended;
        } finally {
          await leaveRunReport(folder, (text) => view.note(text));
          opened.close();
        }
      },
      { live: false, long: true, endsItself: true },
    ).finally(() => view.close());
    writeSummary(summary, { config, baseDir, folder, json }, context);
  },
});
