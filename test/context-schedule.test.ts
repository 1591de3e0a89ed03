import { describe, expect, it } from "vitest";
import { advanceContext, type Context, type ContextState, contextOf, firstContext } from "../src/context-schedule.ts";
import { type RolloutSpec, rollout } from "../src/recipe/schema.ts";

function specOf(contextSchedule: unknown): RolloutSpec {
  return rollout.parse({ promptsPerStep: 4, groupSize: 8, sampling: { maxTokens: 8 }, contextSchedule });
}

/** The limits of every step, whose truncated shares are given; and the state after the last. */
function follow(spec: RolloutSpec, shares: readonly number[], start: ContextState = firstContext, before = 0) {
  const limits: Context[] = [];
  let state = start;
  shares.forEach((truncatedShare, i) => {
    limits.push(contextOf(spec, state));
    state = advanceContext(spec, state, { numSteps: before + i + 1, truncatedShare });
  });
  return { maxTokens: limits.map((each) => each.maxTokens), groupSizes: limits.map((each) => each.groupSize), state };
}

describe("a context schedule", () => {
  it("changes limits and group size after the steps that it names, and keeps a group size until it names another", () => {
    const spec = specOf([
      { maxTokens: 12, groupSize: 16, afterStep: 2 },
      { maxTokens: 16, afterStep: 3 },
    ]);
    const { maxTokens, groupSizes } = follow(spec, [0, 0, 0, 0, 0]);
    expect(maxTokens).toEqual([8, 8, 12, 16, 16]);
    expect(groupSizes).toEqual([8, 8, 16, 16, 16]);
  });

  it("grows once the mean share of the last steps lies above the limit, counted anew in every context", () => {
    const spec = specOf([
      { maxTokens: 12, whenTruncated: { above: 0.5, overSteps: 2 } },
      { maxTokens: 16, whenTruncated: { above: 0.5, overSteps: 2 } },
    ]);
    // 0.9 alone is not two steps; 0.1 and 0.9 are exactly 0.5; 0.9 and 0.2 are above.
    expect(follow(spec, [0.9, 0.1, 0.9, 0.2, 0.9, 0, 0.9, 0.9, 0]).maxTokens).toEqual([8, 8, 8, 8, 12, 12, 12, 12, 16]);
  });

  it("with both conditions begins at what comes first", () => {
    const spec = specOf([{ maxTokens: 12, afterStep: 4, whenTruncated: { above: 0.5, overSteps: 1 } }]);
    expect(follow(spec, [0, 0.6, 0, 0, 0]).maxTokens).toEqual([8, 8, 12, 12, 12]);
    expect(follow(spec, [0, 0, 0, 0, 0]).maxTokens).toEqual([8, 8, 8, 8, 12]);
  });

  it("never goes back, whatever is cut off later", () => {
    const spec = specOf([{ maxTokens: 12, whenTruncated: { above: 0.1, overSteps: 1 } }]);
    expect(follow(spec, [0.2, 0, 0, 1, 0, 0]).maxTokens).toEqual([8, 12, 12, 12, 12, 12]);
  });

  it("resumed from JSON after any step it switches where an uninterrupted one does", () => {
    const spec = specOf([
      { maxTokens: 12, whenTruncated: { above: 0.3, overSteps: 3 } },
      { maxTokens: 16, afterStep: 6, whenTruncated: { above: 0.6, overSteps: 2 } },
    ]);
    const shares = [0.1, 0.5, 0.2, 0.4, 0.1, 0.7, 0.6, 0.2];
    const whole = follow(spec, shares);
    expect(new Set(whole.maxTokens).size).toBe(3);
    for (let cut = 0; cut <= shares.length; cut++) {
      const first = follow(spec, shares.slice(0, cut));
      const second = follow(spec, shares.slice(cut), JSON.parse(JSON.stringify(first.state)), cut);
      expect([...first.maxTokens, ...second.maxTokens]).toEqual(whole.maxTokens);
      expect(second.state).toEqual(whole.state);
    }
  });

  it("an entry without a condition is refused", () => {
    expect(() => specOf([{ maxTokens: 12 }])).toThrow(/expected afterStep, whenTruncated, or both/);
  });
});
