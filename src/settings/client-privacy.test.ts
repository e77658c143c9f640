import { describe, expect, it } from "vitest";
import { gaussianEpsilon } from "../privacy/gaussian.ts";
import { clientPrivacyOf, notedClientPrivacy } from "./client-privacy.ts";
import { parseExperiment } from "./parse.ts";

const parsed = (client: object, federation: object = {}) =>
  parseExperiment(
    {
      model: { base: "m" },
      data: { train: "f" },
      federation: { clients: 20, ...federation },
      privacy: { client },
    },
    "x.yaml",
  );

describe("privacy.client", () => {
  it("works out δ, and the noise with which all rounds fit", () => {
    const { delta, noiseMultiplier, expectedClients, participations } = clientPrivacyOf(
      parsed({}, { rounds: 30, clientsPerRound: 5 }),
      20,
    )!;
    expect({ delta, expectedClients, participations }).toEqual({
      delta: 1 / 200,
      expectedClients: 5,
      participations: 8,
    });
    expect(gaussianEpsilon(Math.sqrt(8) / noiseMultiplier, delta)).toBeCloseTo(8, 6);
    expect(
      clientPrivacyOf(
        parseExperiment({ model: { base: "m" }, data: { train: "f" }, federation: { clients: 2 } }, ""),
        2,
      ),
    ).toBeUndefined();
  });

  it.each([
    [{ client: {} }, { heldOut: "h" }, { metric: "loss" }, "fedsa", /nobody scores the adapters/],
    [{ record: {} }, { heldOut: "h" }, { metric: "loss" }, "fedsa", /with privacy\.record nobody scores/],
    [{ client: {} }, { heldOut: "h" }, { metric: "loss", over: "clients" }, undefined, /clients give none/],
    [{ client: {} }, {}, { metric: "loss" }, undefined, /clients give none/],
    [{ client: {} }, { heldOut: "h" }, { metric: "loss" }, undefined, undefined],
    [undefined, {}, { metric: "loss" }, "fedsa", undefined],
  ] as const)(
    "has no best round by scores that nobody gives: %j, %j, %j, %s",
    (privacy, data, best, factors, message) => {
      const parse = () =>
        parseExperiment(
          {
            model: { base: "m" },
            data: { train: "f", heldOutRecords: 30, ...data },
            federation: { clients: 20, ...(factors && { factors }) },
            evaluation: { every: 1, best },
            ...(privacy && { privacy }),
          },
          "x.yaml",
        );
      if (message === undefined) expect(parse).not.toThrow();
      else expect(parse).toThrow(message);
    },
  );

  it.each([
    [{ delta: 0.05 }, {}, "privacy.client.delta is 0.05; with 20 clients it must be below 0.05"],
    [
      {},
      { weighting: "records" },
      "privacy.client.mechanism central needs federation.weighting uniform, got records: by records, how much one client counts depends on the others",
    ],
    [
      { sampling: "secret" },
      {},
      "privacy.client.sampling is secret, and this version has public: the exchange publishes who is drawn",
    ],
    [
      { mechanism: "ftrl" },
      {},
      "privacy.client.mechanism is ftrl, and this version has central, distributed and local",
    ],
    [{ mechanism: "distributed" }, {}, "needs secureAggregation"],
    [
      { noiseMultiplier: 0.3 },
      {},
      "privacy.client.noiseMultiplier is 0.3: one round costs ε 13.41 at δ 0.005, more than privacy.client.epsilon 8",
    ],
    [{ clip: { start: 0.2 } }, { rounds: 30 }, "privacy.client.clip follows the norms of 20 clients a round"],
    [{ clip: { start: 0.2 }, mechanism: "local" }, {}, "tells nobody any norm"],
    [{}, { algorithm: "fedadam" }, "unset, they would follow the noise"],
    [{}, { algorithm: "local" }, "its clients send no updates"],
    [{}, { aggregator: "median" }, "one client can move it further than its clipped share of a mean"],
    [{}, { mode: "async", bufferSize: 2 }, "a client pays for a round before it opens"],
    [{}, { lateUpdates: "next" }, "an update counts in the round that its client has paid for"],
    [{ epsilon: 0 }, {}, "privacy.client.epsilon"],
    [{ weightCap: 0 }, {}, "privacy.client.weightCap"],
  ])("refuses %j with %j", (client, federation, message) => {
    expect(() => parsed(client, federation)).toThrow(message);
  });

  it("allows weights by records where the client applies them, and noise of the clients' own with the mean of any rule", () => {
    expect(parsed({ weightCap: 100 }, { weighting: "records" }).privacy?.client?.weightCap).toBe(100);
    expect(parsed({ mechanism: "local" }, { aggregator: "median" }).privacy?.client?.mechanism).toBe("local");
  });

  it("notes a budget that ends before the rounds do", () => {
    expect(notedClientPrivacy(parsed({}))).toEqual([]);
    expect(notedClientPrivacy(parsed({ noiseMultiplier: 0.6 }, { rounds: 4 }))).toEqual([
      expect.stringMatching(
        /^privacy\.client\.noiseMultiplier 0\.6 costs ε \d+\.\d\d in 4 rounds, more than privacy\.client\.epsilon 8: the run will stop before$/,
      ),
    ]);
  });
});
