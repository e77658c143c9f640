import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { spawn, type ChildProcess } from "node:child_process";
import { tmpdir } from "node:os";
import path from "node:path";
import { fmtCreds } from "@nats-io/jwt";
import { createAccount, createOperator, fromSeed } from "@nats-io/nkeys";
import { connect, credsAuthenticator, type NatsConnection } from "@nats-io/transport-node";
import {
  coordinatorAccountJwt,
  memberAccountJwt,
  memberUserJwt,
  operatorJwt,
  processCredentials,
  systemAccountJwt,
} from "../../src/identity/claims.ts";
import { type Identity, newIdentity } from "../../src/identity/keys.ts";
import { natsProgram } from "./nats-server.ts";
import { freePort } from "../../src/node/free-port.ts";

function identity(pair: ReturnType<typeof createAccount>): Identity {
  return {
    publicKey: pair.getPublicKey(),
    seed: new TextDecoder().decode(pair.getSeed()),
    sign: (bytes) => pair.sign(bytes),
  };
}

export interface TestMember {
  readonly account: string;
  readonly connection: NatsConnection;
  readonly again: () => Promise<NatsConnection>;
}

export interface TestFederation {
  /** A new connection of the coordinator. */
  coordinator(): Promise<NatsConnection>;
  /** A new member's account and connection. `again` makes further ones. */
  member(name: string): Promise<TestMember>;
  /** What the server wrote to its log. */
  log(): string;
  start(): Promise<void>;
  kill(): Promise<void>;
  remove(): Promise<void>;
}

/** A server in operator mode with a full resolver and the product's own tokens. */
export async function natsFederation(): Promise<TestFederation> {
  const folder = mkdtempSync(path.join(tmpdir(), "openfedllm-net-"));
  const port = await freePort();
  const [root, signing] = [identity(createOperator()), identity(createOperator())];
  const [system, fl] = [identity(createAccount()), identity(createAccount())];
  const operator = await operatorJwt({ name: "OP", root, signingKey: signing.publicKey, system: system.publicKey });
  const tokens = {
    [system.publicKey]: await systemAccountJwt(system.publicKey, signing),
    [fl.publicKey]: await coordinatorAccountJwt(fl.publicKey, signing),
  };
  const preload = Object.entries(tokens)
    .map(([key, jwt]) => `${key}: ${jwt}`)
    .join("\n");
  const config = path.join(folder, "server.conf");
  writeFileSync(
    config,
    `host: 127.0.0.1\nport: ${port}\nmax_payload: 4MB\njetstream { store_dir: "${folder}/js", max_file_store: 4G }\n` +
      `operator: ${operator}\nsystem_account: ${system.publicKey}\n` +
      `resolver { type: full, dir: "${folder}/jwt", allow_delete: true, interval: "2m" }\nresolver_preload {\n${preload}\n}\n`,
  );
  let child: ChildProcess | undefined;
  let log = "";
  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child!.on("close", resolve));
    child.kill("SIGKILL");
    await ended;
  };
  const start = (): Promise<void> =>
    new Promise<void>((resolve, reject) => {
      child = spawn(natsProgram!, ["-c", config], { stdio: ["ignore", "ignore", "pipe"] });
      child.stderr!.on("data", (chunk) => {
        log += String(chunk);
        if (String(chunk).includes("Server is ready")) resolve();
      });
      child.on("close", () => reject(new Error(log)));
    });
  await start();
  const connections: NatsConnection[] = [];
  const login = async ({ jwt, seed }: { jwt: string; seed: string }): Promise<NatsConnection> => {
    const creds = fmtCreds(jwt, fromSeed(new TextEncoder().encode(seed)));
    const connection = await connect({
      servers: `127.0.0.1:${port}`,
      authenticator: credsAuthenticator(creds),
      timeout: 5000,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 50,
    });
    connections.push(connection);
    return connection;
  };
  return {
    coordinator: async () => login(await processCredentials("coordinator", fl)),
    async member(name) {
      const [account, user] = [identity(createAccount()), newIdentity()];
      const options = { name, account: account.publicKey, coordinator: fl.publicKey, signer: signing, revocations: {} };
      const token = await memberAccountJwt(options);
      const admin = await login(await processCredentials("system", system));
      await admin.request("$SYS.REQ.CLAIMS.UPDATE", token, { timeout: 5000 });
      await admin.close();
      const expires = new Date(Date.now() + 3_600_000);
      const jwt = await memberUserJwt({ name, user: user.publicKey, account, expires });
      const again = (): Promise<NatsConnection> => login({ jwt, seed: user.seed });
      return { account: account.publicKey, connection: await again(), again };
    },
    log: () => log,
    start,
    kill,
    async remove() {
      for (const connection of connections) await connection.close();
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
