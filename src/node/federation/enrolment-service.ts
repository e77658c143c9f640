import type { Msg, NatsConnection } from "@nats-io/transport-node";
import { UserError } from "../../diagnostics/user-error.ts";
import type { Enrolled, Refused, Renewed } from "../../identity/enrolment.ts";
import { type EnrolmentOptions, enrolMember, refusalAt, renewMember } from "./members.ts";
import type { Federation } from "./federation-folder.ts";

export interface EnrolmentServiceOptions extends Omit<EnrolmentOptions, "now"> {
  /** A member joined, or joined again. */
  readonly onEnrolled?: ((name: string) => void) | undefined;
  /** A request was refused. @param name the invited member's; undefined for an invitation that nobody knows. */
  readonly onRefused?: ((name: string | undefined, refused: Refused) => void) | undefined;
  /** A request could not be answered for a fault of this side. */
  readonly onFailure?: ((error: unknown) => void) | undefined;
}

/**
 * Answers requests for enrolment and for new tokens over a connection of the coordinator's account, until the returned
 * function is called.
 */
export function serveEnrolment(
  coordinator: NatsConnection,
  federation: Federation,
  options: EnrolmentServiceOptions,
): () => void {
  const { onEnrolled, onRefused, onFailure } = options;
  const answerWith = async (message: Msg, answer: () => Promise<Enrolled | Renewed | Refused>): Promise<void> => {
    let reply: Enrolled | Renewed | Refused;
    try {
      reply = await answer();
    } catch (error) {
      onFailure?.(error);
      // The coordinator's own messages name files: they are not for a member.
      const why = error instanceof UserError ? "the coordinator has a problem" : "the coordinator failed";
      reply = refusalAt(new Date())("failed", `${why}: ask its administrator, then try again`);
    }
    message.respond(JSON.stringify(reply));
  };
  const subscriptions = [
    coordinator.subscribe("fl.enrol.*", {
      queue: "enrolment",
      callback: (_error, message) => {
        const id = message.subject.split(".")[2] ?? "";
        void answerWith(message, async () => {
          const answer = await enrolMember(federation, id, message.string(), options);
          const name = (await federation.invitation(id))?.client;
          if ("refused" in answer) onRefused?.(name, answer);
          else onEnrolled?.(name!);
          return answer;
        });
      },
    }),
    coordinator.subscribe("fl.rpc.*.renew", {
      queue: "enrolment",
      callback: (_error, message) => {
        const account = message.subject.split(".")[2] ?? "";
        void answerWith(message, () => renewMember(federation, account));
      },
    }),
  ];
  return () => {
    for (const subscription of subscriptions) subscription.unsubscribe();
  };
}
