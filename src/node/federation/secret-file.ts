import { mkdir, readFile, stat } from "node:fs/promises";
import path from "node:path";
import { UserError } from "../../diagnostics/user-error.ts";
import { identityFromSeed, type Identity, type KeyKind } from "../../identity/keys.ts";
import { withNativeSigning } from "./native-signatures.ts";
import { storageError, writeAtomically } from "../store/durable-file.ts";
import { absentAs, guarded } from "../store/durable-folder.ts";

/** The access bits of all but the owner. */
const OTHERS = 0o077;

/** Writes a file that only its owner may read, durably. */
export async function writeSecret(file: string, text: string): Promise<void> {
  await guarded(file, "write", async () => {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    await writeAtomically(file, text, 0o600);
  });
}

/**
 * Reads a secret file; undefined where it does not exist.
 *
 * @throws UserError("config") where others than the owner may read the file or its folder. Windows has other rules and is
 * not checked.
 */
export async function readSecret(file: string): Promise<string | undefined> {
  return guarded(file, "read", () =>
    absentAs<string | undefined>(undefined, async () => {
      for (const place of [path.dirname(file), file]) {
        const { mode } = await stat(place);
        if (process.platform === "win32" || (mode & OTHERS) === 0) continue;
        const right = place === file ? "600" : "700";
        throw new UserError(
          "config",
          `${place} holds a secret, and others may read it: its mode is ${(mode & 0o777).toString(8)}, expected ${right}`,
          { hint: `Correct it: chmod ${right} ${place}. If another person could read it, make new keys.` },
        );
      }
      return readFile(file, "utf8");
    }),
  );
}

/** Writes the seed of a key. */
export function writeKey(file: string, { seed }: Identity): Promise<void> {
  return writeSecret(file, `${seed}\n`);
}

/**
 * Reads a key. @param publicKey the key that it has to be.
 *
 * @throws UserError("config") where the file is missing, readable by others, damaged or the seed of another key.
 */
export async function readKey(file: string, kind: KeyKind, publicKey: string): Promise<Identity> {
  const seed = await readSecret(file);
  if (seed === undefined) {
    throw new UserError("config", `no key ${file}`, { hint: "Restore the file from a copy." });
  }
  const identity = keyOf(seed, kind, file);
  if (identity.publicKey !== publicKey) {
    throw new UserError("config", `${file} is the key ${identity.publicKey}, expected ${publicKey}`, {
      hint: "Restore the file that belongs to this folder.",
    });
  }
  return identity;
}

/** Reads the text of a key's file. */
export function keyOf(seed: string, kind: KeyKind, file: string): Identity {
  try {
    return withNativeSigning(identityFromSeed(seed, kind));
  } catch (cause) {
    throw new UserError("config", `${file} is damaged: it is not the seed of a key`, {
      hint: "Restore the file from a copy.",
      cause,
    });
  }
}

/** Makes a folder that only its owner may enter. */
export async function makePrivateFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw storageError(folder, "write", error);
  }
}
