import { readFile } from "node:fs/promises";
import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import { type Scalar, ScalarFold } from "../../experiment/results/scalars.ts";
import type { TrackerSettings } from "../../settings/tracker-settings.ts";
import type { EnvironmentVariables } from "../federation/environment.ts";
import { writeAtomically } from "../store/durable-file.ts";
import { answerOf, Delivery } from "./delivery.ts";
import type { TrackerKind } from "./tracker.ts";

type MlflowSettings = NonNullable<TrackerSettings["mlflow"]>;

/** Most metrics of one request, by MLflow's REST API. */
const BATCH = 1000;
const MOST_PARAMS = 100;
const LONGEST_PARAM = 500;
/** Sections of the settings that describe a run. Names of files and of members stay here. */
const DESCRIBED = new Set(["model", "adapter", "objective", "training", "federation", "fidelity", "seed"]);

interface Point extends Scalar {
  /** Seconds of work since the run began. */
  readonly elapsed: number;
}

/** The run at the server, and when it began there, milliseconds. */
interface Remote {
  readonly run: string;
  readonly began: number;
}

/** Asks the server, and reads its answer. */
type Call = (method: "GET" | "POST", what: string, body?: object) => Promise<unknown>;

/** A run of MLflow, through its REST API, version 2.0. */
export const mlflow: TrackerKind<MlflowSettings> = {
  check: (settings, env) => void uriOf(settings, env),
  async open(settings, { folder, env, onNote }) {
    const uri = uriOf(settings, env);
    const stored = path.join(folder, "trackers", "mlflow-run.json");
    const fold = new ScalarFold();
    let remote: Promise<Remote> | undefined;
    let over = false;
    const headers = { "content-type": "application/json", ...authorization(env) };
    const callBy =
      (request: typeof fetch): Call =>
      async (method, what, body) =>
        answerOf(
          await request(`${uri}/api/2.0/mlflow/${what}`, {
            method,
            headers,
            ...(body !== undefined && { body: JSON.stringify(body) }),
            redirect: "error",
          }),
        );
    const began = async (call: Call): Promise<Remote> => {
      const known = await readRemote(stored);
      if (known !== undefined) {
        await call("POST", "runs/update", { run_id: known.run, status: "RUNNING" });
        return known;
      }
      const now = Date.now();
      const made = (await call("POST", "runs/create", {
        experiment_id: await experimentOf(settings.experiment, call),
        run_name: path.basename(path.resolve(folder)),
        start_time: now,
        tags: [{ key: "mlflow.source.name", value: "openfedllm" }],
      })) as { run?: { info?: { run_id?: unknown } } } | undefined;
      const run = made?.run?.info?.run_id;
      if (typeof run !== "string") throw new Error("the answer holds no run_id");
      await call("POST", "runs/log-batch", { run_id: run, params: await paramsOf(folder) });
      await writeAtomically(stored, `${JSON.stringify({ run, began: now })}\n`).catch(() => undefined);
      return { run, began: now };
    };
    const remoteRun = (call: Call): Promise<Remote> => {
      remote ??= began(call).catch((error: unknown) => {
        remote = undefined;
        throw error;
      });
      return remote;
    };
    const delivery = await Delivery.open<Point>({
      to: `MLflow at ${uri}`,
      file: path.join(folder, "trackers", "mlflow.json"),
      batch: BATCH,
      async send(points, request) {
        const call = callBy(request);
        const { run, began: origin } = await remoteRun(call);
        const metrics = points.map(({ tag, step, value, elapsed }) => ({
          key: metricName(tag),
          value,
          step,
          timestamp: Math.round(origin + 1000 * elapsed),
        }));
        await call("POST", "runs/log-batch", { run_id: run, metrics });
      },
      onNote,
    });
    return {
      take(event) {
        if (event.type === "run-end") over = true;
        const { elapsed, scalars } = fold.apply(event);
        // MLflow's JSON has no number for what is not finite.
        for (const scalar of scalars) if (Number.isFinite(scalar.value)) delivery.add({ ...scalar, elapsed });
      },
      begin: () => delivery.begin(),
      async close() {
        await delivery.close(async (request) => {
          if (remote === undefined) return;
          const { run } = await remote;
          const end = { run_id: run, status: over ? "FINISHED" : "KILLED", end_time: Date.now() };
          await callBy(request)("POST", "runs/update", end);
        });
      },
    };
  },
};

async function experimentOf(name: string, call: Call): Promise<string> {
  const query = new URLSearchParams({ experiment_name: name }).toString();
  const found = (await call("GET", `experiments/get-by-name?${query}`).catch((error: unknown) => {
    if (error instanceof Error && /RESOURCE_DOES_NOT_EXIST|^HTTP 404/.test(error.message)) return undefined;
    throw error;
  })) as { experiment?: { experiment_id?: string } } | undefined;
  if (found?.experiment?.experiment_id !== undefined) return found.experiment.experiment_id;
  const made = (await call("POST", "experiments/create", { name })) as { experiment_id?: string } | undefined;
  if (made?.experiment_id === undefined) throw new Error("the answer holds no experiment_id");
  return made.experiment_id;
}

/** MLflow allows letters, digits and `_-. /` in a name. */
function metricName(tag: string): string {
  return tag.replaceAll(/[^\w\-. /]/g, "_");
}

/** The settings that describe the run, as `training.learningRate` and text. */
async function paramsOf(folder: string): Promise<{ key: string; value: string }[]> {
  const { config } = JSON.parse(await readFile(path.join(folder, "config.json"), "utf8")) as { config: object };
  const described = Object.entries(config).filter(([section]) => DESCRIBED.has(section));
  const flat = (prefix: string, value: unknown): { key: string; value: string }[] =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.entries(value).flatMap(([key, inner]) => flat(`${prefix}.${key}`, inner))
      : [{ key: prefix, value: (typeof value === "string" ? value : JSON.stringify(value)).slice(0, LONGEST_PARAM) }];
  return described.flatMap(([section, value]) => flat(section, value)).slice(0, MOST_PARAMS);
}

/** As MLflow's own client: a token, or a name and a password, from the environment. */
function authorization(env: EnvironmentVariables): Record<string, string> {
  const token = env["MLFLOW_TRACKING_TOKEN"];
  const [name, password] = [env["MLFLOW_TRACKING_USERNAME"], env["MLFLOW_TRACKING_PASSWORD"]];
  if (name !== undefined && password !== undefined) {
    return { authorization: `Basic ${Buffer.from(`${name}:${password}`).toString("base64")}` };
  }
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

function uriOf({ uri }: MlflowSettings, env: EnvironmentVariables): string {
  const given = uri ?? env["MLFLOW_TRACKING_URI"];
  const http = given !== undefined && URL.canParse(given) && /^https?:$/.test(new URL(given).protocol);
  if (http && new URL(given).username === "") return given.replace(/\/+$/, "");
  const problem = given === undefined ? "has no uri" : "has a uri that is no http(s) address without a name in it";
  throw new UserError("config", `output.mlflow ${problem}`, {
    hint: "Set output.mlflow.uri or MLFLOW_TRACKING_URI to the address of an MLflow server (mlflow server --port 5000), and MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD or MLFLOW_TRACKING_TOKEN where it asks who you are.",
  });
}

async function readRemote(file: string): Promise<Remote | undefined> {
  try {
    const { run, began } = JSON.parse(await readFile(file, "utf8")) as Partial<Remote>;
    return typeof run === "string" && typeof began === "number" ? { run, began } : undefined;
  } catch {
    return undefined;
  }
}
