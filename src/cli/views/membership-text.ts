import type { EventOf } from "../../federation/events.ts";
import { counted } from "./quantities.ts";
import { oneLine } from "./text-width.ts";

/** One line about a client that declined, joined a run under way, or left it. */
export function membershipText(event: EventOf<"client-declined" | "client-joined" | "client-left">): string {
  const client = oneLine(event.client);
  if (event.type === "client-declined") return `${client} does not take part: ${oneLine(event.reason)}`;
  if (event.type === "client-left") return `${client} is no member from round ${event.round} on`;
  const records = event.records === 0 ? "" : `, ${counted(event.records, "record")}`;
  return `${client} joins with round ${event.round}${records}`;
}

/** One line about a score that a site does not give. */
export function withheldText({ set, client = set, reason }: EventOf<"evaluation-withheld">): string {
  const whose = client === set ? "" : ` of the adapter of ${oneLine(client)}`;
  return `${oneLine(set)}: the score${whose} is withheld, ${oneLine(reason)}`;
}
