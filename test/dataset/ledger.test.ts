import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createLedger, passCountOf, passed, solvedMetrics } from "../../src/dataset/ledger.ts";
import type { Prompt, Reward } from "../../src/types.ts";

const prompt: Prompt = { id: "p", text: "p", tokenIds: [1], prefill: "", answer: null, fields: {} };

function scored(score: number, total = score): Reward {
  return { total, outcomes: { accuracy: { status: "scored", score } } };
}
const abstained: Reward = { total: null, outcomes: { accuracy: { status: "abstained" } } };
const failed: Reward = { total: null, outcomes: { accuracy: { status: "failed", error: "broke" } } };

describe("a pass", () => {
  it("is a score above 0.5 of the named reward, or a total above 0.5 where none is named", () => {
    expect(passed(scored(0.5, 2), "accuracy")).toBe(false);
    expect(passed(scored(0.51, 0), "accuracy")).toBe(true);
    expect(passed(scored(0, 0.6), undefined)).toBe(true);
  });

  it("is unknown, and no sample, where the reward abstained, failed or is not there", () => {
    for (const reward of [abstained, failed]) {
      expect(passed(reward, "accuracy")).toBe(null);
      expect(passed(reward, undefined)).toBe(null);
    }
    expect(passed(scored(1), "format")).toBe(null);
    expect(passCountOf({ prompt, rewards: [scored(1), abstained, scored(0), failed] }, "accuracy")).toEqual({
      samples: 2,
      passes: 1,
    });
  });
});

describe("the ledger", () => {
  it("keeps all rollouts of a prompt and those of its last judged group", () => {
    const ledger = createLedger(3);
    ledger.add(1, { samples: 4, passes: 1 });
    ledger.add(1, { samples: 3, passes: 3 });
    ledger.add(1, { samples: 0, passes: 0 });
    expect(ledger.all(1)).toEqual({ samples: 7, passes: 4 });
    expect(ledger.last(1)).toEqual({ samples: 3, passes: 3 });
    expect(ledger.all(0)).toEqual({ samples: 0, passes: 0 });
  });

  it("counts prompts that were solved never, sometimes and always among those judged", () => {
    const ledger = createLedger(9);
    ledger.add(0, { samples: 4, passes: 0 });
    ledger.add(3, { samples: 4, passes: 4 });
    ledger.add(5, { samples: 4, passes: 4 });
    ledger.add(5, { samples: 4, passes: 3 });
    ledger.add(8, { samples: 1, passes: 1 });
    expect(ledger.summary()).toEqual({ seen: 4, never: 1, sometimes: 1, always: 2 });
  });

  it("equals a plain count of any history, also through JSON and back at any point", () => {
    const visit = fc.record({
      index: fc.nat(9),
      samples: fc.nat(8),
      passShare: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(visit, { maxLength: 60 }), fc.nat(60), (visits, cut) => {
        let ledger = createLedger(10);
        const plain = Array.from({ length: 10 }, () => ({ samples: 0, passes: 0 }));
        const last = plain.map((count) => ({ ...count }));
        visits.forEach(({ index, samples, passShare }, i) => {
          if (i === cut) ledger = createLedger(10, JSON.parse(JSON.stringify(ledger.state())));
          const passes = Math.floor(samples * passShare);
          ledger.add(index, { samples, passes });
          plain[index]!.samples += samples;
          plain[index]!.passes += passes;
          if (samples > 0) last[index] = { samples, passes };
        });
        for (let index = 0; index < 10; index++) {
          expect(ledger.all(index)).toEqual(plain[index]);
          expect(ledger.last(index)).toEqual(last[index]);
        }
        expect(ledger.state().index).toEqual([...plain.keys()].filter((index) => plain[index]!.samples > 0));
      }),
      { seed: 3, numRuns: 200 },
    );
  });
});

describe("solved_none, solved_some, solved_all", () => {
  it("are shares of the groups that could be judged", () => {
    const groups = [
      [scored(0), scored(0)],
      [scored(1), scored(0)],
      [scored(1), scored(1)],
      [scored(1), abstained],
      [abstained, failed],
    ].map((rewards) => ({ prompt, rewards }));
    expect(solvedMetrics(groups, "accuracy")).toEqual({ solved_none: 0.25, solved_some: 0.25, solved_all: 0.5 });
    expect(solvedMetrics(groups.slice(-1), "accuracy")).toEqual({});
  });
});
