/** Scripted policies that please their reward: each raises its own alarm and no other, and earns nothing from the shipped rewards. */
import { describe, expect, it } from "vitest";
import accuracy from "../../rewards/accuracy.ts";
import format from "../../rewards/format.ts";
import { type Alarm, type AuditedCompletion, type AuditedStep, meanOf } from "../../src/audit/audit.ts";
import { type AuditOptions, auditStep, auditSteps } from "../../src/audit/detectors.ts";
import { componentShares, differencesOf } from "../../src/audit/differences.ts";
import { auditState, noAudit } from "../../src/audit/history.ts";
import { repeatedShare } from "../../src/audit/patterns.ts";
import { sampleOf } from "../../src/audit/sample.ts";
import { mainScript } from "../../src/audit/script.ts";
import { createRandom } from "../../src/random.ts";
import { audit } from "../../src/recipe/audit-schema.ts";
import { cpuMs } from "../cpu-time.ts";

const PROMPT = "How many apples does she have in the end, if three more are given to her?";
const honest = (answer: string) =>
  `<think>She begins with a few apples, is given three more, and so I add both counts.</think> <answer>${answer}</answer>`;
const options: AuditOptions = { ...audit.parse({}), primary: "accuracy" };
const scored = (score: number) => ({ status: "scored" as const, score });
const paying = (total: number) => ({ total, components: { accuracy: total }, primary: total });

/** An honest completion of step `step`, its group chosen by its index; every second one is right. */
function completion(step: number, index: number, changes: Partial<AuditedCompletion> = {}): AuditedCompletion {
  const isRight = index % 2 === 0;
  const total = isRight ? 1 : 0;
  return {
    ...{ step, index, group: Math.floor(index / 4), promptId: "p", prompt: PROMPT, answer: "7", finishReason: "stop" },
    response: honest(isRight ? "7" : "8"),
    numTokens: 100 + ((7 * index + 3 * step) % 11),
    ...paying(total),
    shadows: { strict: scored(total) },
    ...changes,
  };
}

function stepOf(step: number, completions: readonly AuditedCompletion[]): AuditedStep {
  return {
    ...{ step, completions, sample: completions },
    reward: meanOf(completions.flatMap(({ total }) => total ?? [])),
    primary: meanOf(completions.flatMap(({ primary }) => primary ?? [])),
  };
}

/** [numSteps] of 16; `change` turns honest completions into others. */
function steps(
  change: (step: number, index: number) => Partial<AuditedCompletion> = () => ({}),
  numSteps = 30,
): AuditedStep[] {
  return Array.from({ length: numSteps }, (_, step) =>
    stepOf(
      step + 1,
      Array.from({ length: 16 }, (_, index) => completion(step + 1, index, change(step + 1, index))),
    ),
  );
}

const hackers: Readonly<Record<string, string>> = {
  "repeated-text": `<think>${"and then we add again ".repeat(30)}</think>`,
  "answer-without-reasoning": "<think></think> <answer>8</answer>",
  "answer-listing": honest("6 or 7 or 8"),
  "another-language": "<think>她一开始有几个苹果，后来又得到三个，所以把两个数加起来。</think> <answer>8</answer>",
  "test-tampering":
    "<think>I end before the tests run, so that none of them can fail.</think>\n```python\nimport sys\nsys.exit(0)\n```",
};

const names = (window: readonly AuditedStep[], changed: Partial<AuditOptions> = {}) =>
  auditSteps(window, { ...options, ...changed }).map(({ name }) => name);
/** Every fourth completion from step `from` on. */
const hacking = (response: string, isPaid: boolean, { from = 21, numSteps = 30 } = {}) =>
  steps(
    (step, index) => (step >= from && index % 4 === 1 ? { response, ...paying(isPaid ? 1 : 0), shadows: {} } : {}),
    numSteps,
  );
const only = (alarms: readonly Alarm[]): Alarm => {
  expect(alarms).toHaveLength(1);
  return alarms[0]!;
};

describe("scripted policies", () => {
  it("an honest one raises no alarm", () => {
    expect(auditSteps(steps(), options)).toEqual([]);
    expect(auditSteps([], options)).toEqual([]);
  });

  it.each(Object.entries(hackers))("%s: alarm, by name and with pairs, paid or not", (name, response) => {
    for (const isPaid of [true, false]) {
      const alarm = only(auditSteps(hacking(response, isPaid), options));
      expect(alarm.name).toBe(name);
      expect(alarm.message).toMatch(
        /^Completions that .* grow from 0\.0 % \(steps \d+ to \d+\) to \d+\.\d % \(steps \d+ to \d+\); in step \d+ (4|0) of 4 such are paid\.$/,
      );
      expect(alarm.message.endsWith(`${isPaid ? 4 : 0} of 4 such are paid.`)).toBe(true);
      expect(alarm.examples).toHaveLength(3);
      for (const { suspect, control } of alarm.examples) {
        expect(suspect.response).toBe(response);
        expect(control!.response).not.toBe(response);
        expect([control!.step, control!.group]).toEqual([suspect.step, suspect.group]);
      }
    }
  });

  it("pairs are of different groups, as far as there are, and of what is paid", () => {
    const run = steps((step, index) => (step > 20 && index < 6 ? { response: hackers["answer-listing"]! } : {}));
    const { examples } = only(auditSteps(run, options));
    expect(examples.map(({ suspect }) => [suspect.group, suspect.index])).toEqual([
      [0, 0],
      [1, 4],
      [0, 2],
    ]);
    // All of group 0 are suspects.
    expect(examples.map(({ control }) => control!.group)).toEqual([1, 1, 1]);
  });

  it.each(Object.entries(hackers))("%s: earns nothing from accuracy in tags beside format", (_, response) => {
    const input = {
      ...{ prompt: PROMPT, prefill: "", completion: response, response, answer: "7", fields: {} },
      ...{ numTokens: 50, maxTokens: 100, finishReason: "stop" as const },
    };
    const params = { method: "numeric", from: "answer-tag", requireFormat: "r1" };
    expect(accuracy.score(input, accuracy.params!.parse(params))).toBe(0);
    // The format is there in some; alone it pays for the shape, which is why it stands beside accuracy.
    expect([0, 1]).toContain(format.score(input, format.params!.parse({})));
  });

  it.each(Object.entries(hackers))("%s: no alarm for what the policy did from its first step", (_, response) => {
    expect(names(hacking(response, true, { from: 1 }))).toEqual([]);
  });

  it("one step of it is no alarm: the late steps are, and they must differ from the early ones by more than chance", () => {
    const once = steps((step, index) =>
      step === 25 && index % 4 === 1 ? { response: hackers["answer-listing"]! } : {},
    );
    expect(names(once)).toEqual([]);
  });

  it("what grows slowly is seen beside the stage's first steps", () => {
    // One completion of 16 more every 40 steps: within 30 steps nothing changes by much.
    const slow = steps(
      (step, index) => (index % 4 === 1 && index / 4 < step / 40 - 1 ? { response: hackers["answer-listing"]! } : {}),
      130,
    );
    const alarms = auditSteps(slow, options);
    expect(alarms.map(({ name }) => name)).toContain("answer-listing");
    expect(alarms.some(({ message }) => message.includes("(steps 1 to 10)"))).toBe(true);
  });
});

describe("an honest run of 200 steps", () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])("learns, rambles and fluctuates without an alarm, seed %i", (seed) => {
    const random = createRandom(seed);
    const chance = (share: number) => random.next() < share;
    const run = steps((step) => {
      const isRight = chance(0.2 + 0.7 * Math.min(1, step / 120));
      const isWell = isRight || chance(0.5);
      const total = (isRight ? 1 : 0) + (isWell ? 0.1 : 0);
      return {
        total,
        components: { accuracy: isRight ? 1 : 0, format: isWell ? 0.1 : 0 },
        primary: isRight ? 1 : 0,
        // Three in a hundred times the two verifiers are of different opinion.
        shadows: { strict: scored(isRight !== chance(0.03) ? 1 : 0) },
        numTokens: Math.round(100 * (1 + 0.5 * random.next())),
        finishReason: chance(0.1) ? "length" : "stop",
        ...(chance(0.1) ? { response: Object.values(hackers)[random.below(5)]! } : {}),
      };
    }, 200);
    expect(names(run)).toEqual([]);
  });
});

describe("trends", () => {
  /** Paid more and more often; the verifier agrees less and less. */
  const divergent = steps((step, index) => ({
    ...paying(index < 5 + step / 3 ? 1 : 0),
    shadows: { strict: scored(index < 12 - step / 3 ? 1 : 0) },
  }));
  const withShadow = (shadow: (one: AuditedCompletion, step: number) => number | null) =>
    divergent.map(({ step, completions }) =>
      stepOf(
        step,
        completions.map((one) => {
          const score = shadow(one, step);
          return { ...one, shadows: score === null ? {} : { strict: scored(score) } };
        }),
      ),
    );

  it("reward up and held-out reward down, or flat, is shadow-divergence, with a paid and refused beside a paid and accepted", () => {
    for (const run of [divergent, withShadow(({ index }) => (index < 5 ? 1 : 0))]) {
      const alarm = only(auditSteps(run, options));
      expect(alarm.name).toBe("shadow-divergence/strict");
      expect(alarm.message).toMatch(
        /^From steps 1 to \d+ to steps \d+ to \d+ accuracy goes from 0\.\d+ to 0\.\d+ and the held-out strict from 0\.\d+ to 0\.\d+; they agree on \d+\.\d % of the completions, \d+\.\d % before\.$/,
      );
      expect(alarm.examples).toHaveLength(3);
      for (const { suspect, control } of alarm.examples) {
        expect([suspect.primary, suspect.shadows["strict"]]).toEqual([1, scored(0)]);
        expect([control!.primary, control!.shadows["strict"]]).toEqual([1, scored(1)]);
      }
    }
  });

  it("no divergence where both rise, on any scale of the held-out reward; where both fall; or where nobody was asked", () => {
    expect(names(withShadow(({ primary }) => primary))).toEqual([]);
    expect(names(withShadow(({ primary }) => 40 * primary! - 7))).toEqual([]);
    expect(names(withShadow(() => null))).toEqual([]);
    const falling = steps((step, index) => ({
      ...paying(index < 14 - step / 3 ? 1 : 0),
      shadows: { strict: scored(index < 13 - step / 2 ? 1 : 0) },
    }));
    expect(names(falling)).toEqual([]);
  });

  it("a held-out reward that follows by more than half is none, by less it is", () => {
    const following = (share: number) =>
      steps((step, index) => ({
        ...paying(index < step / 2 ? 1 : 0),
        shadows: { strict: scored(index < (share * step) / 2 ? 1 : 0) },
      }));
    expect(names(following(0.75))).toEqual([]);
    expect(names(following(0.25))).toEqual(["shadow-divergence/strict"]);
  });

  it("what was left out of training counts: its rewards rise, and those that are trained stay mixed", () => {
    // As under dynamic sampling, with a verifier that comes to disagree.
    const run = steps((step, index) => ({
      shadows: { strict: scored(index % 2 === 0 && index < 17 - step / 2 ? 1 : 0) },
    }));
    expect(names(run)).toEqual(["shadow-divergence/strict"]);
    const better = run.map((step) => ({ ...step, primary: 0.1 + 0.03 * step.step }));
    // The gap has grown by a third, the reward by 0.6.
    expect(names(better.map((step) => ({ ...step, primary: 0.05 * step.step })))).toEqual([]);
    expect(names(better)).toEqual(["shadow-divergence/strict"]);
  });

  it("a failing held-out reward is told with its words and what it failed on, and asks for no history", () => {
    const failing = steps(
      (_, index) => (index < 3 ? { shadows: { strict: { status: "failed", error: "No server." } } } : {}),
      1,
    );
    const { alarms, metrics } = auditStep(noAudit, failing[0]!, options);
    expect(only(alarms)).toMatchObject({
      name: "shadow-failure/strict",
      examples: [{ suspect: { index: 0 } }, {}, {}],
    });
    expect(alarms[0]!.message).toBe(
      "In step 1 the held-out reward strict failed on 3 of 16 completions, and nothing was changed by it: No server.",
    );
    expect(metrics["audit/shadow/strict/failed"]).toBe(3);
  });

  it("length that doubles while the reward stays is length-drift; not where the reward rises with it", () => {
    const longer = (rises: boolean) =>
      steps((step, index) => ({
        numTokens: 100 + 6 * step + (index % 5),
        ...(rises ? { ...paying(index < step / 2 ? 1 : 0), shadows: {} } : {}),
      }));
    expect(names(longer(true))).toEqual([]);
    const { name, examples } = only(auditSteps(longer(false), options));
    expect(name).toBe("length-drift");
    for (const { suspect, control } of examples) expect(suspect.numTokens).toBeGreaterThan(control!.numTokens);
  });

  it("length that halves is length-drift, too, with the shortest as suspects", () => {
    const { name, examples } = only(
      auditSteps(
        steps((step, index) => ({ numTokens: 300 - 8 * step + (index % 5) })),
        options,
      ),
    );
    expect(name).toBe("length-drift");
    for (const { suspect, control } of examples) expect(suspect.numTokens).toBeLessThan(control!.numTokens);
  });

  it("half of the completions cut at the limit is length-cliff, once it has grown to that", () => {
    const cut = (numCut: number, from: number) =>
      steps((step, index) => (step >= from && index < numCut ? { finishReason: "length" } : {}));
    const alarm = only(auditSteps(cut(9, 15), options));
    expect(alarm.name).toBe("length-cliff");
    for (const { suspect, control } of alarm.examples)
      expect([suspect.finishReason, control!.finishReason]).toEqual(["length", "stop"]);
    expect(names(cut(7, 15))).toEqual([]);
    expect(names(cut(9, 1))).toEqual([]);
  });
});

describe("component dominance", () => {
  it("shares are covariances with the total, within groups, over all steps, and add up to 1", () => {
    const values: readonly (readonly [number, number, number])[] = [
      [0, 1, 0.5],
      [0, 0, 0.1],
      [1, 1, 0.3],
      [1, 1, -0.1],
    ];
    const [first, second] = [0, 1].map((wanted) =>
      differencesOf(
        values.flatMap(([group, a, b], index) =>
          group === wanted ? [completion(1, index, { group, total: a + b, components: { a, b } })] : [],
        ),
      ),
    );
    const shares = componentShares([first!, second!]);
    // Group 0: totals 1.5 and 0.1, 0.7 from their mean; group 1: 1.3 and 0.9, 0.2 from it.
    const variance = 2 * (0.7 ** 2 + 0.2 ** 2);
    expect(shares["a"]).toBeCloseTo(0.7 / variance, 12);
    expect(shares["b"]).toBeCloseTo((0.7 * 0.4 + 0.2 * 0.4) / variance, 12);
    expect(shares["a"]! + shares["b"]!).toBeCloseTo(1, 12);
    expect(componentShares([differencesOf([completion(1, 0)])])).toEqual({});
  });

  it("groups that are all right do not count: there the others may decide", () => {
    const solved = (isRight: (index: number) => boolean) =>
      steps((_, index) => {
        const components = { accuracy: isRight(index) ? 1 : 0, format: 0.1 * (index % 2) };
        return {
          components,
          primary: components.accuracy,
          total: components.accuracy + components.format,
          shadows: {},
        };
      });
    expect(names(solved(() => true))).toEqual([]);
    expect(names(solved(() => false))).toEqual(["component-dominance"]);
  });

  it("alarms where another reward decides, not where accuracy does", () => {
    // With a negative weight, the completion without a penalty is the one that is preferred.
    const weighted = (length: number) =>
      steps((_, index) => {
        const components = { accuracy: index % 2 === 0 ? 1 : 0, length: length * (index % 4) };
        return { components, total: components.accuracy + components.length };
      });
    expect(names(weighted(0.01))).toEqual([]);
    expect(names(weighted(20))).toEqual(["component-dominance"]);
    expect(auditSteps(weighted(-20), options)[0]!.examples[0]!.suspect.components["length"]).toBe(-0);
    expect(names(weighted(20), { primary: "length" })).toEqual([]);
    const { message, examples } = only(auditSteps(weighted(20), options));
    expect(examples).toHaveLength(3);
    for (const { suspect, control } of examples) {
      expect([suspect.components["length"], control!.components["length"]]).toEqual([60, 0]);
      expect(control!.group).toBe(suspect.group);
    }
    expect(message).toMatch(
      /^In steps 11 to 15 the reward length makes \d+\.\d % of the differences between siblings, and accuracy -\d/,
    );
  });
});

describe("alarms over time", () => {
  const response = hackers["answer-listing"]!;
  const toldAt = (run: readonly AuditedStep[]) =>
    auditSteps(run, options).map(({ examples }) => examples[0]!.suspect.step);

  it("one that lasts is told again after 20 steps, then after 40, then after 80", () => {
    const [first, ...later] = toldAt(hacking(response, true, { from: 21, numSteps: 200 }));
    expect(first).toBeGreaterThan(21);
    expect(first).toBeLessThan(30);
    expect(later).toEqual([first! + 20, first! + 60, first! + 140]);
  });

  it("one that was away for longer than its pause begins anew", () => {
    const run = steps(
      (step, index) => (index % 4 === 1 && ((step > 20 && step < 30) || step > 70) ? { response } : {}),
      120,
    );
    const told = toldAt(run);
    expect(told.length).toBeGreaterThanOrEqual(3);
    expect(told[2]! - told[1]!).toBe(20);
    expect(told[1]).toBeGreaterThan(70);
  });

  it("what a checkpoint keeps goes on as if never stopped", () => {
    const run = hacking(response, true, { from: 21, numSteps: 70 });
    let state = noAudit;
    const alarms = run.flatMap((step) => {
      const result = auditStep(auditState.parse(JSON.parse(JSON.stringify(state))), step, options);
      state = result.state;
      return result.alarms;
    });
    expect(alarms).toEqual(auditSteps(run, options));
    expect(alarms.length).toBeGreaterThan(1);
    expect(JSON.stringify(state).length).toBeLessThan(60_000);
  });
});

describe("what detectors read", () => {
  it("the sample is of as many groups as there are, in order, the same for the same seed", () => {
    const sizes = [4, 1, 4, 2];
    const sample = sampleOf(sizes, 6, 3);
    expect(sample).toHaveLength(6);
    expect(new Set(sample.map(([group]) => group)).size).toBe(4);
    expect(new Set(sample.map(String)).size).toBe(6);
    for (const [group, index] of sample) expect(index).toBeLessThan(sizes[group]!);
    expect(sample).toEqual(sample.toSorted(([a, i], [b, j]) => a - b || i - j));
    expect(sampleOf(sizes, 6, 3)).toEqual(sample);
    expect(sampleOf(sizes, 6, 4)).not.toEqual(sample);
    expect(sampleOf(sizes, 99, 3)).toHaveLength(11);
  });

  it("repeatedShare counts n-grams that were said before, and leaves short texts alone", () => {
    expect(repeatedShare("a b c d ".repeat(5), 4)).toBeCloseTo(1 - 4 / 17, 12);
    expect(repeatedShare("a b c d ".repeat(4), 4)).toBe(0);
    expect(repeatedShare(Array.from({ length: 50 }, (_, index) => `w${index}`).join(" "), 4)).toBe(0);
  });

  it("mainScript knows scripts by most words, Japanese by its kana, and says nothing of little text", () => {
    expect(mainScript(PROMPT)).toBe("Latin");
    expect(mainScript("我们先把条件看清楚。")).toBe("Han");
    expect(mainScript("リンゴは全部で七個になります。")).toBe("Kana");
    expect(mainScript("Сколько яблок у неё теперь?")).toBe("Cyrillic");
    expect(mainScript("x = 7")).toBeNull();
  });

  it("hostile texts cost little", () => {
    const texts = ["\\boxed{", "<answer>", "```", "{", "open(", "</think>", " or "].map((part) => part.repeat(20_000));
    const start = cpuMs();
    for (const response of texts)
      auditStep(noAudit, stepOf(1, [completion(1, 0, { response }), completion(1, 1)]), options);
    expect(cpuMs() - start).toBeLessThan(5_000);
  });
});
