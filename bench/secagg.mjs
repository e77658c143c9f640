// Secure aggregation: seconds and bytes of one client and of the coordinator, for 10, 100 and 1,000 clients and 1 and 10 million
// numbers, beside the table of costs; then a whole round of 10 clients in one process with it and without it.
//
//   npm run bench:secagg            100 and fewer clients: all are neighbours; 1,000: 46 neighbours
//   npm run bench:secagg -- 10 1    only so many clients and so many million numbers
//   npm run bench:secagg -- round   only the whole round
import path from "node:path";

const dist = path.join(import.meta.dirname, "..", "dist");
const load = (file) => import(path.join(dist, file));
const { dealShares, maskVector, openShares, ownSecrets, publicKeys, roundingNumbers, sealShares } =
  await load("secagg/client.js");
const { publicCoins, roundSalt } = await load("secagg/cohort.js");
const { secureCosts } = await load("secagg/costs.js");
const { circulantGraph, completeGraph, graphSize, holdersOf, shuffle } = await load("secagg/graph.js");
const { gridFor, quantise } = await load("secagg/grid.js");
const { addMask, newWords, pairSeed } = await load("secagg/mask.js");
const { recoverSecrets, unmaskSum } = await load("secagg/unmask.js");
const { toBase64, toHex } = await load("secagg/bytes.js");

const timed = async (action) => {
  const start = performance.now();
  const result = await action();
  return [(performance.now() - start) / 1000, result];
};
const seconds = (value) => (value < 0.1 ? `${(value * 1000).toFixed(1)} ms` : `${value.toFixed(2)} s`);
const bytes = (value) => (value < 1e6 ? `${(value / 1e3).toFixed(1)} kB` : `${(value / 1e6).toFixed(1)} MB`);
const sizeOf = (message) => JSON.stringify(message).length;

async function cohortOf(clients) {
  const names = Array.from({ length: clients }, (_, i) => `client-${String(i).padStart(4, "0")}`);
  const salt = await roundSalt("bench", 1);
  const secrets = new Map();
  const keys = new Map();
  for (const name of names) {
    const master = crypto.getRandomValues(new Uint8Array(32));
    const own = await ownSecrets(master, salt);
    secrets.set(name, { master, own });
    keys.set(name, await publicKeys(own));
  }
  const { neighbours, threshold } = graphSize(clients, { active: false });
  const graph =
    neighbours === clients - 1
      ? completeGraph(names)
      : circulantGraph(await shuffle(names, await publicCoins(salt, keys)), neighbours);
  return { names, secrets, neighbours, cohort: { run: "bench", round: 1, salt, keys, graph, threshold } };
}

async function measure(clients, length) {
  const { names, secrets, neighbours, cohort } = await cohortOf(clients);
  const name = names[0];
  const mine = secrets.get(name);
  const [keySeconds, published] = await timed(async () => publicKeys(await ownSecrets(mine.master, cohort.salt)));
  const [shareSeconds, sealed] = await timed(() => sealShares(cohort, name, mine));
  const numbers = Float32Array.from({ length }, (_, i) => Math.sin(i) / 100);
  const words = newWords(32, length);
  const [roundSeconds] = await timed(async () => {
    const grid = gridFor({ bits: 32, range: 1, clients, weightMax: 1 });
    const uniform = await roundingNumbers(mine.master, cohort.salt, "vector", length);
    quantise(numbers, { weight: 1, grid, uniform }, words);
  });
  const sharers = new Set(names);
  const [maskSeconds] = await timed(() => maskVector(words, cohort, { name, own: mine.own, sharers }));
  const [openSeconds, shares] = await timed(async () => {
    const found = {};
    for (const from of cohort.graph.get(name)) {
      const envelope = (
        await sealShares({ ...cohort, graph: new Map([[from, [name]]]), threshold: 2 }, from, secrets.get(from))
      ).get(name);
      const pair = await openShares(cohort, { from, to: name, own: mine.own, sealed: envelope });
      found[from] = toBase64(pair.self);
    }
    return found;
  });
  const hex = Object.fromEntries(Object.entries(published).map(([key, value]) => [key, toHex(value)]));
  const envelopes = Object.fromEntries([...sealed].map(([to, envelope]) => [to, toBase64(envelope)]));
  const beyond = sizeOf(hex) + sizeOf(envelopes) + sizeOf(shares);

  // The coordinator: Shamir for all, a mask for each survivor, and the pair masks of one lost client.
  const answers = new Map(names.map((holder) => [holder, { self: new Map(), mask: new Map() }]));
  for (const client of names) {
    const dealt = await dealShares(cohort, client, secrets.get(client));
    for (const holder of holdersOf(cohort.graph, client)) answers.get(holder).self.set(client, dealt.get(holder).self);
  }
  const parties = { sharers, survivors: sharers };
  const [recoverSeconds, { opened }] = await timed(() => recoverSecrets(cohort, parties, answers));
  const sum = newWords(32, length);
  const [unmaskSeconds] = await timed(() => unmaskSum(sum, cohort, parties, opened));
  const lost = names[1];
  const few = cohort.graph.get(lost).slice(0, 10);
  const [lostSeconds] = await timed(async () => {
    for (const other of few) {
      const own = { name: lost, secret: secrets.get(lost).own.mask };
      const seed = await pairSeed(cohort.salt, own, { name: other, publicKey: cohort.keys.get(other).mask });
      await addMask(sum, seed, 1);
    }
  });
  const eachLost = (lostSeconds / few.length) * neighbours;
  const costs = secureCosts({ clients, neighbours, length, bits: 32, lost: 0 });
  const withLost = secureCosts({ clients, neighbours, length, bits: 32, lost: Math.floor(clients / 10) });
  console.log(`\n${clients} clients, ${neighbours} neighbours, ${length / 1e6} million numbers`);
  console.log(
    `  client up         ${bytes(words.byteLength)} + ${bytes(beyond)} as sent; table ${bytes(costs.clientUp - costs.clientUpBeyondVector)} + ${bytes(costs.clientUpBeyondVector)}`,
  );
  console.log(
    `  client seconds    keys ${seconds(keySeconds)}, shares ${seconds(shareSeconds)}, rounding ${seconds(roundSeconds)}, masks ${seconds(maskSeconds)} (${bytes(costs.clientMaskBytes)}), opening shares ${seconds(openSeconds)}`,
  );
  console.log(
    `  coordinator       secrets ${seconds(recoverSeconds)}, masks ${seconds(unmaskSeconds)} (${bytes(costs.serverMaskBytes)})`,
  );
  console.log(
    `  10% lost          ${seconds(unmaskSeconds * 0.9 + eachLost * Math.floor(clients / 10))} (${bytes(withLost.serverMaskBytes)}), from ${seconds(eachLost)} for each lost client`,
  );
}

/** A whole round of 10 clients in one process, without training: what secure aggregation adds to it. */
async function wholeRound(length) {
  const { algorithmOf } = await load("algorithms/registry.js");
  const { memoryStore } = await load("store/memory-store.js");
  const { clientMemory } = await load("federation/client-memory.js");
  const { simulate } = await load("federation/simulate.js");
  const adapter = new Map([["lora_A.weight", { shape: [length], data: new Float32Array(length).fill(0.01) }]]);
  const trainer = {
    async train({ adapter: before }) {
      const { data } = before.get("lora_A.weight");
      const after = new Map([["lora_A.weight", { shape: [length], data: data.map((x) => x + 0.001) }]]);
      const figures = { loss: 1, count: 1, metrics: {}, examples: 1, supervisedTokens: 1, seconds: 1 };
      return { before, after, steps: 1, learningRateSum: 1, gradientMean: before, ...figures };
    },
  };
  const rules = { bits: 32, range: 1, minCohort: 10, active: false };
  const once = async (secure) => {
    const [store, own] = [memoryStore(), memoryStore()];
    const rounds = 3;
    const [all] = await timed(() =>
      simulate({
        store,
        algorithm: algorithmOf("fedavg"),
        trainer,
        memory: clientMemory(own, store),
        initialAdapter: adapter,
        identity: "bench",
        seed: 1,
        rounds,
        clients: Array.from({ length: 10 }, (_, i) => ({ name: `client-${i}`, records: 10, heldOut: 0 })),
        clientsPerRound: 10,
        minClients: 1,
        learningRate: () => 1,
        evaluateEvery: 0,
        events: { emit: () => undefined, flush: async () => undefined },
        ...(secure && { secure: rules, masking: { rules, own } }),
      }),
    );
    return all / rounds;
  };
  await once(true);
  const [plain, secure] = [await once(false), await once(true)];
  console.log(
    `\na round of 10 clients with ${length} numbers in one process, nothing trained: ${seconds(plain)} plain, ${seconds(secure)} secure, so ${seconds(secure - plain)} more for all ten and the coordinator together`,
  );
}

/** Numbers of the quickstart's adapter. */
const QUICKSTART = 581_632;

const onlyRound = process.argv[2] === "round";
const [onlyClients, onlyMillions] = onlyRound ? [] : process.argv.slice(2).map(Number);
for (const clients of onlyRound ? [] : onlyClients ? [onlyClients] : [10, 100, 1000]) {
  for (const millions of onlyMillions ? [onlyMillions] : [1, 10]) await measure(clients, millions * 1e6);
}
if (!onlyClients) await wholeRound(QUICKSTART);
