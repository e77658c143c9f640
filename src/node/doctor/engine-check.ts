import { GraphBuilder } from "../../graph/graph.ts";
import { interpret } from "../../graph/interpreter.ts";
import type { Runtime } from "../../train/runtime.ts";
import { type Check, fail, ok } from "./finding.ts";

const SIZE = 16;
const TOLERANCE = 1e-5;

interface Engine {
  readonly runtime: Runtime;
  /** Name and version. */
  readonly title: string;
}

/** Loads the engine, computes a product and a sigmoid, and compares with the slow interpreter. */
export function engineCheck(open: () => Promise<Engine>): Check {
  return {
    name: "engine",
    onError: "fail",
    async run() {
      const { runtime, title } = await open();
      const builder = new GraphBuilder();
      const shape = [SIZE, SIZE];
      const [x, y] = [builder.input("x", "float32", shape), builder.input("y", "float32", shape)];
      builder.output("z", builder.op("sigmoid", [builder.op("gemm", [x, y], {})], {}));
      const graph = builder.build();
      const values = new Map(
        ["x", "y"].map((name, n) => [
          name,
          { shape, data: Float32Array.from({ length: SIZE * SIZE }, (_, i) => Math.sin(i + n)) },
        ]),
      );
      const started = performance.now();
      const session = await runtime.load(graph, { fingerprint: "none", shapes: new Map(), read: noWeights });
      const results = await session.run(values, ["z"]);
      await session.dispose();
      const expected = interpret(
        graph,
        new Map([...values].map(([name, { data }]) => [name, { shape, data: Float64Array.from(data) }])),
      ).get("z")!.data;
      const got = results.get("z")!.data;
      const apart = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - Number(got[i]))), 0);
      if (apart <= TOLERANCE)
        return ok(`${title} loads and computes right (${Math.round(performance.now() - started)} ms)`);
      return fail(
        `${title} computes wrongly: ${apart} apart from the reference`,
        "Do not train on this machine. Report it with the lines above.",
      );
    },
  };
}

function noWeights(name: string): never {
  throw new Error(`the check has no weight '${name}'`);
}
