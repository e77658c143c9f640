import type { EncoderSetup } from "../../data/encoding/encoder.ts";
import type { EncodingHelp } from "../../experiment/ports.ts";
import { encodingCache } from "./encoding-cache.ts";
import { openEncodingPool } from "./encoding-pool.ts";

/** Opens threads for encoding and the memory of what was encoded. */
export function openEncodingHelp(setup: EncoderSetup, records: number, threads: number): EncodingHelp {
  const pool = openEncodingPool(setup, records, threads);
  return { pool, kept: encodingCache(setup), close: async () => pool?.close() };
}
