import type { Words } from "../../secagg/mask.ts";
import type { SecureRules } from "../../secagg/rules.ts";
import { BlobError } from "../../store/store.ts";
import { asChange, wireShape } from "../../updates/wire.ts";
import { readSubmission } from "../decision.ts";
import type { Refusal, RoundOpening, SubmittedUpdate } from "../protocol/messages.ts";
import type { KeyList } from "../protocol/secure-messages.ts";
import { readAdapter } from "../round.ts";
import type { RoundContext } from "../synchronous-round.ts";
import { CHECK_WORDS, type VectorLayout, vectorLayout, wordsOf } from "./masked-vector.ts";

/** A masked vector that can enter a sum, and its check words; or the reason why it cannot. */
type VectorVerdict = { readonly update: string; readonly check: Words } | Refusal;

/** Looks at the masked vectors of one round, at each once: all that can be seen of one is its length. */
export class VectorJudge {
  readonly #context: RoundContext;
  readonly #rules: SecureRules;
  readonly #opening: RoundOpening;
  readonly #verdicts = new Map<string, VectorVerdict>();
  #layout: Promise<VectorLayout> | undefined;

  constructor(context: RoundContext, rules: SecureRules, opening: RoundOpening) {
    this.#context = context;
    this.#rules = rules;
    this.#opening = opening;
  }

  /** The verdict on the vector of a client that has answered, which is reported. */
  async verdict(client: string, list: KeyList): Promise<VectorVerdict> {
    const known = this.#verdicts.get(client);
    if (known !== undefined) return known;
    const { options, report } = this.#context;
    const { round } = this.#opening;
    const found = (await readSubmission(options.store, round, client))!;
    await report(round, client, found);
    const verdict = "refused" in found ? found : await this.#look(list, found);
    this.#verdicts.set(client, verdict);
    return verdict;
  }

  async #look(list: KeyList, { client, update, base }: SubmittedUpdate): Promise<VectorVerdict> {
    if (base !== this.#opening.adapter) return { client, refused: `it was trained from another adapter (${base})` };
    const { words } = await (this.#layout ??= this.#makeLayout(list));
    const { bits } = this.#rules;
    const expected = words * (bits / 8);
    try {
      const bytes = await this.#context.options.store.blob(update, client);
      if (bytes.length !== expected) {
        return { client, refused: `its masked vector has ${bytes.length} bytes, expected ${expected}` };
      }
      return { update, check: wordsOf(bytes.slice(0, CHECK_WORDS * (bits / 8)), bits) };
    } catch (error) {
      if (error instanceof BlobError) return { client, refused: error.message };
      throw error;
    }
  }

  async #makeLayout({ weightMax }: KeyList): Promise<VectorLayout> {
    const { store, algorithm, stages = [] } = this.#context.options;
    const { adapter, clients, round } = this.#opening;
    const groups = asChange(algorithm.update(await readAdapter(store, adapter), round));
    const place = { rules: this.#rules, clients: clients.length, weightMax };
    return vectorLayout(groups, wireShape(groups, stages), place);
  }
}
