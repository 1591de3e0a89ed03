import { describe, expect, it } from "vitest";
import { expectationOf } from "../../src/compare/expectation.ts";
import { judge, type StudyRun } from "../../src/compare/result.ts";
import { tinyRecipe, tinyStages } from "../pipeline/tiny.ts";

const [sft, rl] = tinyStages;
const held = { type: "task" as const, task: "arithmetic", params: { digits: 2 }, size: 64, split: "eval" as const };
const withEval = (label: string, evaluation: object) => ({
  label,
  recipe: tinyRecipe({ stages: [sft!, { ...rl!, eval: evaluation } as never] }),
});
const arms = [withEval("a", { data: held, numSamples: 4 }), withEval("b", { data: held, numSamples: 4 })];
const nothing = judge(["a", "b"], [1, 2, 3, 4, 5], []);

describe("what a study can find", () => {
  it("follows from the size of the evaluation and an assumption that is told: 5 seeds, 64 prompts x 4", async () => {
    // sqrt(0.02^2 + 2 x 0.25 / 256) = 0.04851; times (2.776 + 0.941) / sqrt(5) = 1.6624: 8.06 points.
    const { effect, sentence } = await expectationOf(arms, 5, nothing);
    expect(effect).toBeCloseTo(0.0806, 3);
    expect(sentence).toMatch(
      /^With 5 seeds a difference of 8\.1 points is found four times out of five.*assuming a spread of 2\.0 points between seeds.*256 held-out samples/,
    );
  });

  it("is what the smaller evaluation allows, and more is asked where comparisons share the level", async () => {
    const small = await expectationOf([arms[0]!, withEval("c", { data: held })], 5, nothing);
    expect(small.sentence).toContain("64 held-out samples");
    const three = await expectationOf([...arms, withEval("c", { data: held, numSamples: 4 })], 5, nothing);
    expect(three.effect!).toBeGreaterThan(0.0806 * 1.2);
    expect(three.sentence).toContain("shared by 3 comparisons");
  });

  it("follows from runs that are there, where there are some: differences of 1 and 3 points", async () => {
    const runs = [0.51, 0.5, 0.53, 0.5].map((finalScore, i): StudyRun => {
      const cost = { samples: 1, tokens: 1, seconds: 1 };
      const curves = { finalScore, bestScore: finalScore, area: null, evaluations: [], steps: [], cost };
      return { label: i % 2 === 0 ? "a" : "b", seed: 1 + (i >> 1), run: "", status: "complete", reason: null, curves };
    });
    // s = sqrt(2) = 1.414 points; times 1.6624: 2.35.
    const { effect, sentence } = await expectationOf(arms, 5, judge(["a", "b"], [1, 2], runs));
    expect(effect).toBeCloseTo(0.0235, 4);
    expect(sentence).toContain("differences of the runs that are there have a standard deviation of 1.4 points");
  });

  it("is nothing for one seed, and nothing yet for prompts that must be downloaded", async () => {
    expect(await expectationOf(arms, 1, nothing)).toMatchObject({ effect: null });
    const hub = withEval("hub", { data: { type: "hub", dataset: "openai/gsm8k", split: "test" } });
    const unknown = await expectationOf([arms[0]!, hub], 5, nothing);
    expect(unknown).toMatchObject({ effect: null });
    expect(unknown.sentence).toContain("known once they are downloaded");
  });

  it("of two seeds says that nothing is found, not that 100 points are", async () => {
    const tiny = withEval("tiny", { data: { ...held, size: 8 } });
    const { sentence } = await expectationOf([arms[0]!, tiny], 2, nothing);
    expect(sentence).toMatch(/^With 2 seeds not even the largest difference is found/);
  });
});
