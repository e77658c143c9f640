import { InvalidArgumentError } from "commander";
import { parsed } from "../flag.ts";
import type { Flag } from "../flag.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** A flag for an address to listen at: `127.0.0.1:4222`, `[::1]:4222`. */
export function addressFlag(description: string): Flag<Address | undefined> {
  return parsed("<host:port>", description, (text) => {
    const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
    const host = bracketed ?? plain;
    if (host === undefined || Number(port) > 65_535) {
      throw new InvalidArgumentError("Expected HOST:PORT, such as 127.0.0.1:4222.");
    }
    return { host, port: Number(port) };
  });
}
