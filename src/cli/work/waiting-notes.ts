import { someNames } from "../views/run-facts.ts";
import type { RunView } from "../views/run-view.ts";

/** Clients that a line names. */
const NAMED = 8;

/**
 * Notes the clients that a coordinator waits for. A list that only became shorter gets no note, unless it is of members and
 * `tellsJoins` is set.
 */
export function waitingNotes(
  view: RunView,
  { tellsJoins }: { readonly tellsJoins: boolean },
): (what: "members" | "answers", clients: readonly string[]) => void {
  let awaited: readonly string[] = [];
  return (what, clients) => {
    const fewer = clients.every((client) => awaited.includes(client));
    awaited = clients;
    if (fewer && !(tellsJoins && what === "members")) return;
    view.note(`waiting for ${someNames(clients, NAMED)} to ${what === "members" ? "join" : "answer"}`);
  };
}
