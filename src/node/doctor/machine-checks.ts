import { access, constants, statfs } from "node:fs/promises";
import os from "node:os";
import { cacheFolder } from "../model/cache-folder.ts";
import { storageReason } from "../store/durable-file.ts";
import { type Check, fail, type Finding, ok, warn } from "./finding.ts";

const GB = 1e9;

/** Oldest Node.js that the package supports. */
const OLDEST_NODE = [20, 19] as const;

/** Below the first, the machine is too small for the smallest model; below the second, a model of half a gigabyte may not fit. */
const MEMORY_GB = { least: 1, enough: 4 } as const;
const DISK_GB = { least: 0.5, enough: 5 } as const;

export const MACHINE_CHECKS: readonly Check[] = [
  { name: "Node.js", onError: "fail", run: () => nodeFinding(process.versions.node) },
  {
    name: "system",
    onError: "warn",
    run() {
      const found = `${os.platform()} ${os.arch()}, ${os.release()}`;
      if (os.platform() === "linux" && os.arch() === "x64") return ok(found);
      return warn(found, "The project is tested on Linux x64 only. Look at the line of the engine below.");
    },
  },
  {
    name: "processors",
    onError: "warn",
    run: () => processorFinding(os.availableParallelism(), os.loadavg()[0]!, os.cpus()[0]?.model.trim()),
  },
  { name: "memory", onError: "warn", run: () => memoryFinding(os.totalmem(), availableMemory()) },
  { name: "disk here", onError: "warn", run: () => diskFinding(".") },
  {
    name: "working folder",
    onError: "fail",
    async run() {
      try {
        await access(".", constants.R_OK | constants.W_OK);
        return ok(process.cwd());
      } catch (error) {
        return fail(
          `${process.cwd()}: ${storageReason(error)}`,
          "Run commands in a folder that you may write, or name one with --out.",
        );
      }
    },
  },
  {
    name: "cache folder",
    onError: "fail",
    async run() {
      const folder = await cacheFolder();
      const disk = await diskFinding(folder);
      return { ...disk, found: `${folder}, ${disk.found}` };
    },
  },
];

/** @param version such as `20.19.0` */
export function nodeFinding(version: string): Finding {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [oldest, oldestMinor] = OLDEST_NODE;
  if (major > oldest || (major === oldest && minor >= oldestMinor)) return ok(version);
  return fail(version, `Install Node.js ${OLDEST_NODE.join(".")} or newer: https://nodejs.org`);
}

export function processorFinding(count: number, load: number, model = "unknown"): Finding {
  const found = `${count} (${model}), load ${load.toFixed(1)}`;
  if (load <= count * 1.5) return ok(found);
  return warn(found, "Other programs use the processors: training will take longer than it could.");
}

export function memoryFinding(total: number, available: number): Finding {
  const found = `${gigabytes(available)} of ${gigabytes(total)} available`;
  if (available < MEMORY_GB.least * GB) {
    return fail(found, "Close other programs: the quickstart's small model already takes 1 GB.");
  }
  if (available >= MEMORY_GB.enough * GB) return ok(found);
  return warn(found, "Enough for a small model only. openfedllm plan CONFIG says what yours needs.");
}

/** Memory that programs can get, page cache included; a container's limit counts. */
function availableMemory(): number {
  const free = process.availableMemory?.() ?? os.freemem();
  const limit = process.constrainedMemory?.() ?? 0;
  return limit > 0 && limit < os.totalmem() ? Math.min(free, limit) : free;
}

async function diskFinding(folder: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(folder);
  return diskSpaceFinding(bavail * bsize);
}

export function diskSpaceFinding(free: number): Finding {
  const found = `${gigabytes(free)} free`;
  if (free < DISK_GB.least * GB)
    return fail(found, "Free space, or use another disk: runs and weights are written here.");
  if (free >= DISK_GB.enough * GB) return ok(found);
  return warn(found, "A base of a billion parameters takes 4 GB in the cache. Free space before you use one.");
}

function gigabytes(bytes: number): string {
  return `${(bytes / GB).toFixed(1)} GB`;
}
