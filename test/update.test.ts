/** The promise of Objective.needs, on which the loop rests when it leaves examples out. */
import { describe, expect, it } from "vitest";
import { makeBatch } from "../src/assemble.ts";
import { createObjective, type ObjectiveSpec } from "../src/objectives/create.ts";
import type { Example } from "../src/types.ts";
import { variants, withoutKl } from "./objectives/variants.ts";

const specs: ObjectiveSpec[] = [...variants.map(({ type }) => withoutKl(type)), { type: "grpo" }];

/** Three tokens, off-policy on both sides of every clip, none with an advantage. */
const example: Example = {
  sequence: {
    tokenIds: Int32Array.of(1, 2, 3, 4),
    lossMask: Uint8Array.of(0, 1, 1, 1),
    samplingLogprobs: new Float32Array(4),
  },
  group: 0,
  reward: 1,
  advantages: new Float32Array(4),
  weights: new Float32Array(4).fill(1),
  old: { logprobs: Float32Array.of(0, -1, -2, -0.5) },
  ref: { logprobs: Float32Array.of(0, -1.5, -1, -0.5) },
};

describe("objectives that need nothing more", () => {
  it.each(specs)("$type: an advantage of 0 moves nothing", (spec) => {
    const objective = createObjective(spec);
    const { loss, gradient } = objective.loss(
      example,
      { logprobs: Float32Array.of(0, -0.2, -3, -0.5) },
      makeBatch([example], 8),
    );
    const moves = loss !== 0 || gradient.dLogprobs.some((derivative) => derivative !== 0);
    // A reference pulls on every token; what else is needed may, and then nothing is promised.
    if (objective.needs.length === 0) expect(moves).toBe(false);
    if (objective.needs.includes("refLogprobs")) expect(moves).toBe(true);
  });
});
