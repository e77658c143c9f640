import { keySegment } from "../../store/store.ts";

/** The keys of a run's cells, and the prefixes under which cells of one kind lie. */
export const keys = {
  manifest: "manifest",
  runKey: "run-key",
  members: "member/",
  member: (client: string): string => `${keys.members}${keySegment(client)}`,
  declines: "decline/",
  decline: (client: string): string => `${keys.declines}${keySegment(client)}`,
  leaves: "leave/",
  leave: (client: string): string => `${keys.leaves}${keySegment(client)}`,
  roster: "roster",
  round: (round: number): string => `round-${String(round).padStart(4, "0")}`,
  membersChange: (round: number): string => `${keys.round(round)}/members`,
  opening: (round: number): string => `${keys.round(round)}/open`,
  tasks: (round: number): string => `${keys.round(round)}/task/`,
  task: (round: number, client: string): string => `${keys.tasks(round)}${keySegment(client)}`,
  updates: (round: number): string => `${keys.round(round)}/update/`,
  update: (round: number, client: string): string => `${keys.updates(round)}${keySegment(client)}`,
  close: (round: number): string => `${keys.round(round)}/close`,
  evaluationRequest: (round: number): string => `${keys.round(round)}/evaluate`,
  scores: (round: number): string => `${keys.round(round)}/scores/`,
  clientScores: (round: number, client: string): string => `${keys.scores(round)}${keySegment(client)}`,
  evaluation: (round: number): string => `${keys.round(round)}/evaluation`,
  end: (round: number): string => `${keys.round(round)}/end`,
};
