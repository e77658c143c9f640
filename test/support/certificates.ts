import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

/** True where there is an openssl program to make certificates with. */
export const hasOpenssl: boolean = spawnSync("openssl", ["version"]).status === 0;

export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

export interface Certificates {
  /** PEM of the authority. */
  readonly ca: string;
  /** Files of a server's certificate and key. */
  readonly files: CertificateFiles;
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

function openssl(...args: string[]): void {
  execFileSync("openssl", args, { stdio: "ignore" });
}

/**
 * Makes an authority and a server's certificate in a folder.
 *
 * @param name the only name of the server.
 * @param days how long the certificate is valid from now on; below 0 it has expired.
 */
export function makeCertificates(folder: string, name = "localhost", days = 2): Certificates {
  const at = (file: string): string => path.join(folder, file);
  openssl(
    ...["req", "-x509", ...NEW_KEY, "-keyout", at("ca.key"), "-out", at("ca.pem")],
    ...["-days", "2", "-subj", "/CN=Test authority"],
  );
  openssl("req", ...NEW_KEY, "-keyout", at("server.key"), "-out", at("server.csr"), "-subj", `/CN=${name}`);
  writeFileSync(at("names"), `subjectAltName=DNS:${name}\n`);
  openssl(
    ...["x509", "-req", "-in", at("server.csr"), "-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-CAcreateserial"],
    ...["-out", at("server.pem"), "-days", String(days), "-extfile", at("names")],
  );
  return { ca: readFileSync(at("ca.pem"), "utf8"), files: { certificate: at("server.pem"), key: at("server.key") } };
}

/** Makes a certificate in a folder that no authority signed. */
export function makeSelfSigned(folder: string, name: string): CertificateFiles {
  const [certificate, key] = [path.join(folder, "self.pem"), path.join(folder, "self.key")];
  openssl(
    ...["req", "-x509", ...NEW_KEY, "-keyout", key, "-out", certificate, "-days", "2"],
    ...["-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`],
  );
  return { certificate, key };
}
