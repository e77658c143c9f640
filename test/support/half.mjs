// One half of a run as a process of its own, for tests.
//
//   node half.mjs coordinator|participant CONFIG EXCHANGE OUT [KILL_AT] [before|after] [CLIENT …]
//
// KILL_AT: SIGKILL before or after that operation on a store; 0: never. Prints the number of operations at the end.
import path from "node:path";
import { coordinateExperiment } from "../../dist/experiment/coordinate.js";
import { participateInExperiment } from "../../dist/experiment/participate.js";
import { prepareExperiment } from "../../dist/experiment/prepare.js";
import { readConfigFile } from "../../dist/node/config-file.js";
import { nodePlatform } from "../../dist/node/platform.js";
import { openRunFolder } from "../../dist/node/run-folder.js";
import { directoryStore } from "../../dist/node/store/directory-store.js";

// Halves of two users share the exchange through their group.
process.umask(0o002);

const [role, file, exchange, out, killAt = "0", when = "before", ...clients] = process.argv.slice(2);
let operations = 0;
const die = () => process.kill(process.pid, "SIGKILL");

/** A store whose process dies at an operation. To watch is no operation. */
function mortal(store) {
  return new Proxy(store, {
    get:
      (inner, name) =>
      async (...args) => {
        operations++;
        if (operations === Number(killAt) && when === "before") die();
        const result = await inner[name](...args);
        if (operations === Number(killAt) && when === "after") die();
        return result;
      },
    has: (inner, name) => name in inner,
  });
}

const watching = (store) => {
  const wrapped = mortal(store);
  return new Proxy(store, { get: (inner, name) => (name === "changes" ? inner.changes.bind(inner) : wrapped[name]) });
};

const config = readConfigFile(file);
const platform = nodePlatform({ baseDir: path.dirname(file), threads: config.runtime.threads ?? 1 });
const folder = await openRunFolder(out);
const meeting = watching(directoryStore(exchange));
try {
  if (role === "coordinator") {
    const prepared = await prepareExperiment(config, platform, { part: { role } });
    const summary = await coordinateExperiment(prepared, platform, { ...folder, exchange: meeting });
    console.log(JSON.stringify({ operations, adapter: summary.adapter, heldOut: summary.heldOut }));
  } else {
    const prepared = await prepareExperiment(config, platform, { part: { role, clients } });
    const own = { ...folder, clientStore: watching(folder.clientStore) };
    await participateInExperiment(prepared, platform, own, meeting);
    console.log(JSON.stringify({ operations }));
  }
} catch (error) {
  console.error(error);
  process.exitCode = 1;
} finally {
  folder.close();
}
