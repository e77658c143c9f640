import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cliIn } from "./support/cli.ts";
import { writeTinyData, writeTinyModel } from "./support/tiny-model.ts";

let folder: string;
let openfedllm: ReturnType<typeof cliIn>;

const CONFIG = {
  model: { base: "model" },
  adapter: { rank: 4, alpha: 8 },
  data: {
    maxLength: 96,
    clients: [
      { name: "apples", train: "apples.jsonl", heldOut: "spare.jsonl" },
      { name: "bolts", train: "bolts.jsonl" },
    ],
  },
  training: { batchSize: 3, localSteps: 2 },
  federation: { rounds: 2 },
  evaluation: { every: 1 },
  runtime: { threads: 1 },
};

function write(name: string, changes: object = {}): string {
  writeFileSync(path.join(folder, name), JSON.stringify({ ...CONFIG, ...changes }));
  return name;
}

const lines = (text: string): Record<string, unknown>[] =>
  text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "openfedllm-plan-"));
  openfedllm = cliIn(folder, { PATH: process.env["PATH"], OPENFEDLLM_CACHE: path.join(folder, "cache") });
  writeTinyModel(path.join(folder, "model"));
  writeTinyData(path.join(folder, "apples.jsonl"), "apples", 9);
  writeTinyData(path.join(folder, "bolts.jsonl"), "bolts", 3);
  writeTinyData(path.join(folder, "spare.jsonl"), "spare", 4);
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("plan", () => {
  it.each(["fedavg", "scaffold", "local"])(
    "states the steps and the bytes that a run of %s then takes",
    (algorithm) => {
      const config = write(`${algorithm}.json`, { federation: { ...CONFIG.federation, algorithm } });
      const planned = openfedllm("plan", config, "--no-measure", "--json");
      expect(planned.stderr).not.toContain("error");
      const [plan] = lines(planned.stdout) as [
        { steps: number; traffic: { up: number; down: number; total: number }; evaluations: number },
      ];
      const events = lines(openfedllm("run", config, "--json").stdout);
      const ends = events.filter(({ type }) => type === "client-update") as { bytesUp: number; bytesDown: number }[];
      expect(ends).toHaveLength(4);
      expect(events.filter(({ type }) => type === "client-step")).toHaveLength(plan.steps);
      const sum = ends.reduce((bytes, { bytesUp, bytesDown }) => bytes + bytesUp + bytesDown, 0);
      // Each message also names its round and client.
      expect(plan.traffic.total).toBeLessThanOrEqual(sum);
      expect(plan.traffic.total).toBeGreaterThanOrEqual(0.98 * sum);
      const evaluated = new Set(events.filter(({ type }) => type === "evaluation-end").map(({ round }) => round));
      expect(plan.evaluations).toBe(evaluated.size);
    },
  );

  it("measures three steps, and says how often each client goes through its records", () => {
    const { stdout, status } = openfedllm("plan", write("measured.json"), "--set", "federation.rounds=9");
    expect(status).toBe(0);
    expect(stdout).toMatch(/^model +model, llama: [\d,]+ parameters, frozen$/m);
    expect(stdout).toMatch(/^time +about .+ on this machine: .+ of steps \(three took/m);
    expect(stdout).toMatch(/^ +measured: .+ at most$/m);
    expect(stdout).toMatch(/^apples +9 +2 +6\.0$/m);
    expect(stdout).toMatch(/^bolts +3 +2 +18\.0$/m);
    expect(stdout).toContain("note: bolts goes 18 times through its 3 records");
  });

  it.each(["dpo", "kto", "orpo"])("plans %s without asking the base for its log-probabilities first", (name) => {
    const pair = (i: number): string => JSON.stringify({ prompt: `question ${i}`, chosen: `yes ${i}`, rejected: "no" });
    writeFileSync(path.join(folder, "pairs.jsonl"), Array.from({ length: 6 }, (_, i) => pair(i)).join("\n"));
    const config = write("pairs.json", {
      data: { ...CONFIG.data, clients: [{ name: "apples", train: "pairs.jsonl" }], heldOutRecords: 2 },
      objective: { name },
    });
    const { stdout, stderr } = openfedllm("plan", config, "--json");
    expect(stderr).not.toContain("error");
    const [{ pace }] = lines(stdout) as [{ pace: { stepSeconds: number[]; scoringSeconds: number } }];
    expect(pace.stepSeconds).toHaveLength(3);
    expect(pace.scoringSeconds).toBeGreaterThan(0);
  });

  it("refuses what a run would refuse", () => {
    const { stderr, status } = openfedllm("plan", write("none.json", { data: {} }));
    expect(stderr).toContain("give either data.clients or data.train");
    expect(status).toBe(2);
  });

  it("and run count the records of which only the last answer is learnt", () => {
    const model = writeTinyModel(path.join(folder, "forgetful"));
    const chatTemplate =
      "{% for m in messages[-2:] %}{{ m.role }}:{{ m.content }}<|im_end|>{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";
    writeFileSync(
      path.join(model, "tokenizer_config.json"),
      JSON.stringify({ eos_token: "<|im_end|>", chat_template: chatTemplate }),
    );
    const turns = ["user", "assistant", "user", "assistant"].map((role, i) => ({ role, content: `${role} ${i}` }));
    const records = [turns, turns.slice(2), turns].map((messages) => JSON.stringify({ messages }));
    writeFileSync(path.join(folder, "turns.jsonl"), records.join("\n"));
    const data = { maxLength: 96, clients: [{ name: "apples", train: "turns.jsonl" }] };
    const note =
      "note: of 2 of 3 training records only the last answer is learnt: the chat template does not show where their earlier answers lie\n";
    const config = write("turns.json", { model: { base: "forgetful" }, data });
    for (const command of [["plan", "--no-measure"], ["run"]]) {
      expect(openfedllm(command[0]!, config, ...command.slice(1)).stderr, command[0]).toContain(note);
    }
    const plain = write("plain.json", { data });
    expect(openfedllm("plan", plain, "--no-measure").stderr).not.toContain("last answer");
  });
});
