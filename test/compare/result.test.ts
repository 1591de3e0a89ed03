import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { costToTarget, type RunCurves, readRun } from "../../src/compare/read-run.ts";
import { judge, type StudyRun, shownP } from "../../src/compare/result.ts";
import { tinyRecipe, tinyStages } from "../pipeline/tiny.ts";

function curvesOf(finalScore: number, overrides: Partial<RunCurves> = {}): RunCurves {
  const cost = { samples: 96, tokens: 1000, seconds: 4 };
  return { finalScore, bestScore: finalScore, area: null, evaluations: [], steps: [], cost, ...overrides };
}

/** One complete run for each score, seeds from 1; null: a run that failed. */
function runsOf(label: string, scores: readonly (number | null)[]): StudyRun[] {
  return scores.map((score, i) => ({
    label,
    seed: i + 1,
    run: `/runs/${label}-${i + 1}`,
    status: score === null ? "failed" : "complete",
    reason: score === null ? "Its process was ended by SIGKILL." : null,
    curves: score === null ? null : curvesOf(score),
  }));
}

function study(scores: Readonly<Record<string, readonly (number | null)[]>>) {
  const labels = Object.keys(scores);
  const runs = labels.flatMap((label) => runsOf(label, scores[label]!));
  return judge(
    labels,
    scores[labels[0]!]!.map((_, i) => i + 1),
    runs,
  );
}

describe("a verdict", () => {
  it("names the better one, by how much, with its interval: differences 4, 6, 5, 7, 3 points", () => {
    // Mean 5, s = sqrt(2.5) = 1.581, s / sqrt(5) = 0.7071; 2.776 x 0.7071 = 1.963; t = 7.07 with 4 degrees of freedom: p = 0.0021.
    const { comparisons } = study({ low: [0.5, 0.5, 0.5, 0.5, 0.5], high: [0.54, 0.56, 0.55, 0.57, 0.53] });
    expect(comparisons[0]).toMatchObject({ a: "high", b: "low", verdict: "better" });
    expect(comparisons[0]!.sentence).toBe(
      "high is better than low by 5.0 points [3.0, 7.0] of final held-out score (5 seeds, p = 0.002).",
    );
  });

  it("says that no difference was shown, and what could have been seen: differences 4, -3, 2, -1 points", () => {
    // Mean 0.5, s = 3.109, s / 2 = 1.555; 3.182 x 1.555 = 4.95; (3.182 + 0.978) x 1.555 = 6.47.
    const { comparisons } = study({ a: [0.54, 0.47, 0.52, 0.49], b: [0.5, 0.5, 0.5, 0.5] });
    expect(comparisons[0]!.verdict).toBe("noDifferenceShown");
    expect(comparisons[0]!.sentence).toMatch(
      /^No difference shown between a and b: 0\.5 points \[-4\.4, 5\.4\] \(4 seeds, p = 0\.769\)\. With 4 seeds .* a difference under 6\.5 points could not have been seen/,
    );
  });

  it("is withheld with one seed, which has no interval", () => {
    const [comparison] = study({ a: [0.9], b: [0.1] }).comparisons;
    expect(comparison).toMatchObject({ verdict: "noVerdict", adjustedP: null, minimumDetectableEffect: null });
    expect(comparison!.sentence).toContain("one seed gives a difference, 80.0 points, and no interval");
  });

  it("of equal differences has no interval, and claims nothing", () => {
    const [comparison] = study({ a: [0.6, 0.7], b: [0.5, 0.6] }).comparisons;
    expect(comparison!.sentence).toMatch(
      /^No difference shown between a and b: 10\.0 points in every seed \(2 seeds, p = 0\.500\)/,
    );
  });

  it("leaves out the pair of a failed run, and scores it nowhere", () => {
    const { comparisons, summaries } = study({ a: [0.9, null, 0.9, 0.8], b: [0.5, 0.1, 0.6, 0.5] });
    expect(comparisons[0]!.final).toMatchObject({ numSeeds: 3 });
    expect(comparisons[0]!.final!.mean).toBeCloseTo((0.4 + 0.3 + 0.3) / 3, 12);
    expect(summaries.map(({ numRuns }) => numRuns)).toEqual([3, 4]);
    expect(summaries[0]!.final!.mean).toBeCloseTo(2.6 / 3, 12);
  });

  it("is withheld where no seed has both runs", () => {
    const [comparison] = study({ a: [null, 0.5], b: [0.5, null] }).comparisons;
    expect(comparison).toMatchObject({ verdict: "noVerdict", final: null });
    expect(comparison!.sentence).toContain("no seed has a complete run of both");
  });

  it("of three recipes counts after Holm: p = 0.03 alone is no difference among three", () => {
    // a - b is 1, 2, 3, 0.2, 1 points: t = 3.07, p = 0.037; c is like b.
    const b = [0.5, 0.5, 0.5, 0.5, 0.5];
    const scores = { a: [0.51, 0.52, 0.53, 0.502, 0.51], b, c: [0.501, 0.499, 0.5, 0.502, 0.498] };
    const pair = (result: ReturnType<typeof study>) =>
      result.comparisons.find((one) => one.a === "a" && one.b === "b")!;
    expect(pair(study({ a: scores.a, b })).verdict).toBe("better");
    const among = pair(study(scores));
    expect(among.verdict).toBe("noDifferenceShown");
    expect(among.adjustedP!).toBeCloseTo(3 * among.final!.p!, 12);
    expect(among.sentence).toContain("Alone, this comparison would count");
  });
});

describe("the cost to the target", () => {
  const evaluations = [0.2, 0.7, 0.6, 0.9].map((score, i) => ({
    step: 10 * i,
    score,
    cost: { samples: 100 * i, tokens: 1000 * i, seconds: 5 * i },
  }));

  it("is that of the first evaluation at or above it", () => {
    const run = curvesOf(0.9, { evaluations });
    expect(costToTarget(run, 0.7)).toEqual({ samples: 100, tokens: 1000, seconds: 5 });
    expect(costToTarget(run, 0.71)).toEqual({ samples: 300, tokens: 3000, seconds: 15 });
    expect(costToTarget(run, 0.2)).toEqual({ samples: 0, tokens: 0, seconds: 0 });
    expect(costToTarget(run, 0.95)).toBeNull();
  });

  it("of runs that never reach it is counted and not averaged; the target is the lowest mean final score", () => {
    const runs = [...runsOf("a", [0.9, 0.4]), ...runsOf("b", [0.8, 0.7])];
    const withCurve = runs.map((run) =>
      run.label === "a" && run.seed === 1 ? { ...run, curves: curvesOf(0.9, { evaluations }) } : run,
    );
    const { target, summaries } = judge(["a", "b"], [1, 2], withCurve);
    expect(target).toBeCloseTo(0.65, 12);
    expect(summaries[0]!.toTarget).toEqual({ numReached: 1, cost: { samples: 100, tokens: 1000, seconds: 5 } });
    expect(judge(["a", "b"], [1, 2], withCurve, 0.9).summaries[0]!.toTarget.cost!.samples).toBe(300);
  });
});

describe("a run's metrics", () => {
  const recipe = tinyRecipe();
  const dir = mkdtempSync(join(tmpdir(), "grouper-read-"));
  const write = (name: string, records: readonly object[]) => {
    mkdirSync(join(dir, name));
    writeFileSync(join(dir, name, "metrics.jsonl"), records.map((record) => `${JSON.stringify(record)}\n`).join(""));
    return join(dir, name);
  };
  const step = (number: number) => ({
    stage: "rl",
    step: number,
    reward: number / 10,
    num_samples: 16 * number,
    num_tokens: 150 * number,
    "time/step": 2,
  });

  it("become the curve, its area, the best and the final score, and costs without evaluations and earlier stages", async () => {
    const path = write("whole", [
      { stage: "sft", step: 1, loss: 3, num_tokens: 99, "time/step": 100 },
      { stage: "rl", step: 0, "eval/pass@1": 0.2, "time/eval": 50 },
      step(1),
      step(2),
      { stage: "rl", step: 2, "eval/pass@1": 0.8, "time/eval": 50 },
      step(3),
      { stage: "rl", step: 3, "eval/pass@1": 0.6, "time/eval": 50 },
    ]);
    const run = await readRun(path, recipe);
    expect(run.evaluations).toEqual([
      { step: 0, score: 0.2, cost: { samples: 0, tokens: 0, seconds: 0 } },
      { step: 2, score: 0.8, cost: { samples: 32, tokens: 300, seconds: 4 } },
      { step: 3, score: 0.6, cost: { samples: 48, tokens: 450, seconds: 6 } },
    ]);
    // Trapezoids: 2 steps at 0.5 and one at 0.7, over 3 steps.
    expect(run.area).toBeCloseTo((2 * 0.5 + 0.7) / 3, 12);
    expect([run.finalScore, run.bestScore]).toEqual([0.6, 0.8]);
    expect(run.steps.map(({ values }) => values["reward"])).toEqual([0.1, 0.2, 0.3]);
  });

  it("the last stage that evaluates decides: an eval stage after the curve", async () => {
    const { data, rewards } = tinyStages[1] as { data: object; rewards: object };
    const last = { type: "eval", name: "test", data, rewards, sampling: { maxTokens: 12 } };
    const withTest = tinyRecipe({ stages: [...tinyStages, last as never] });
    const path = write("test", [
      { stage: "rl", step: 0, "eval/pass@1": 0.2 },
      step(1),
      { stage: "rl", step: 1, "eval/pass@1": 0.8 },
      { stage: "test", step: 0, "eval/pass@1": 0.5 },
    ]);
    expect(await readRun(path, withTest)).toMatchObject({ finalScore: 0.5, bestScore: 0.8, area: 0.5 });
  });

  it("without an evaluation are refused", async () => {
    await expect(readRun(write("none", [step(1)]), recipe)).rejects.toThrow(/Expected an evaluation in .*none/);
  });
});

it("a p beside the level keeps the decimals that say on which side it is", () => {
  expect([0.0498, 0.0502, 0.02, 0.51, 0.0004].map(shownP)).toEqual([
    "0.04980",
    "0.05020",
    "0.020",
    "0.510",
    "below 0.001",
  ]);
});
