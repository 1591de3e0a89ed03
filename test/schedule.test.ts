import { describe, expect, it } from "vitest";
import { learningRateAt } from "../src/schedule.ts";

/** Golden points worked by hand from the formulas: peak 5e-5, 1,000 steps, 10 % warm-up. */
const options = { learningRate: 5e-5, minLearningRateRatio: 0, warmupSteps: 100 };

describe("schedules", () => {
  it("linear: rises to the peak and falls to 0", () => {
    const rates = [0, 50, 100, 550, 1000].map((step) => learningRateAt(step, 1000, { ...options, schedule: "linear" }));
    const expected = [0, 2.5e-5, 5e-5, 2.5e-5, 0];
    for (const [i, rate] of rates.entries()) expect(rate).toBeCloseTo(expected[i]!, 12);
  });

  it("cosine with a floor of 0.1: half way is the mean of peak and floor", () => {
    const cosine = { ...options, schedule: "cosine" as const, minLearningRateRatio: 0.1 };
    const rates = [100, 550, 1000].map((step) => learningRateAt(step, 1000, cosine));
    const expected = [5e-5, 2.75e-5, 5e-6];
    for (const [i, rate] of rates.entries()) expect(rate).toBeCloseTo(expected[i]!, 12);
  });

  it("constant: stays at the peak after the warm-up, past the end too", () => {
    expect(learningRateAt(2000, 1000, { ...options, schedule: "constant" })).toBe(5e-5);
    expect(learningRateAt(0, 1000, { ...options, schedule: "constant", warmupSteps: 0 })).toBe(5e-5);
  });
});
