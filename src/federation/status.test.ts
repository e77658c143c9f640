import { expect, it } from "vitest";
import type { RunEvent } from "./events.ts";
import { FederationMonitor, SILENT_AFTER_MS } from "./status.ts";

it("tells who is connected, what is awaited, and what travelled", () => {
  let now = Date.parse("2026-11-29T08:00:00Z");
  const monitor = new FederationMonitor({ federation: "joint", run: "r" }, () => now);
  monitor.expect(["clinic", "bank"]);
  expect(monitor.snapshot()).toMatchObject({ state: "gathering members", round: 0, awaited: [] });
  monitor.hear("bank", { state: "waiting" });
  monitor.event({ type: "run-start", algorithm: "fedavg", rounds: 4, adapterParameters: 1, clients: [] });
  monitor.event({ type: "round-start", round: 1, clients: ["bank"], learningRate: 1, adapter: "" });
  monitor.await(["bank", "clinic"], 60_000);
  monitor.hear("bank", { state: "training", round: 1, step: 2, steps: 6 });
  const sent = { bytesUp: 10, bytesDown: 7 } as Partial<RunEvent>;
  monitor.event({ type: "client-update", round: 1, client: "bank", ...sent } as RunEvent);
  expect(monitor.snapshot()).toEqual({
    federation: "joint",
    run: "r",
    state: "training",
    round: 1,
    rounds: 4,
    awaited: ["bank", "clinic"],
    closesAt: "2026-11-29T08:01:00.000Z",
    members: [
      { client: "clinic", connected: false, lastSeen: undefined, declined: undefined, heartbeat: undefined },
      {
        client: "bank",
        connected: true,
        lastSeen: "2026-11-29T08:00:00.000Z",
        declined: undefined,
        heartbeat: { state: "training", round: 1, step: 2, steps: 6 },
      },
    ],
    bytesUp: 10,
    bytesDown: 7,
    refused: 0,
    updatedAt: "2026-11-29T08:00:00.000Z",
  });
  monitor.event({ type: "client-declined", client: "shop", reason: "no GPU" });
  monitor.expect(["shop"]);
  expect(monitor.snapshot().members.map(({ client, declined }) => [client, declined])).toEqual([
    ["clinic", undefined],
    ["bank", undefined],
    ["shop", "no GPU"],
  ]);
  monitor.event({ type: "client-joined", round: 2, client: "shop", records: 1, heldOut: 0 });
  monitor.event({ type: "client-left", round: 2, client: "clinic" });
  expect(monitor.snapshot().members.map(({ client, declined }) => [client, declined])).toEqual([
    ["bank", undefined],
    ["shop", undefined],
  ]);
  now += SILENT_AFTER_MS;
  expect(monitor.connected()).toEqual(new Set());
  monitor.event({ type: "run-end", rounds: 4, adapter: "", seconds: 1 });
  expect(monitor.snapshot()).toMatchObject({ state: "over", awaited: [] });
});
