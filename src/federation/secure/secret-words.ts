import {
  type DiscreteGaussianTable,
  discreteGaussianTable,
  drawDiscreteGaussian,
} from "../../privacy/discrete-gaussian.ts";
import { hkdf, secretStream } from "../../privacy/secret-stream.ts";
import type { Bytes } from "../../secagg/bytes.ts";
import { roundingNumbers } from "../../secagg/client.ts";
import { label } from "../../secagg/envelope.ts";
import type { Words } from "../../secagg/mask.ts";
import type { SecureRules } from "../../secagg/rules.ts";
import type { Groups } from "../../tensor/groups.ts";
import { CHECK_WORDS, toNoisyWords, toWords, type VectorLayout } from "./masked-vector.ts";

/** A client's integers before they are masked: rounded at random, or with its noise. All chance is secret. */
export class SecretWords {
  readonly #rules: SecureRules;
  #table: DiscreteGaussianTable | undefined;

  constructor(rules: SecureRules) {
    this.#rules = rules;
  }

  /** The integers of an update. The same master key and salt give the same. */
  async of(
    groups: Groups,
    layout: VectorLayout,
    { records, master, salt }: { readonly records: number; readonly master: Bytes; readonly salt: Bytes },
  ): Promise<Words> {
    const { bits, noise } = this.#rules;
    if (noise === undefined) {
      const uniform = await roundingNumbers(master, salt, "vector", layout.words);
      return toWords(groups, layout, { bits, records, uniform });
    }
    this.#table ??= discreteGaussianTable(noise.sigma);
    const stream = await secretStream(await hkdf(master, salt, label("noise"), 32), "noise");
    const draws = await drawDiscreteGaussian(this.#table, stream, layout.words - CHECK_WORDS);
    return toNoisyWords(groups, layout, { bits, noise, draws });
  }
}
