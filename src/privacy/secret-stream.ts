/**
 * Secret random bytes: the same key and purpose give the same bytes, and nobody without the key can tell them from
 * chance. Noise, masks and secret coins come from here and never from a public seed.
 */
export interface SecretStream {
  /** The next `length` bytes. Calls take turns: one begins when the one before has returned. */
  bytes(length: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** Bytes of one call to the cipher: from the first to the largest. WebCrypto copies what it is given and what it returns. */
const FIRST_PIECE = 1 << 12;
export const LARGEST_PIECE: number = 1 << 20;
const ZEROS = new Uint8Array(LARGEST_PIECE);
const BLOCK = 16;

/** A fresh key of 32 bytes. It must be stored, once and durably, before anything made of it is used. */
export const newSecretKey = (): Uint8Array<ArrayBuffer> => crypto.getRandomValues(new Uint8Array(32));

/**
 * The stream of a 32-byte `key` for one `purpose`: AES-256-CTR under HKDF-SHA256(key, info = purpose). A purpose names
 * everything that tells two streams apart, such as run, round, use and client.
 */
export async function secretStream(key: Uint8Array, purpose: string): Promise<SecretStream> {
  checkKey(key);
  return keyStream(await hkdf(key, new Uint8Array(), new TextEncoder().encode(purpose), 32));
}

/** Cuts `length` bytes, at most `LARGEST_PIECE`, out of a key stream at byte `at`, a multiple of 16. */
export type CutPiece = (at: number, length: number) => Promise<ArrayBuffer>;

/** The key stream of AES-256-CTR (NIST SP 800-38A) from counter 0: the encryption of zeros under a key for it alone. */
export async function keyStreamPieces(key: Uint8Array): Promise<CutPiece> {
  const cipher = await crypto.subtle.importKey("raw", plain(key), "AES-CTR", false, ["encrypt"]);
  return (at, length) => {
    const counter = new Uint8Array(BLOCK);
    new DataView(counter.buffer).setBigUint64(8, BigInt(at / BLOCK));
    return crypto.subtle.encrypt({ name: "AES-CTR", counter, length: 64 }, cipher, ZEROS.subarray(0, length));
  };
}

/** The same stream, as long as it is asked for. */
export async function keyStream(key: Uint8Array): Promise<SecretStream> {
  checkKey(key);
  const cut = await keyStreamPieces(key);
  let piece = new Uint8Array();
  let used = 0;
  let end = 0;
  let nextSize = FIRST_PIECE;

  async function nextPiece(): Promise<void> {
    piece = new Uint8Array(await cut(end, nextSize));
    end += nextSize;
    used = 0;
    nextSize = Math.min(2 * nextSize, LARGEST_PIECE);
  }

  return {
    async bytes(length) {
      const out = new Uint8Array(length);
      for (let filled = 0; filled < length;) {
        if (used === piece.length) await nextPiece();
        const taken = piece.subarray(used, used + length - filled);
        out.set(taken, filled);
        filled += taken.length;
        used += taken.length;
      }
      return out;
    },
  };
}

/** Secret coins: multiples of 2⁻⁵³ in [0, 1), each from the next 8 bytes. */
export async function secretCoins(stream: SecretStream, count: number): Promise<Float64Array> {
  const view = new DataView((await stream.bytes(8 * count)).buffer);
  return Float64Array.from({ length: count }, (_, i) => Number(view.getBigUint64(8 * i, true) >> 11n) / 2 ** 53);
}

/** HKDF-SHA256 (RFC 5869): `length` bytes derived from a secret. An empty salt stands for 32 zeros. */
export async function hkdf(
  secret: Uint8Array,
  salt: Uint8Array,
  info: Uint8Array,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const key = await crypto.subtle.importKey("raw", plain(secret), "HKDF", false, ["deriveBits"]);
  const algorithm = { name: "HKDF", hash: "SHA-256", salt: plain(salt), info: plain(info) };
  return new Uint8Array(await crypto.subtle.deriveBits(algorithm, key, 8 * length));
}

/** The standard's types leave out views on shared memory, which WebCrypto refuses; no key of ours is one. */
const plain = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => bytes as Uint8Array<ArrayBuffer>;

function checkKey(key: Uint8Array): void {
  if (key.length !== 32) throw new RangeError(`a secret key has 32 bytes, got ${key.length}`);
}
