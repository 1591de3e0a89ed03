/** Corners that every variant must survive: no tokens, impossible tokens, certain tokens, weights of 0. */
import { describe, expect, it } from "vitest";
import { makeBatch } from "../../src/assemble.ts";
import type { Example } from "../../src/types.ts";
import { exampleOf, outputsOf, type Row, stepOf } from "./fixtures.ts";
import { variants } from "./variants.ts";

const cases = variants.flatMap(({ gradientCases }) => gradientCases.map(({ spec }) => spec));

function allFinite({ loss, gradient }: ReturnType<typeof stepOf>): boolean {
  return Number.isFinite(loss) && gradient.every((ofSequence) => ofSequence.every(Number.isFinite));
}

describe("every setting of every variant", () => {
  it("gives a sequence without trained tokens no loss, no gradient and no metric that is not a number", () => {
    const row: Row = { logp: [-1, -2], old: [-1.5, -1], ref: [-1, -1], advantage: 1 };
    const trained = exampleOf(row);
    const empty: Example = { ...trained, sequence: { ...trained.sequence, lossMask: new Uint8Array(3) } };
    for (const spec of cases) {
      const { loss, gradient, metrics } = stepOf(spec, makeBatch([empty, trained], 8), [
        outputsOf(row),
        outputsOf(row),
      ]);
      const alone = stepOf(spec, makeBatch([trained], 8), [outputsOf(row)]);
      expect(loss, JSON.stringify(spec)).toBe(alone.loss);
      expect([...gradient[0]!]).toEqual([0, 0, 0]);
      for (const [name, metric] of Object.entries(metrics[0]!)) {
        const values = Object.values(metric).filter((value) => typeof value === "number");
        expect(values.some(Number.isNaN), `${spec.type} ${name}`).toBe(false);
      }
    }
  });

  it("stays finite where a token became impossible, or certain", () => {
    for (const [logp, old] of [
      [0, -800],
      [-800, 0],
      [-1e-12, -1e-12],
    ] as const) {
      for (const advantage of [1, -1]) {
        const row: Row = { logp: [logp, -1], old: [old, -1], sampling: [old, -1], ref: [-1, -1], advantage };
        for (const spec of cases) {
          const step = stepOf(spec, makeBatch([exampleOf(row)], 8), [outputsOf(row)]);
          expect(allFinite(step), `${JSON.stringify(spec)} logp ${logp} old ${old} advantage ${advantage}`).toBe(true);
        }
      }
    }
  });

  it("pushes every token of an answer of its own policy, up or down as its advantage says", () => {
    const logp = [-0.5, -1.5, -0.2];
    let checked = 0;
    for (const advantage of [1, -1]) {
      const row: Row = { logp, old: logp, sampling: logp, advantage };
      const specs = cases.filter((spec) => "kl" in spec && spec.kl?.coefficient === 0);
      for (const spec of specs) {
        const { gradient } = stepOf(spec, makeBatch([exampleOf(row)], 8), [outputsOf(row)]);
        for (const value of gradient[0]!.subarray(1)) {
          expect(Math.sign(value), JSON.stringify(spec)).toBe(-advantage);
          checked++;
        }
      }
    }
    expect(checked).toBeGreaterThan(200);
  });
});
