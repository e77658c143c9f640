import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

/** True where there is an openssl program to make certificates with. */
export const hasOpenssl: boolean = spawnSync("openssl", ["version"]).status === 0;

export interface Certificates {
  /** PEM of the authority. */
  readonly ca: string;
  /** Files of a server's certificate and key. */
  readonly files: { readonly certificate: string; readonly key: string };
}

/** Makes an authority and a server's certificate in a folder. @param name the only name of the server. */
export function makeCertificates(folder: string, name = "localhost"): Certificates {
  const at = (file: string): string => path.join(folder, file);
  const openssl = (...args: string[]): void => void execFileSync("openssl", args, { stdio: "ignore" });
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl(
    "req",
    "-x509",
    ...newKey,
    "-keyout",
    at("ca.key"),
    "-out",
    at("ca.pem"),
    "-days",
    "2",
    "-subj",
    "/CN=Test authority",
  );
  openssl("req", ...newKey, "-keyout", at("server.key"), "-out", at("server.csr"), "-subj", `/CN=${name}`);
  writeFileSync(at("names"), `subjectAltName=DNS:${name}\n`);
  openssl(
    "x509",
    "-req",
    "-in",
    at("server.csr"),
    "-CA",
    at("ca.pem"),
    "-CAkey",
    at("ca.key"),
    "-CAcreateserial",
    "-out",
    at("server.pem"),
    "-days",
    "2",
    "-extfile",
    at("names"),
  );
  return { ca: readFileSync(at("ca.pem"), "utf8"), files: { certificate: at("server.pem"), key: at("server.key") } };
}
