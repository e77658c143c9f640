// What the benchmarks with several sides share: each side is a process that answers requests line by line.
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";

/** A worker process that answers one JSON line a request. */
export class Worker {
  constructor(command, args) {
    this.child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }
  async next() {
    const { value, done } = await this.lines.next();
    if (done) throw new Error(`${this.child.spawnfile} ended early`);
    return JSON.parse(value);
  }
  ask(command) {
    this.child.stdin.write(`${command}\n`);
    return this.next();
  }
  close() {
    this.child.stdin.end("quit\n");
  }
}

/** A Python with what the peers need, and the model they take; or the reason why they are left out. */
export function findPython() {
  const assets = process.env.OPENFEDLLM_ASSETS ?? path.join(import.meta.dirname, "../../shared/assets");
  const model = path.join(assets, "minimind2-small");
  if (!existsSync(path.join(model, "model.safetensors")))
    return { reason: "no minimind2-small under OPENFEDLLM_ASSETS" };
  const python = process.env.OPENFEDLLM_PYTHON ?? "python3";
  const probe = spawnSync(python, ["-c", "import torch, transformers, peft"]);
  if (probe.status !== 0) return { reason: `${python} has no torch, transformers and peft (set OPENFEDLLM_PYTHON)` };
  return { python, model };
}

/** Where node-llama-cpp lies, if it is installed: in a folder named by OPENFEDLLM_LLAMA_CPP, or here. */
export function findLlamaCpp() {
  const folder = process.env.OPENFEDLLM_LLAMA_CPP ?? path.join(import.meta.dirname, "..");
  const found = path.join(folder, "node_modules/node-llama-cpp");
  return existsSync(path.join(found, "package.json")) ? found : undefined;
}

export const median = (list) => list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)];
