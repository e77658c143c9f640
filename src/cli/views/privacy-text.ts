import type { EventOf } from "../../federation/events.ts";
import { shownDelta } from "../../federation/privacy/private-rounds.ts";

/** `ε 4.73 of 8 spent at δ 1e-5`. */
export function spentText({
  epsilon,
  budget,
  delta,
}: Pick<EventOf<"privacy-spent">, "epsilon" | "budget" | "delta">): string {
  return `ε ${epsilon.toFixed(2)} of ${budget} spent at δ ${shownDelta(delta)}`;
}

/** One line about what a round costs its clients, before it begins. */
export function privacyText(event: EventOf<"privacy-spent">): string {
  const { round, noiseMultiplier, clip, mechanism } = event;
  const where = mechanism === "local" ? "2 × clip on each update" : "clip on the sum";
  return `privacy of round ${round}: ${spentText(event)}; clip ${clip.toPrecision(3)}, noise ${noiseMultiplier.toPrecision(3)} × ${where}`;
}
