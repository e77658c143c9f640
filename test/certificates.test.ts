import { mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type CertificateFiles,
  type Certificates,
  hasOpenssl,
  makeCertificates,
  makeSelfSigned,
} from "./support/certificates.ts";
import type { Started } from "./support/cli.ts";
import { natsProgram } from "./support/nats-server.ts";
import { makeParties, type Parties } from "./support/parties.ts";
import { tinyFederation } from "./support/tiny-federation.ts";

const { folder, source } = tinyFederation();

describe.runIf(natsProgram !== undefined && hasOpenssl)(
  "certificates that do not match (skipped where there is no nats-server or no openssl)",
  () => {
    let parties: Parties;
    let good: Certificates;
    let named: Certificates;
    let url: string;
    const place = (name: string): string => {
      const at = path.join(folder, "tls", name);
      mkdirSync(at, { recursive: true });
      return at;
    };
    const hosting = (files: CertificateFiles): Started =>
      parties.host({}, "--tls-cert", files.certificate, "--tls-key", files.key);
    /** A site's error, its first attempt. Each is a new member, with an invitation of its own. */
    const refusalOf = async (client: string, ca: string | undefined): Promise<string> => {
      await parties.invite(client, [url], ca);
      const { code, stderr } = await parties.join(client).ended;
      expect(code, stderr).toBe(2);
      return stderr.slice(stderr.indexOf("error: "));
    };
    const stopped = async (host: Started): Promise<string> => {
      host.child.kill("SIGTERM");
      const { code, output } = await host.ended;
      expect(code, output).toBe(130);
      return output;
    };

    beforeAll(async () => {
      parties = await makeParties({ source, name: "tls", clients: ["apples"] });
      url = parties.server.replace("nats://127.0.0.1", "tls://localhost");
      good = makeCertificates(place("good"));
      named = makeCertificates(place("named"), "hub.example.org");
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    test("host refuses those that cannot be right, before it starts a server", async () => {
      const expired = makeCertificates(place("expired"), "localhost", -1).files;
      const time = String.raw`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC`;
      const [mine, other] = [good.files, named.files];
      for (const [files, code, message] of [
        [
          expired,
          2,
          `the certificate ${expired.certificate} expired at ${time}, 24 hours ago by this machine's clock \\(${time}\\)`,
        ],
        [{ ...mine, key: other.key }, 2, `${other.key} is not the key of the certificate ${mine.certificate}`],
        [{ certificate: mine.key, key: mine.certificate }, 2, `${mine.key} is not a certificate in PEM`],
        [{ ...mine, key: mine.certificate }, 2, `${mine.certificate} is not a key in PEM`],
        [{ ...mine, certificate: "no.pem" }, 2, "there is no file no.pem"],
      ] as const) {
        const ended = await hosting(files).ended;
        expect([ended.code, ended.stderr]).toEqual([
          code,
          expect.stringMatching(new RegExp(`error: ${message}.*\nhint: `)),
        ]);
      }
    }, 120_000);

    test("join refuses those of an unknown or another authority, or name, and takes the right one", async () => {
      await parties.federation.saveAddresses({ version: 1, servers: [url], ca: good.ca });
      const host = hosting(good.files);
      await host.says("waiting for");
      expect(await refusalOf("unknown", undefined)).toMatch(
        /^error: the certificate of the server at tls:\/\/localhost:\d+ is signed by an unknown authority\nhint: .*--ca ca\.pem/,
      );
      expect(await refusalOf("other", named.ca)).toMatch(
        /is signed by an unknown authority\nhint: The authority's certificate \(CA\) that was given is another one/,
      );
      await parties.invite("right", [url], good.ca);
      const right = parties.join("right");
      await host.says("right has joined the federation");
      await stopped(right);
      expect(await stopped(host)).not.toContain("members will refuse it");

      await parties.federation.saveAddresses({ version: 1, servers: [url], ca: named.ca });
      const elsewhere = hosting(named.files);
      await elsewhere.says(`is not for ${url}, where invitations lead: members will refuse it`);
      await elsewhere.says("waiting for");
      expect(await refusalOf("named", named.ca)).toMatch(
        / is for another name: hub\.example\.org\nhint: Ask the coordinator/,
      );
      await stopped(elsewhere);
    }, 120_000);

    test("one that no authority signed is its own, and is refused without it", async () => {
      const own = makeSelfSigned(place("own"), "localhost");
      const pem = readFileSync(own.certificate, "utf8");
      await parties.federation.saveAddresses({ version: 1, servers: [url], ca: pem });
      const host = hosting(own);
      await host.says("waiting for");
      expect(await refusalOf("self", undefined)).toContain("is signed by an unknown authority");
      await parties.invite("own", [url], pem);
      const site = parties.join("own");
      await host.says("own has joined the federation");
      await stopped(site);
      await stopped(host);
    }, 120_000);
  },
);
