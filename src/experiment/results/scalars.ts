import type { RunEvent } from "../../federation/events.ts";
import { LOSS } from "../../settings/metric-names.ts";
import { Metrics, type RoundMetrics, sumOfClients, sumOfLedgers } from "./metrics.ts";

/** One number of a curve. */
export interface Scalar {
  /** `train/loss`, `heldOut/loss/common`: the part before the first slash names a group of curves. */
  readonly tag: string;
  /** The round; for tags that begin with `step/`, the number of steps that the client has taken. */
  readonly step: number;
  readonly value: number;
}

export interface TimedScalars {
  /** Seconds of work since the run began, without the time between a stop and its continuation. */
  readonly elapsed: number;
  readonly scalars: readonly Scalar[];
}

/** Turns events into points of curves over rounds. Events must come in the order of the log, each once. */
export class ScalarFold {
  #elapsed = 0;
  #roundBegan = 0;
  readonly #metrics = new Metrics();
  readonly #steps = new Map<string, number>();

  apply(event: RunEvent): TimedScalars {
    const scalars = this.#scalars(event, this.#metrics.fold(event));
    return { elapsed: this.#elapsed, scalars };
  }

  #scalars(event: RunEvent, metrics: RoundMetrics | undefined): Scalar[] {
    switch (event.type) {
      case "round-start":
        this.#roundBegan = this.#elapsed;
        return [{ tag: "train/learningRate", step: event.round, value: event.learningRate }];
      case "client-step": {
        this.#elapsed += event.seconds;
        const step = (this.#steps.get(event.client) ?? 0) + 1;
        this.#steps.set(event.client, step);
        const { loss, gradientNorm, learningRate } = event;
        // Where records are private, nothing is told of them.
        const figures = loss === undefined || gradientNorm === undefined ? {} : { loss, gradientNorm };
        return curves("step", { ...figures, learningRate }, event.client, step);
      }
      case "client-update": {
        const { loss, metrics, client, round, seconds } = event;
        // A client that keeps its figures has no curves.
        if (loss === undefined || seconds === undefined) return [];
        return [
          ...curves("train", { loss, ...metrics }, client, round),
          { tag: `seconds/client/${client}`, step: round, value: seconds },
        ];
      }
      case "round-end": {
        const { round, loss, accepted, refused, seconds } = event;
        this.#elapsed = Math.max(this.#elapsed, this.#roundBegan + seconds);
        const values = {
          ...(loss !== undefined && { "train/loss": loss }),
          "seconds/round": seconds,
          "bytes/up": sumOfClients(metrics!, "bytesUp"),
          "bytes/down": sumOfClients(metrics!, "bytesDown"),
          ...byteCurves(metrics!),
          "clients/accepted": accepted.length,
          "clients/refused": refused.length,
        };
        return Object.entries(values).map(([tag, value]) => ({ tag, step: round, value: number(value) }));
      }
      case "evaluation-end": {
        this.#elapsed += event.seconds;
        const { set, client, round, loss, metrics, seconds } = event;
        // The base and a client's own adapter on the client's own set are one curve.
        const scored = client === undefined || client === set ? set : `${set}/adapter of ${client}`;
        return [
          ...curves("heldOut", { [LOSS]: loss, ...metrics }, scored, round),
          { tag: `seconds/evaluation/${scored}`, step: round, value: seconds },
        ];
      }
      case "benchmark-end": {
        this.#elapsed += event.seconds;
        const { benchmark, client, round, metrics } = event;
        const whose = client === undefined ? "" : `/${client}`;
        return Object.entries(metrics).map(([name, value]) => ({
          tag: `benchmark/${benchmark}/${name}${whose}`,
          step: round,
          value: number(value),
        }));
      }
      case "reference-end":
        this.#elapsed += event.seconds;
        return [];
      default:
        return [];
    }
  }
}

/** The bytes of a round by kind, where there is a ledger. */
function byteCurves({ clients }: RoundMetrics): Record<string, number> {
  const ledger = sumOfLedgers(Object.values(clients));
  return Object.fromEntries(Object.entries(ledger ?? {}).map(([kind, bytes]) => [`bytes/${kind}`, bytes ?? 0]));
}

function curves(group: string, values: Readonly<Record<string, number>>, whose: string, step: number): Scalar[] {
  return Object.entries(values).map(([name, value]) => ({
    tag: `${group}/${name}/${whose}`,
    step,
    value: number(value),
  }));
}

/** JSON has no NaN: such a number in a log is null. */
function number(value: number | null): number {
  return value ?? Number.NaN;
}
