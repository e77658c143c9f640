import { describe, expect, it } from "vitest";
import { memberUserJwt, readToken } from "./claims.ts";
import { clockNote, spanText } from "./clock.ts";
import {
  enrolledAnswer,
  enrolmentRequest,
  isSignedByFederation,
  isSignedByUser,
  readEnrolmentAnswer,
  readEnrolmentRequest,
  readRenewalAnswer,
} from "./enrolment.ts";
import { newIdentity } from "./keys.ts";

const [user, key, account] = [newIdentity(), newIdentity(), newIdentity("account")];
const federation = { id: newIdentity("operator").publicKey, key: key.publicKey };
const request = enrolmentRequest(user, federation.id, { invitation: "i-1", name: "clinic", software: "test" });

describe("a request for enrolment", () => {
  it("passes as JSON and shows that its sender has the seed", () => {
    const read = readEnrolmentRequest(JSON.stringify(request))!;
    expect(read).toEqual(request);
    expect(isSignedByUser(read, federation.id)).toBe(true);
    expect(isSignedByUser(read, "another federation")).toBe(false);
    expect(isSignedByUser({ ...read, invitation: "i-2" }, federation.id)).toBe(false);
    expect(isSignedByUser({ ...read, user: newIdentity().publicKey }, federation.id)).toBe(false);
  });

  it("is not read from another message", () => {
    for (const text of ["", "{}", "null", "[1]", JSON.stringify({ ...request, user: "U" })]) {
      expect(readEnrolmentRequest(text)).toBeUndefined();
    }
  });
});

describe("the answer", () => {
  const answer = enrolledAnswer(key, federation.id, request, {
    account: account.publicKey,
    jwt: "a.b.c",
    limits: { bytes: 5 },
    time: "2026-03-01T12:00:00.000Z",
  });

  it("is signed by the federation, for this request alone", () => {
    expect(readEnrolmentAnswer(JSON.stringify(answer))).toEqual(answer);
    expect(isSignedByFederation(answer, federation, request)).toBe(true);
    expect(isSignedByFederation({ ...answer, jwt: "a.b.d" }, federation, request)).toBe(false);
    const other = enrolmentRequest(newIdentity(), federation.id, { ...request });
    expect(isSignedByFederation(answer, federation, other)).toBe(false);
    expect(isSignedByFederation(answer, { ...federation, key: user.publicKey }, request)).toBe(false);
  });

  it("may be a refusal, and renewals have their own", () => {
    const refused = { refused: "used", message: "It is used.", time: answer.time };
    expect(readEnrolmentAnswer(JSON.stringify(refused))).toEqual(refused);
    expect(readRenewalAnswer(JSON.stringify(refused))).toEqual(refused);
    expect(readRenewalAnswer(JSON.stringify({ jwt: "a.b.c", time: answer.time }))).toEqual({
      jwt: "a.b.c",
      time: answer.time,
    });
    expect(readEnrolmentAnswer(JSON.stringify({ ...refused, refused: "because" }))).toBeUndefined();
  });
});

it("a member's token names its user, its account and its end, and a changed one is not read", async () => {
  const expires = new Date("2026-03-01T12:00:00Z");
  const jwt = await memberUserJwt({ name: "Zürich 用户", user: user.publicKey, account, expires });
  expect(readToken(jwt)).toMatchObject({ subject: user.publicKey, issuer: account.publicKey, expires });
  const [header, body, signature] = jwt.split(".");
  const claims = atob(body!.replaceAll("-", "+").replaceAll("_", "/"));
  expect(claims).toContain('"name":"Z?rich ??"');
  const longer = btoa(claims.replace(/"exp":\d+/, '"exp":9999999999')).replaceAll("=", "");
  expect(readToken(`${header}.${longer}.${signature}`)).toBeUndefined();
  expect(readToken("text")).toBeUndefined();
});

it("two clocks that differ are named with both times", () => {
  const coordinator = new Date("2026-03-01T12:00:00Z");
  expect(clockNote(coordinator, new Date("2026-03-01T12:04:00Z"))).toBeUndefined();
  expect(clockNote(coordinator, new Date("2026-03-01T13:01:00Z"))).toBe(
    "The clock of this machine (2026-03-01 13:01:00 UTC) is 61 minutes ahead of the coordinator's (2026-03-01 12:00:00 UTC). Correct the one that is wrong.",
  );
  expect(clockNote(coordinator, new Date("2026-02-28T12:00:00Z"))).toContain("24 hours behind");
  expect([spanText(1000), spanText(-119_000), spanText(3 * 86_400_000)]).toEqual(["1 second", "119 seconds", "3 days"]);
});
