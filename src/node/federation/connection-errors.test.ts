import { JetStreamApiError } from "@nats-io/jetstream";
import { errors } from "@nats-io/transport-node";
import { expect, it } from "vitest";
import { NotReached, unanswered } from "./connection-errors.ts";

it("takes a request without an answer for a server that is away, and no other error", () => {
  const away = [
    new errors.TimeoutError(),
    new errors.ConnectionError("reset"),
    new errors.ClosedConnectionError(),
    new JetStreamApiError({ code: 503, err_code: 10008, description: "JetStream system temporarily unavailable" }),
  ];
  for (const error of away) {
    const said = unanswered(error);
    expect(said).toBeInstanceOf(NotReached);
    expect(said).toMatchObject({ kind: "storage", cause: error });
  }
  for (const error of [new Error("a defect"), new JetStreamApiError({ code: 400, err_code: 1, description: "bad" })]) {
    expect(unanswered(error)).toBe(error);
  }
});
