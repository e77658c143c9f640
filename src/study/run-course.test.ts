import { describe, expect, it } from "vitest";
import { inventedCourse, inventedFigures, inventedFolder } from "../../test/support/invented-course.ts";
import { courseChart, partOf } from "./course-chart.ts";
import { lateClients } from "./run-course.ts";
import { heldOutCurves, trainingCurves, curvesChart } from "./run-charts.ts";
import { overallLosses, passesOf, runFigures } from "./run-figures.ts";

describe("the course of a run", () => {
  const { events } = inventedFolder({ late: ["c"], refused: { b: "not finite" }, records: { a: 50, b: 40 } });

  it("knows who trained, who was refused, who was late and who was not drawn", () => {
    const course = inventedCourse(events);
    expect([...course.records]).toEqual([
      ["a", 50],
      ["b", 40],
    ]);
    const [round] = course.rounds;
    expect(["a", "b", "c", "d"].map((client) => partOf(round!, client))).toEqual([
      "trained",
      "refused",
      "late",
      "not drawn",
    ]);
    expect(lateClients(round!)).toEqual(["c"]);
  });

  it("is the same if events come again after a stop, and counts the stops", () => {
    const again = [...events.slice(0, 4), { type: "run-resume", afterRound: 0 } as const, ...events];
    const { continued, ...rest } = inventedCourse(again);
    expect(continued).toBe(1);
    expect({ ...rest, continued: 0 }).toEqual(inventedCourse(events));
  });

  it("has closed rounds only, and none that is not measured yet", () => {
    expect(inventedCourse(events.filter(({ type }) => type !== "round-end")).rounds).toEqual([]);
    const { run } = inventedFigures({ heldOut: [{ a: 4 }] });
    expect(runFigures(run, inventedCourse(events)).course.rounds).toEqual([]);
  });

  it("is drawn with a mark for each client and round, each kind with a form of its own", () => {
    const { rounds } = inventedCourse(events);
    const svg = courseChart({ title: "<who>", subtitle: "" }, ["a", "b", "c", "d"], rounds);
    expect(svg).toContain("<title>&lt;who&gt;</title>");
    // The legend and the chart: two full squares, two crosses, two hollow squares, two dots.
    expect(svg.match(/class="f-series-0"/g)).toHaveLength(2);
    expect(svg.match(/<path /g)).toHaveLength(2);
    expect(svg.match(/class="s-series-3"/g)).toHaveLength(2);
    expect(svg.match(/<circle /g)).toHaveLength(2);
  });
});

describe("the figures of a run", () => {
  it("are the held-out loss over all sets, and the passes of each client", () => {
    const figures = inventedFigures({ clients: [{ a: { examples: 25 }, b: { examples: 150 } }] });
    expect(overallLosses(figures.run)).toEqual([
      { round: 0, loss: 4.5 },
      { round: 1, loss: 3.5 },
    ]);
    expect(passesOf(figures)).toEqual([
      { client: "a", records: 50, passes: 0.5 },
      { client: "b", records: 50, passes: 3 },
    ]);
  });

  it("are curves in the order of the clients, which are a band if they are many", () => {
    const { run } = inventedFigures({ clients: [{ b: { loss: 2 }, a: { loss: 3 } }] });
    expect(trainingCurves(run, ["a", "b"]).names).toEqual(["a", "b"]);
    expect([...trainingCurves(run, []).rounds[0]!.values]).toEqual([
      ["b", 2],
      ["a", 3],
    ]);
    expect(heldOutCurves(run, "loss").rounds.map(({ overall }) => overall)).toEqual([4.5, 3.5]);
    const many = Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`c${i}`, { loss: i }]));
    const { svg } = curvesChart(trainingCurves(inventedFigures({ clients: [many] }).run, []), {
      title: "t",
      unit: "nats",
    });
    expect(svg).toContain("nats; band: lowest to highest of 11");
    expect(svg).not.toContain(">c3<");
  });
});
