import { describe, expect, it } from "vitest";
import { evaluate, summarise } from "../src/evaluate.ts";
import { majority, passAtK, standardError } from "../src/math/pass-at-k.ts";
import { populationStd } from "../src/math/statistics.ts";
import { toRollout } from "../src/rollout.ts";
import type { PolicyServer } from "../src/server/server.ts";
import type { Group, Prompt, ScoredGroup } from "../src/types.ts";

const prompt: Prompt = { id: "p", text: "1/4+1/4=", tokenIds: [1, 2], prefill: "", answer: "0.5", fields: {} };

/** A group whose completions are these texts, judged right where `right` says so; null = the reward abstained. */
function groupOf(texts: readonly string[], right: readonly (boolean | null)[]): ScoredGroup {
  return {
    prompt,
    rollouts: texts.map((text, i) =>
      toRollout(prompt, {
        tokenIds: [...text].map((_, j) => j),
        logprobs: new Float32Array([...text].length),
        text,
        finishReason: i === 0 ? "length" : "stop",
        policyVersion: 0,
      }),
    ),
    rewards: right.map((verdict) => ({
      total: verdict === null ? null : Number(verdict),
      outcomes: { accuracy: verdict === null ? { status: "abstained" } : { status: "scored", score: Number(verdict) } },
    })),
  };
}

describe("pass@k", () => {
  // Chen et al. 2021, eq. 1, evaluated by hand as 1 - C(n-c,k)/C(n,k).
  it.each([
    [64, 16, 1, 0.25],
    [64, 16, 4, 0.693756],
    [16, 1, 8, 0.5],
    [4, 2, 3, 1],
    [10, 3, 5, 0.916667],
  ])("n=%i c=%i k=%i is %f", (n, c, k, expected) => {
    expect(passAtK(n, c, k)).toBeCloseTo(expected, 6);
  });

  it("refuses a k that the samples cannot answer", () => {
    expect(() => passAtK(4, 1, 8)).toThrow(/needs at least 8 samples/);
  });

  it("the error of five runs: population deviation over sqrt(5) is 0.028284, sample deviation a little more", () => {
    const runs = [0.6, 0.7, 0.5, 0.6, 0.6];
    expect(populationStd(runs) / Math.sqrt(5)).toBeCloseTo(0.028284, 6);
    expect(standardError(runs)).toBeCloseTo(0.0316228, 6);
  });
});

describe("majority", () => {
  const same = (a: string, b: string) => Number(a) === Number(b);
  it("merges equivalent answers", () => {
    expect(majority(["7", "0.5", "7", ".5", "0.50"], same)).toEqual({ index: 1, votes: 3, tied: false });
  });
  it("an empty or missing answer never wins", () => {
    expect(majority(["", "", null, "3"], same)).toEqual({ index: 3, votes: 1, tied: false });
    expect(majority([null, ""], same)).toBeNull();
  });
  it("a tie goes to the answer that came first, and is reported", () => {
    expect(majority(["2", "1", "1", "2"], same)).toEqual({ index: 0, votes: 2, tied: true });
  });
});

describe("evaluation", () => {
  it("asks for no exact log-probabilities, since nobody trains on them", async () => {
    const asked: (boolean | undefined)[] = [];
    const server: PolicyServer = {
      info: { url: "memory:", version: "test", model: "m", maxModelLen: 64 },
      policyVersion: 0,
      async sample({ exactLogprobs, numCompletions }) {
        asked.push(exactLogprobs);
        const completion = { tokenIds: [1], logprobs: new Float32Array(1), text: "1", policyVersion: 0 };
        return Array.from({ length: numCompletions }, () => ({ ...completion, finishReason: "stop" as const }));
      },
      publish: async () => {},
      async [Symbol.asyncDispose]() {},
    };
    const params = { temperature: 0.6, topP: 0.95, topK: 0, minP: 0, maxTokens: 4, stopTokenIds: [] };
    const score = async (sampled: readonly Group[]) =>
      sampled.map((group) => ({ ...group, rewards: group.rollouts.map(() => ({ total: 1, outcomes: {} })) }));
    const answer = { method: "exact", from: "auto" } as const;
    await evaluate({ server, prompts: [prompt], score, metric: "accuracy", answer, numSamples: 2, params, seed: 1 });
    expect(asked).toEqual([false]);
  });

  const groups = [
    groupOf(
      ["<answer>1/2</answer>", "<answer>0.5</answer>", "<answer>7</answer>", "<answer>8</answer>"],
      [true, true, false, false],
    ),
    groupOf(["<answer>7</answer>", "<answer>7</answer>", "<answer>0.5</answer>", "none"], [false, false, true, null]),
  ];
  const result = summarise(groups, "accuracy", { method: "numeric", from: "auto" });

  it("pass@1 is the mean over prompts of their shares, an unjudged sample counting as wrong", () => {
    expect(result.passAt1).toBeCloseTo((0.5 + 0.25) / 2, 12);
    expect(result.numUnjudged).toBe(1);
    // Two prompts: sample deviation of (0.5, 0.25) is 0.25 / sqrt(2); over sqrt(2) that is 0.125.
    expect(result.standardError).toBeCloseTo(0.125, 12);
  });

  it("pass@k is given for powers of two", () => {
    expect(Object.keys(result.passAtK)).toEqual(["1", "2", "4"]);
    // 1 - C(2,2)/C(4,2) = 5/6 and 1 - C(3,2)/C(4,2) = 1/2.
    expect(result.passAtK[2]).toBeCloseTo((5 / 6 + 1 / 2) / 2, 12);
  });

  it("cons@k lets 1/2 and 0.5 vote together", () => {
    expect(result.items.map((item) => item.majorityCorrect)).toEqual([true, false]);
    expect(result.consAtK).toBe(0.5);
  });

  it("a vote is by the verifier's own method: two orders of the same statements are one answer", () => {
    const puzzle = { ...prompt, fields: { names: ["Ann", "Bob"] } };
    const texts = [
      "Ann is a knight, Bob is a knave",
      "Bob is a knight, Ann is a knight",
      "Bob is a knave, Ann is a knight",
    ];
    const group = {
      ...groupOf(
        texts.map((text) => `<answer>${text}</answer>`),
        [true, false, true],
      ),
      prompt: puzzle,
    };
    const { consAtK, numTies } = summarise([group], "accuracy", { method: "knights-knaves", from: "auto" });
    expect({ consAtK, numTies }).toEqual({ consAtK: 1, numTies: 0 });
    expect(summarise([group], "accuracy", { method: "exact", from: "auto" }).numTies).toBe(1);
  });

  it("lengths and truncation are means over all samples", () => {
    expect(result.truncatedShare).toBe(0.25);
    expect(result.meanTokens).toBeCloseTo((20 + 20 + 18 + 18 + 18 + 18 + 20 + 4) / 8, 12);
  });
});
