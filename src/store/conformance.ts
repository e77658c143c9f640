import type { Store } from "./store.ts";
import { sha256 } from "../tensor/sha256.ts";

/** One thing every store must do. Tied to no test framework, so that any implementation can run it. */
export interface ConformanceCase {
  readonly name: string;
  /** `open` gives a handle on one and the same store, empty before the case; throws where the store is wrong. */
  readonly run: (open: () => Promise<Store>) => Promise<void>;
}

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function show(value: unknown): string {
  return value instanceof Uint8Array ? `bytes ${value.join()}` : JSON.stringify(value);
}

function same(what: string, got: unknown, expected: unknown): void {
  if (show(got) !== show(expected)) throw new Error(`${what}: got ${show(got)}, expected ${show(expected)}`);
}

async function rejects(what: string, action: () => Promise<unknown>): Promise<void> {
  const failed = await action().then(
    () => false,
    () => true,
  );
  if (!failed) throw new Error(`${what}: expected an error`);
}

export const STORE_CONFORMANCE: readonly ConformanceCase[] = [
  {
    name: "a blob comes back by its sha256, from another handle too, and storing it again is harmless",
    async run(open) {
      const bytes = Uint8Array.from({ length: 100_000 }, (_, i) => i * 31);
      const hash = await (await open()).putBlob(bytes);
      same("hash", hash, await sha256(bytes));
      same("second hash", await (await open()).putBlob(bytes), hash);
      same("content", await sha256(await (await open()).blob(hash)), hash);
    },
  },
  {
    name: "an empty blob and an empty cell are values",
    async run(open) {
      const store = await open();
      same("blob", await store.blob(await store.putBlob(new Uint8Array())), new Uint8Array());
      same("create", await store.create("empty", new Uint8Array()), new Uint8Array());
      same("read", await store.read("empty"), new Uint8Array());
      same("second create", await store.create("empty", bytesOf("late")), new Uint8Array());
    },
  },
  {
    name: "a blob that is not there is an error",
    run: async (open) => rejects("blob", async () => (await open()).blob("0".repeat(64))),
  },
  {
    name: "a forgotten blob is gone for every handle, the others stay, and it may be stored again",
    async run(open) {
      const store = await open();
      const [gone, kept] = [await store.putBlob(bytesOf("gone")), await store.putBlob(bytesOf("kept"))];
      await store.forget([gone, "0".repeat(64)]);
      await store.forget([]);
      await rejects("forgotten", async () => (await open()).blob(gone));
      same("kept", await (await open()).blob(kept), bytesOf("kept"));
      same("again", await (await open()).putBlob(bytesOf("gone")), gone);
      same("content", await store.blob(gone), bytesOf("gone"));
    },
  },
  {
    name: "a watch wakes for cells under its prefix, written by any handle, also between two waits",
    async run(open) {
      const store = await open();
      await store.create("r/a", bytesOf("a"));
      const watch = await (await open()).watch("r/");
      const woken = async (): Promise<number> => {
        const start = performance.now();
        await watch.next({ milliseconds: 10_000 });
        return performance.now() - start;
      };
      await (await open()).create("r/b", bytesOf("b"));
      if ((await woken()) > 9000) throw new Error("a cell before the wait did not end it");
      const waiting = woken();
      await store.create("r/c", bytesOf("c"));
      if ((await waiting) > 9000) throw new Error("a cell during the wait did not end it");
      watch.close();
    },
  },
  {
    name: "a watch of nothing ends after its time, and when it is stopped",
    async run(open) {
      const watch = await (await open()).watch("never/");
      await watch.next({ milliseconds: 5 });
      const stop = new AbortController();
      setTimeout(() => stop.abort(), 20);
      await watch.next({ signal: stop.signal });
      await watch.next({ signal: AbortSignal.abort() });
      watch.close();
    },
  },
  {
    name: "the first write to a cell wins, and every writer gets the winner",
    async run(open) {
      same("before", await (await open()).read("round-0001/close"), undefined);
      same("first", await (await open()).create("round-0001/close", bytesOf("first")), bytesOf("first"));
      same("second", await (await open()).create("round-0001/close", bytesOf("second")), bytesOf("first"));
      same("read", await (await open()).read("round-0001/close"), bytesOf("first"));
    },
  },
  {
    name: "writers at the same time agree on one winner",
    async run(open) {
      const writers = await Promise.all(Array.from({ length: 16 }, open));
      const won = await Promise.all(writers.map((store, i) => store.create("race", bytesOf(`writer ${i}`))));
      const winner = await (await open()).read("race");
      for (const bytes of won) same("winner", bytes, winner);
    },
  },
  {
    name: "a cell may share its name with a folder of cells",
    async run(open) {
      const store = await open();
      await store.create("a/b", bytesOf("inner"));
      await store.create("a", bytesOf("outer"));
      same("outer", await store.read("a"), bytesOf("outer"));
      same("list", await store.list(""), ["a", "a/b"]);
    },
  },
  {
    name: "list gives the keys under a prefix in ascending order, nothing for one unused",
    async run(open) {
      const store = await open();
      const keys = ["r-2/update/b", "r-10/update/a", "r-2/open", "r-2/update/a", "r-2x/update/a", "r-2/update/=c3=bc"];
      for (const key of keys) await store.create(key, bytesOf(key));
      same("update", await store.list("r-2/update/"), ["r-2/update/=c3=bc", "r-2/update/a", "r-2/update/b"]);
      same("all", await (await open()).list(""), [...keys].sort());
      same("none", await store.list("r-3/"), []);
    },
  },
  {
    name: "keys that some store could not hold are refused",
    async run(open) {
      const store = await open();
      for (const key of ["", "A", "../x", "a//b", "/a", "a/", "a b", "a.b", "x".repeat(201)]) {
        await rejects(`create "${key}"`, async () => store.create(key, bytesOf("x")));
        await rejects(`read "${key}"`, async () => store.read(key));
      }
    },
  },
  {
    name: "the head changes by compare-and-set only",
    async run(open) {
      const store = await open();
      same("no head", await store.head(), undefined);
      same("too early", await store.setHead(7, bytesOf("x")), false);
      same("first", await store.setHead(0, bytesOf("one")), true);
      same("again from nothing", await (await open()).setHead(0, bytesOf("other")), false);
      const one = (await (await open()).head())!;
      same("one", one.bytes, bytesOf("one"));
      same("second", await (await open()).setHead(one.revision, bytesOf("two")), true);
      same("stale", await store.setHead(one.revision, bytesOf("three")), false);
      same("two", (await store.head())?.bytes, bytesOf("two"));
    },
  },
  {
    name: "of writers that replace the same head at once, one succeeds",
    async run(open) {
      const writers = await Promise.all(Array.from({ length: 16 }, open));
      const done = await Promise.all(writers.map((store, i) => store.setHead(0, bytesOf(`writer ${i}`))));
      same("successes", done.filter(Boolean).length, 1);
      same("head", (await (await open()).head())?.bytes, bytesOf(`writer ${done.indexOf(true)}`));
    },
  },
  {
    name: "what was stored does not change with the caller's buffer, nor what was read with the reader's",
    async run(open) {
      const store = await open();
      const buffer = bytesOf("kept");
      const hash = await store.putBlob(buffer);
      await store.create("cell", buffer);
      await store.setHead(0, buffer);
      buffer.fill(0);
      for (const bytes of [await store.blob(hash), await store.read("cell"), (await store.head())?.bytes]) {
        bytes?.fill(1);
      }
      same("blob", await store.blob(hash), bytesOf("kept"));
      same("cell", await store.read("cell"), bytesOf("kept"));
      same("head", (await store.head())?.bytes, bytesOf("kept"));
    },
  },
];
