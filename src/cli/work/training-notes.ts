import type { RunEvent } from "../../federation/events.ts";
import { counted, formatLoss } from "../views/quantities.ts";
import { dataNote } from "../views/run-facts.ts";
import type { Status } from "../views/status.ts";
import { oneLine } from "../views/text-width.ts";

/** Tells of the training of this process's clients: a progress line for each step, and a line for each round. */
export function trainingNotes({ say, note }: Status, maxLength: number): (event: RunEvent) => void {
  let steps = 0;
  let lossSum = 0;
  let count = 0;
  return (event) => {
    if (event.type === "data-report") {
      const cut = dataNote([event], maxLength);
      if (cut !== undefined) note(`data: ${cut}`);
    }
    if (event.type === "client-start") {
      [steps, lossSum, count] = [event.steps, 0, 0];
      say(`round ${event.round}: ${oneLine(event.client)} trains`);
    }
    if (event.type !== "client-step") return;
    const whose = `round ${event.round}: ${oneLine(event.client)}`;
    if (event.loss === undefined || event.count === undefined) {
      if (event.step < steps) say(`${whose}, step ${event.step} of ${steps}`);
      else note(`${whose} trained ${counted(steps, "step")}`);
      return;
    }
    lossSum += event.loss * event.count;
    count += event.count;
    if (event.step < steps) say(`${whose}, step ${event.step} of ${steps}, loss ${formatLoss(event.loss)}`);
    else note(`${whose} trained ${counted(steps, "step")}, loss ${formatLoss(lossSum / count)}`);
  };
}
