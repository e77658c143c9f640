import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { errorCode } from "../../diagnostics/error-code.ts";
import { UserError } from "../../diagnostics/user-error.ts";
import { spanText, timeText } from "../../identity/clock.ts";
import { storageError } from "../store/durable-file.ts";
import type { TlsFiles } from "./server-config.ts";

/**
 * Reads the certificate of a server that is to be started. The first one of the file counts; the others are its chain.
 *
 * @throws UserError: `storage` for a file that cannot be read, `config` for one that is no certificate or key, for a key of
 * another certificate, and for a certificate that is not valid now.
 */
export async function readCertificate(files: TlsFiles, now: Date = new Date()): Promise<X509Certificate> {
  const certificate = parsed(files.certificate, "certificate", await textOf(files.certificate), certificateIn);
  const key = parsed(files.key, "key", await textOf(files.key), createPrivateKey as (pem: string) => KeyObject);
  if (!certificate.checkPrivateKey(key)) {
    throw new UserError("config", `${files.key} is not the key of the certificate ${files.certificate}`, {
      hint: "Give the key that the certificate was made with: --tls-key.",
    });
  }
  const [from, to] = [new Date(certificate.validFrom), new Date(certificate.validTo)];
  if (from > now || to < now) {
    const state =
      from > now
        ? `is not valid before ${timeText(from)}, in ${spanText(from.getTime() - now.getTime())}`
        : `expired at ${timeText(to)}, ${spanText(now.getTime() - to.getTime())} ago`;
    throw new UserError(
      "config",
      `the certificate ${files.certificate} ${state} by this machine's clock (${timeText(now)})`,
      { hint: "Renew the certificate, or correct the clock if it is wrong." },
    );
  }
  return certificate;
}

/** Those of some addresses of a server that its certificate is not for. */
export function foreignAddresses(certificate: X509Certificate, addresses: readonly string[]): string[] {
  return addresses.filter((address) => {
    const host = new URL(address).hostname.replaceAll(/[[\]]/g, "");
    return (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) === undefined;
  });
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw storageError(file, "read", error);
    throw new UserError("config", `there is no file ${file}`, {
      hint: "Correct --tls-cert or --tls-key.",
      cause: error,
    });
  }
}

function certificateIn(pem: string): X509Certificate {
  if (!pem.includes("-----BEGIN CERTIFICATE-----")) throw new Error("it has no line -----BEGIN CERTIFICATE-----");
  return new X509Certificate(pem);
}

function parsed<T>(file: string, what: "certificate" | "key", pem: string, parse: (pem: string) => T): T {
  try {
    return parse(pem);
  } catch (cause) {
    throw new UserError("config", `${file} is not a ${what} in PEM`, {
      hint: "The certificate goes with --tls-cert, its private key with --tls-key.",
      cause,
    });
  }
}
