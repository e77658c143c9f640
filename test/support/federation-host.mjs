// Starts the server of a federation and stays until it is killed: node federation-host.mjs FOLDER PORT
import { openFederation } from "../../dist/node/federation/federation-folder.js";
import { startNatsServer } from "../../dist/node/federation/nats-server.js";

const [folder, port] = process.argv.slice(2);
await startNatsServer(await openFederation(folder), { listener: { port: Number(port) } });
process.stdout.write("ready\n");
setInterval(() => {}, 1000);
