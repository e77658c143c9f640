import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { algorithmOf } from "../src/algorithms/registry.ts";
import { clientMemory } from "../src/federation/client-memory.ts";
import { coordinate } from "../src/federation/coordinate.ts";
import { Participant } from "../src/federation/participant.ts";
import { participate } from "../src/federation/participate.ts";
import { PROTOCOL, roundOpening } from "../src/federation/protocol/messages.ts";
import { readMessage } from "../src/federation/protocol/cells.ts";
import { keys } from "../src/federation/protocol/keys.ts";
import { gatherRoster } from "../src/federation/roster.ts";
import { readAdapter } from "../src/federation/round.ts";
import { hostStore } from "../src/net/host-store.ts";
import { coordinatorRun, STREAMS, uplinkBlobs, uplinkRun, uplinkStream } from "../src/net/layout.ts";
import { siteStore } from "../src/net/site-store.ts";
import { ensureFederationStreams, ensureUplink } from "../src/net/uplinks.ts";
import { exchangeIn } from "../src/node/exchange-place.ts";
import { directoryStore } from "../src/node/store/directory-store.ts";
import { cachedCells } from "../src/store/cached-cells.ts";
import { memoryStore } from "../src/store/memory-store.ts";
import { mirroredStore } from "../src/store/mirrored-store.ts";
import { keySegment, type MemberStore, type Store } from "../src/store/store.ts";
import { QuadraticTrainer, quiet, rulesOf } from "./support/federation.ts";
import { natsFederation, type TestFederation } from "./support/nats-federation.ts";
import { natsProgram } from "./support/nats-server.ts";

const [FEW, MANY] = [3, 50];
const clients = { ann: 1, bob: -2 };
/** SCAFFOLD has a state that changes, a broadcast each round, and memories of clients. */
const algorithm = algorithmOf("scaffold");

/** Plays a run of both halves over an exchange: the coordinator's view of it, and each client's. */
async function play(rounds: number, exchange: Store, memberStore: (client: string) => Promise<MemberStore>) {
  const parties = Object.entries(clients).map(async ([client, target]) => {
    const store = cachedCells(await memberStore(client));
    const trainer = new QuadraticTrainer({ [client]: target });
    const memory = clientMemory(memoryStore(), store);
    const party = new Participant({ store, client, algorithm, seed: 7, trainer, memory, events: quiet });
    await party.join({ protocol: PROTOCOL, records: 10, heldOut: 1, data: "" });
    return participate(store, [party]);
  });
  const lead = async () => {
    const members = await gatherRoster(exchange, Object.keys(clients));
    return coordinate({ ...rulesOf(algorithm), store: exchange, members, rounds });
  };
  const [{ head }] = await Promise.all([lead(), ...parties]);
  expect(head.round).toBe(rounds);
}

/** The record has the adapter that each round began with. */
async function expectWhole(record: Store, rounds: number): Promise<void> {
  for (let round = 1; round <= rounds; round++) {
    const { adapter } = (await readMessage(record, keys.opening(round), roundOpening))!;
    expect((await readAdapter(record, adapter)).size).toBe(2);
  }
}

interface Left {
  /** Messages or files, and their bytes. */
  readonly blobs: number;
  readonly blobBytes: number;
  readonly cells: number;
}

/** What 50 rounds leave is what 3 do, but for the cells of each round: its opening, its close, and an answer of each client. */
function expectSame(few: Left, many: Left): void {
  expect(few.blobs).toBeGreaterThan(0);
  expect(many.blobs).toBe(few.blobs);
  expect(many.blobBytes).toBeLessThan(few.blobBytes + 1000);
  expect(many.cells - few.cells).toBe((MANY - FEW) * (2 + Object.keys(clients).length));
}

describe("an exchange after 50 rounds is as large as after 3", () => {
  it("in a folder", async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "growth-"));
    const left = async (rounds: number): Promise<Left> => {
      const run = path.join(folder, `run-${rounds}`);
      const [place, recordFolder] = [path.join(run, "shared"), path.join(run, "exchange")];
      const record = memoryStore();
      await play(rounds, await exchangeIn(place, record, recordFolder), async () => directoryStore(place));
      await expectWhole(record, rounds);
      // The folder of the record is the record: it is not its own exchange.
      expect(await exchangeIn(recordFolder, record, recordFolder)).toMatchObject(record);
      const files = (of: string) =>
        readdirSync(path.join(place, of), { recursive: true, encoding: "utf8" })
          .map((name) => statSync(path.join(place, of, name)))
          .filter((file) => file.isFile())
          .map((file) => file.size);
      const blobs = files("blobs");
      const blobBytes = blobs.reduce((sum, size) => sum + size, 0);
      return { blobs: blobs.length, blobBytes, cells: files("cells").length };
    };
    expectSame(await left(FEW), await left(MANY));
    rmSync(folder, { recursive: true });
  }, 240_000);

  describe.runIf(natsProgram !== undefined)("(skipped where there is no nats-server)", () => {
    let federation: TestFederation;
    let connection: NatsConnection;
    let manager: JetStreamManager;
    const accounts = new Map<string, string>();
    const connections = new Map<string, NatsConnection>();

    beforeAll(async () => {
      federation = await natsFederation();
      connection = await federation.coordinator();
      manager = await jetstreamManager(connection);
      await ensureFederationStreams(manager);
      for (const client of Object.keys(clients)) {
        const member = await federation.member(client);
        await ensureUplink(manager, member.account, { maxBytes: 8_000_000 });
        accounts.set(client, member.account);
        connections.set(client, member.connection);
      }
    }, 60_000);
    afterAll(() => federation?.remove());

    it("on a NATS server", async () => {
      const left = async (rounds: number): Promise<Left> => {
        const run = `run-${rounds}`;
        const record = memoryStore();
        const store = await hostStore({ connection, run, members: () => accounts });
        const bytesOf = async (stream: string) => (await manager.streams.info(stream)).state.bytes;
        const blobBytesBefore = await bytesOf(STREAMS.blobs);
        await play(
          rounds,
          mirroredStore(store, record, async () => false),
          (client) =>
            siteStore({
              connection: connections.get(client)!,
              run,
              owns: (key) => key.endsWith(`/${keySegment(client)}`),
            }),
        );
        await expectWhole(record, rounds);
        const places = [coordinatorRun(run), ...[...accounts.values()].map((account) => uplinkRun(account, run))];
        const count = async (kind: "b" | "c"): Promise<number> => {
          const own = [...accounts.values()].map(kind === "b" ? uplinkBlobs : uplinkStream);
          const inOrder = [kind === "b" ? STREAMS.blobs : STREAMS.cells, ...own];
          let sum = 0;
          for (const [i, stream] of inOrder.entries()) {
            const { state } = await manager.streams.info(stream, { subjects_filter: `${places[i]}.${kind}.>` });
            sum += Object.keys(state.subjects ?? {}).length;
          }
          return sum;
        };
        return {
          blobs: await count("b"),
          blobBytes: (await bytesOf(STREAMS.blobs)) - blobBytesBefore,
          cells: await count("c"),
        };
      };
      expectSame(await left(FEW), await left(MANY));
      // Of the head only the last value is there.
      expect((await manager.streams.info(STREAMS.head)).state.messages).toBe(2);
    }, 240_000);
  });
});
