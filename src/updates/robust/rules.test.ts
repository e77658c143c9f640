import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { goldenJson } from "../../../test/support/golden.ts";
import { close } from "../../../test/support/play.ts";
import { type CoordinateRule, medianRule, nearestMedianRule, trimmedMeanRule } from "./coordinates.ts";
import {
  boundFactors,
  centredClippingMix,
  foolsGoldWeights,
  geometricMedianMix,
  normalised,
  trustFactors,
} from "./factors.ts";
import { gramOf, relativeToLast, squaredDistances } from "./gram.ts";
import { bulyanChoice, krumChoice, krumScores, multiKrumChoice } from "./krum.ts";

// Made by scripts/golden/make_robust.py.
const golden = goldenJson("robust.json");
const updates: number[][] = golden.updates;
const hostile: number = golden.f;

const mixed = (vectors: readonly number[][], mix: readonly number[]): number[] =>
  vectors[0]!.map((_, at) => vectors.reduce((sum, vector, i) => sum + mix[i]! * vector[at]!, 0));
const meanOf = (vectors: readonly number[][]): number[] =>
  mixed(
    vectors,
    vectors.map(() => 1 / vectors.length),
  );
const byCoordinate = (vectors: readonly number[][], rule: CoordinateRule): number[] =>
  vectors[0]!.map((_, at) =>
    rule(
      Float64Array.from(vectors, (vector) => vector[at]!),
      new Float64Array(vectors.length),
    ),
  );
const at = (places: readonly number[], vectors: readonly number[][]): number[][] => places.map((i) => vectors[i]!);

describe("golden numbers", () => {
  it("median and trimmed mean", () => {
    close(byCoordinate(updates, medianRule()), golden.median, 1e-12);
    close(byCoordinate(updates.slice(0, 8), medianRule()), golden.median_of_first_8, 1e-12);
    close(byCoordinate(updates, trimmedMeanRule(2)), golden.trimmed_mean.value, 1e-12);
  });

  it("Krum and Multi-Krum", () => {
    const gram = gramOf(updates);
    close(krumScores(squaredDistances(gram), hostile), golden.krum.scores, 1e-12 * Math.max(...golden.krum.scores));
    expect(krumChoice(gram, hostile)).toBe(golden.krum.chosen);
    const chosen = multiKrumChoice(gram, hostile, golden.multi_krum.m);
    expect(chosen).toEqual(golden.multi_krum.chosen);
    close(meanOf(at(chosen, updates)), golden.multi_krum.value, 1e-12);
  });

  it("Bulyan, which is not one Multi-Krum", () => {
    const { updates: eleven, f, chosen_in_order, one_multi_krum_would_choose, value } = golden.bulyan;
    const chosen = bulyanChoice(gramOf(eleven), f);
    expect(chosen).toEqual(chosen_in_order);
    expect(chosen).not.toEqual(one_multi_krum_would_choose);
    close(byCoordinate(at(chosen, eleven), nearestMedianRule(chosen.length - 2 * f)), value, 1e-12);
  });

  it("the geometric median, from the Gram matrix alone", () => {
    const { nu, iterations, value, objective } = golden.geometric_median;
    const mix = geometricMedianMix(gramOf(updates), golden.weights, { smoothing: nu, steps: iterations });
    const median = mixed(updates, mix);
    close(median, value, 1e-6);
    const weights = normalised(golden.weights);
    const sum = updates.reduce(
      (total, x, i) => total + weights[i]! * Math.hypot(...x.map((y, j) => y - median[j]!)),
      0,
    );
    expect(sum).toBeCloseTo(objective, 6);
  });

  it("centred clipping", () => {
    const { start, tau, iterations, value } = golden.centred_clipping;
    const all = [...updates, start];
    close(mixed(all, centredClippingMix(gramOf(all), iterations, tau)), value, 1e-12);
  });

  it("the norm bound", () => {
    const factors = boundFactors(gramOf(updates), golden.norm_bound.bound);
    close(factors, golden.norm_bound.factors, 1e-12);
    close(
      mixed(
        updates,
        factors.map((factor) => factor / updates.length),
      ),
      golden.norm_bound.value,
      1e-12,
    );
  });

  it("FLTrust", () => {
    const { trust, factors } = trustFactors(gramOf([...updates, golden.fltrust.root]));
    close(trust, golden.fltrust.trust, 1e-12);
    close(mixed(updates, factors), golden.fltrust.value, 1e-12);
  });

  it("FoolsGold", () => {
    close(foolsGoldWeights(gramOf(golden.foolsgold.history)), golden.foolsgold.weights, 1e-12);
  });
});

const vectors = (fewest: number): fc.Arbitrary<number[][]> =>
  fc.array(fc.array(fc.integer({ min: -64, max: 64 }), { minLength: 3, maxLength: 3 }), {
    minLength: fewest,
    maxLength: 11,
  });

describe("properties", () => {
  it("coordinate rules do not depend on the order of clients", () => {
    fc.assert(
      fc.property(vectors(5), (some) => {
        const other = [...some].reverse();
        for (const rule of [medianRule(), trimmedMeanRule(2)]) {
          close(byCoordinate(some, rule), byCoordinate(other, rule), 1e-12);
        }
      }),
    );
  });

  it("factors go with their clients, whatever the order", () => {
    fc.assert(
      fc.property(vectors(5), (some) => {
        const [one, other] = [gramOf(some), gramOf([...some].reverse())];
        const weights = some.map((_, i) => i + 1);
        close(boundFactors(other).reverse(), boundFactors(one), 1e-9);
        close(krumScores(squaredDistances(other), 1).reverse(), krumScores(squaredDistances(one), 1), 1e-9);
        // Equal vectors may share their part in any way.
        const [mix, reversed] = [geometricMedianMix(one, weights), geometricMedianMix(other, [...weights].reverse())];
        close(mixed([...some].reverse(), reversed), mixed(some, mix), 1e-4);
      }),
    );
  });

  it("Multi-Krum without hostile clients, of all, is the mean", () => {
    fc.assert(
      fc.property(vectors(3), (some) => {
        expect(multiKrumChoice(gramOf(some), 0, some.length)).toEqual([...some.keys()]);
      }),
    );
  });

  it("of equal scores the lowest place is chosen", () => {
    const equal = Array.from({ length: 7 }, () => [1, 2]);
    expect(krumChoice(gramOf(equal), 2)).toBe(0);
    expect(bulyanChoice(gramOf(equal), 1)).toEqual([0, 1, 2, 3, 4]);
  });

  it("each coordinate's shares add up to 1", () => {
    fc.assert(
      fc.property(vectors(5), (some) => {
        for (const rule of [medianRule(), trimmedMeanRule(2), nearestMedianRule(3)]) {
          const shares = new Float64Array(some.length);
          for (let i = 0; i < 3; i++)
            rule(
              Float64Array.from(some, (vector) => vector[i]!),
              shares,
            );
          expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(3, 9);
        }
      }),
    );
  });

  it("changes against the last vector are those of the differences", () => {
    fc.assert(
      fc.property(vectors(3), (some) => {
        const last = some.at(-1)!;
        const changes = some.slice(0, -1).map((vector) => vector.map((x, i) => x - last[i]!));
        relativeToLast(gramOf(some)).forEach((row, i) => close([...row], [...gramOf(changes)[i]!], 1e-9));
      }),
    );
  });

  it("gives nobody a part where FLTrust trusts nobody", () => {
    expect(trustFactors(gramOf([[1], [0], [-1]])).factors).toEqual([0, 0]);
  });

  it("FoolsGold counts clients that are all alike in full", () => {
    expect(
      foolsGoldWeights(
        gramOf([
          [1, 0],
          [1, 0],
        ]),
      ),
    ).toEqual([1, 1]);
  });
});
