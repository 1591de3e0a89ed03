/** Which prompts a step gets, strategy by strategy. */
import { describe, expect, it } from "vitest";
import { createCursor } from "../../src/dataset/cursor.ts";
import { createPromptSource, type PromptSource, type PromptSourceState } from "../../src/dataset/prompt-source.ts";
import { createRandom } from "../../src/random.ts";
import { prompts as promptsSchema } from "../../src/recipe/prompts-schema.ts";
import type { Prompt } from "../../src/types.ts";

function promptsOf(count: number, fieldsOf: (i: number) => Readonly<Record<string, unknown>> = () => ({})): Prompt[] {
  return Array.from({ length: count }, (_, i) => ({
    id: `p${i}`,
    text: String(i),
    tokenIds: [i],
    prefill: "",
    answer: null,
    fields: fieldsOf(i),
  }));
}

function open(
  prompts: readonly Prompt[],
  spec: unknown,
  more: { seed?: number; start?: PromptSourceState; notes?: string[] } = {},
): PromptSource {
  const { seed = 9, start, notes = [] } = more;
  const parsed = spec === undefined ? undefined : promptsSchema.parse(spec);
  return createPromptSource({ prompts, spec: parsed, seed, start, note: (sentence) => void notes.push(sentence) });
}

const draw = (source: PromptSource, count: number, step = 0) => Array.from({ length: count }, () => source.next(step));
const ids = (prompts: readonly Prompt[]) => prompts.map(({ id }) => id);

/** A group of `groupSize` of which `numRight` are right. */
function judged(prompt: Prompt, numRight: number, groupSize = 4) {
  const rewards = Array.from({ length: groupSize }, (_, i) => ({ total: i < numRight ? 1 : 0, outcomes: {} }));
  return { prompt, rewards };
}

/** One epoch of `count` prompts, each judged by `numRightOf` its id. */
function epoch(source: PromptSource, count: number, numRightOf: (id: string) => number): string[] {
  const drawn = draw(source, count);
  source.observe(drawn.map((prompt) => judged(prompt, numRightOf(prompt.id))));
  return ids(drawn).sort();
}

describe("without options", () => {
  it("prompts come in the order of the plain cursor, whatever is observed", () => {
    const prompts = promptsOf(7);
    const source = open(prompts, undefined);
    const cursor = createCursor(7, 9);
    for (let step = 0; step < 6; step++) {
      const drawn = draw(source, 5, step);
      expect(ids(drawn)).toEqual(Array.from({ length: 5 }, () => `p${cursor.next()}`));
      source.observe(drawn.map((prompt) => judged(prompt, 4)));
      expect(source.state().cursor).toEqual(cursor.state());
    }
  });

  it("two equal rows are two prompts of the ledger", () => {
    const [one] = promptsOf(1);
    const prompts = [one!, { ...one! }];
    const source = open(prompts, undefined);
    source.observe([judged(prompts[1]!, 3)]);
    expect(source.state().ledger).toMatchObject({ index: [1], samples: [4], passes: [3] });
  });
});

describe("the offline window", () => {
  const rates = [0, 0.25, 0.4, 0.625, 0.7, 1];
  const prompts = promptsOf(6, (i) => ({ pass_rate: rates[i], meta: { failures: i } }));
  const drawnBy = (window: unknown, count: number) => ids(draw(open(prompts, { window }), count)).sort();

  it("closed ends keep both bounds, as Light-R1 has it; open ends keep neither", () => {
    const bounds = { column: "pass_rate", min: 0.25, max: 0.625 };
    expect(drawnBy({ ...bounds, ends: "closed" }, 3)).toEqual(["p1", "p2", "p3"]);
    expect(drawnBy({ ...bounds, ends: "open" }, 1)).toEqual(["p2"]);
    expect(drawnBy({ ...bounds, ends: "open" }, 2)).toEqual(["p2", "p2"]);
  });

  it("one bound is enough, and a column within a column is a column", () => {
    expect(drawnBy({ column: "meta.failures", min: 4, ends: "closed" }, 2)).toEqual(["p4", "p5"]);
    expect(drawnBy({ column: "pass_rate", max: 0.25, ends: "open" }, 1)).toEqual(["p0"]);
  });

  it("a row without the number, and a window that holds nothing, are told before anything is sampled", () => {
    expect(() => drawnBy({ column: "rate", min: 0, ends: "open" }, 1)).toThrow(
      /Expected a number in column "rate" of every prompt, .*got none in prompt p0 \(columns: pass_rate, meta\)/,
    );
    expect(() => drawnBy({ column: "pass_rate", min: 2, ends: "open" }, 1)).toThrow(
      /lies in \(2, Infinity\), but none of 6 does/,
    );
    expect(() => promptsSchema.parse({ window: { column: "pass_rate", ends: "open" } })).toThrow(/expected min, max/);
  });
});

describe("the online window", () => {
  const solvedOnly = { online: { max: 1, ends: "open" } };

  it("history resampling: what was all right is dropped in the next epoch; mixed and all wrong stay", () => {
    const source = open(promptsOf(6), solvedOnly);
    const right: Record<string, number> = { p0: 4, p1: 3, p2: 0, p3: 4, p4: 1, p5: 0 };
    expect(epoch(source, 6, (id) => right[id]!).length).toBe(6);
    // p1 becomes solved; p2 keeps failing.
    expect(epoch(source, 4, (id) => (id === "p1" ? 4 : 0))).toEqual(["p1", "p2", "p4", "p5"]);
    expect(epoch(source, 3, () => 0)).toEqual(["p2", "p4", "p5"]);
    expect(epoch(source, 3, () => 0)).toEqual(["p2", "p4", "p5"]);
    expect(source.metrics()).toMatchObject({ "prompts/seen": 6, "prompts/dropped": 3 });
  });

  it("prompts solved in at least 90 % of all rollouts are not sampled again, once enough were seen", () => {
    const source = open(promptsOf(3), { online: { max: 0.9, ends: "open", over: "all", minSamples: 20 } });
    const groups = (numRight: number) =>
      draw(source, 3).map((prompt) => judged(prompt, prompt.id === "p1" ? numRight : 5, 10));
    // 10 of 10, but 20 are asked for; then 18 of 20 is exactly 0.9.
    source.observe(groups(10));
    expect(source.metrics()["prompts/dropped"]).toBe(0);
    source.observe(groups(8));
    expect(ids(draw(source, 2)).sort()).toEqual(["p0", "p2"]);
    expect(source.metrics()["prompts/dropped"]).toBe(1);
  });

  it("hard mining picks exactly the prompts with fewer than 4 of 64 right", () => {
    const source = open(promptsOf(8), { online: { max: 4 / 64, ends: "open", over: "all", minSamples: 64 } });
    const drawn = draw(source, 8);
    source.observe(drawn.map((prompt) => judged(prompt, Number(prompt.id.slice(1)), 64)));
    expect(ids(draw(source, 4)).sort()).toEqual(["p0", "p1", "p2", "p3"]);
  });

  it("a lower end drops what is never solved", () => {
    const source = open(promptsOf(3), { online: { min: 0, ends: "open", over: "all", minSamples: 8 } });
    for (let i = 0; i < 2; i++) epoch(source, 3, (id) => (id === "p2" ? 0 : 1));
    expect(epoch(source, 2, () => 1)).toEqual(["p0", "p1"]);
  });

  it("when nothing is left it says so once and goes on with all, until something is unsolved again", () => {
    const notes: string[] = [];
    const source = open(promptsOf(3), solvedOnly, { notes });
    epoch(source, 3, () => 4);
    expect(notes).toEqual([]);
    expect(epoch(source, 3, () => 4)).toEqual(["p0", "p1", "p2"]);
    expect(epoch(source, 3, (id) => (id === "p1" ? 2 : 4))).toEqual(["p0", "p1", "p2"]);
    expect(epoch(source, 2, () => 2)).toEqual(["p1", "p1"]);
    expect(notes).toEqual([
      "None of the 3 prompts lies inside rollout.prompts.online any more: 3 are above it, 0 below. Epoch 2 goes on with all of them; harder prompts would teach more.",
    ]);
  });
});

describe("the easy pool", () => {
  it("10 % of draws come from solved prompts, within three standard deviations", () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const source = open(promptsOf(40), { easyPool: {} }, { seed });
      const isEasy = (id: string) => Number(id.slice(1)) < 20;
      epoch(source, 40, (id) => (isEasy(id) ? 4 : 1));
      const numDraws = 4000;
      const drawn = ids(draw(source, numDraws));
      const numEasy = drawn.filter(isEasy).length;
      const sigma = Math.sqrt(numDraws * 0.1 * 0.9);
      expect(Math.abs(numEasy - 0.1 * numDraws), `seed ${seed}: ${numEasy}`).toBeLessThan(3 * sigma);
      // Every one of the pool, and of the others, is drawn.
      expect(new Set(drawn).size).toBe(40);
      expect(source.metrics()).toMatchObject({ "prompts/easy_pool": 20, "prompts/dropped": 0 });
    }
  });

  it("a prompt of the pool that is no longer solved goes back among the others", () => {
    const prompts = promptsOf(2);
    const source = open(prompts, { easyPool: { share: 0.5 } });
    source.observe([judged(prompts[0]!, 4), judged(prompts[1]!, 1)]);
    expect(source.metrics()["prompts/easy_pool"]).toBe(1);
    source.observe([judged(prompts[0]!, 3)]);
    expect(source.metrics()["prompts/easy_pool"]).toBe(0);
    expect(ids(draw(source, 2)).length).toBe(2);
  });

  it("with a window of its own the pool takes what is above, and what is below is dropped", () => {
    const prompts = promptsOf(3);
    const source = open(prompts, { online: { min: 0, max: 0.5, ends: "open" }, easyPool: { share: 0.5 } });
    source.observe([judged(prompts[0]!, 3), judged(prompts[1]!, 1), judged(prompts[2]!, 0)]);
    expect(source.metrics()).toMatchObject({ "prompts/easy_pool": 1, "prompts/dropped": 1 });
    expect([...new Set(ids(draw(source, 200)))].sort()).toEqual(["p0", "p1"]);
  });
});

describe("the curriculum", () => {
  const prompts = promptsOf(9, (i) => ({ level: Math.floor(i / 3), rate: 1 - i / 10 }));

  it("sorted: every epoch goes from easy to hard, equal ones shuffled anew", () => {
    const source = open(prompts, { curriculum: { type: "sorted", column: "level", easiest: "lowest" } });
    const epochs = [0, 1, 2, 3].map(() => ids(draw(source, 9)));
    for (const order of epochs) {
      expect(order.map((id) => Math.floor(Number(id.slice(1)) / 3))).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2]);
      expect(new Set(order).size).toBe(9);
    }
    expect(new Set(epochs.map(String)).size).toBeGreaterThan(1);
    const byRate = open(prompts, { curriculum: { type: "sorted", column: "rate", easiest: "highest" } });
    expect(ids(draw(byRate, 9))).toEqual(ids(prompts));
  });

  it("stages: each part of the run draws its own window, both ends inside, and a new one begins a new epoch", () => {
    const stages = [
      { afterStep: 0, max: 0 },
      { afterStep: 2, max: 1 },
      { afterStep: 4, min: 2 },
    ];
    const source = open(prompts, { curriculum: { type: "stages", column: "level", stages } });
    const levels = [0, 1, 2, 3, 4].map((step) =>
      [...new Set(draw(source, step === 2 ? 4 : 3, step).map(({ fields }) => Number(fields["level"])))].sort(),
    );
    expect(levels[0]).toEqual([0]);
    expect(levels[1]).toEqual([0]);
    expect([...new Set([...levels[2]!, ...levels[3]!])].sort()).toEqual([0, 1]);
    expect(levels[4]).toEqual([2]);
    expect(source.metrics()["prompts/epoch"]).toBeGreaterThanOrEqual(3);
  });

  it("a stage that holds no prompt is told before the first step", () => {
    const stages = [{ afterStep: 0 }, { afterStep: 50, min: 7 }];
    expect(() => open(prompts, { curriculum: { type: "stages", column: "level", stages } })).toThrow(
      /lies in \[7, Infinity\], for stage 2 of rollout.prompts.curriculum, but none of 9 does/,
    );
  });
});

describe("all together", () => {
  it("resumed in an epoch that takes all because nothing was left, it goes on taking all", () => {
    const prompts = promptsOf(5);
    const spec = { online: { max: 1, ends: "open" } };
    const source = open(prompts, spec);
    epoch(source, 5, () => 4);
    const first = ids(draw(source, 2));
    const start = JSON.parse(JSON.stringify(source.state()));
    expect(start.takesAll).toBe(true);
    const notes: string[] = [];
    const resumed = open(prompts, spec, { start, notes });
    expect([...first, ...ids(draw(resumed, 3))].sort()).toEqual(ids(prompts));
    expect(notes).toEqual([]);
  });

  it("resumed from JSON between any two steps, the same prompts come as without a stop", () => {
    const prompts = promptsOf(30, (i) => ({ rate: (i % 10) / 10, level: i % 4 }));
    const spec = {
      window: { column: "rate", min: 0.1, max: 0.8, ends: "closed" },
      online: { min: 0, max: 1, ends: "open", minSamples: 8 },
      easyPool: { share: 0.2 },
      curriculum: {
        type: "stages",
        column: "level",
        stages: [
          { afterStep: 0, max: 1 },
          { afterStep: 9, min: 1 },
        ],
      },
    };
    let numCompared = 0;
    for (const seed of [1, 2, 3]) {
      const run = (resumeEvery: number | null) => {
        let source = open(prompts, spec, { seed });
        const random = createRandom(seed);
        const drawn: string[] = [];
        for (let step = 0; step < 20; step++) {
          if (resumeEvery !== null && step % resumeEvery === 0) {
            source = open(prompts, spec, { seed, start: JSON.parse(JSON.stringify(source.state())) });
          }
          const chosen = draw(source, 6, step);
          drawn.push(...ids(chosen));
          source.observe(chosen.map((prompt) => judged(prompt, random.below(5))));
        }
        return { drawn, state: source.state() };
      };
      const whole = run(null);
      for (const every of [1, 3]) {
        expect(run(every), `seed ${seed}`).toEqual(whole);
        numCompared++;
      }
      expect(whole.state.stage).toBe(1);
    }
    expect(numCompared).toBe(6);
  });
});
