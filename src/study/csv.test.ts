import { expect, test } from "vitest";
import { scoresCsv } from "./csv.ts";

/** The cells that a run with these names writes. */
function cellsOf(folder: string, label: string, set: string, value: number): string {
  const scores = new Map([[set, { records: 3, values: new Map([["loss", value]]) }]]);
  const rounds = [{ round: 1, heldOut: scores, personal: new Map(), withheld: new Map() }];
  return scoresCsv({ groups: [{ label, runs: [{ folder, seed: 7, rounds }] }] } as never).split("\r\n")[1]!;
}

test("names of others are text: no control character, no formula", () => {
  expect(cellsOf("\u001b]0;owned\u0007", "a\nb\u202ec", "d\u009b31m", -1.5)).toBe(
    String.raw`\u001b]0;owned\u0007,a\u000ab\u202ec,7,1,global,d\u009b31m,3,loss,-1.5`,
  );
  expect(cellsOf("=1+1", "@SUM(A1)", "  +cmd", 2)).toBe("'=1+1,'@SUM(A1),7,1,global,'  +cmd,3,loss,2");
  expect(cellsOf('-2+3,"x"', "＝1", "a=b", 2)).toBe(`"'-2+3,""x""",'＝1,7,1,global,a=b,3,loss,2`);
  expect(cellsOf("-5", "+1e3", "-", 2)).toBe("-5,+1e3,7,1,global,'-,3,loss,2");
});
