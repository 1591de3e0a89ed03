/**
 * Binary code: does the program pass its tests, all of them?
 *
 *   r = 1 when passed / tests > threshold, else 0;   null where the row has no tests
 *
 * Source: Open-R1's `binary_code_reward`, threshold 0.99. Where one failure decides, the tests after it are not run.
 */
import { defineReward, z } from "../src/reward/reward.ts";
import { codeParams, passedShare, prepareCode, runCode } from "../src/sandbox/score.ts";
import { readTests } from "../src/sandbox/tests.ts";

export default defineReward({
  description: "1 when the program passes more than the threshold of its tests, else 0.",
  source: "Open-R1, binary_code_reward",
  params: z.strictObject({
    ...codeParams.shape,
    threshold: z.number().min(0).max(1).default(0.99).describe("Share of tests that must be exceeded."),
  }),
  prepare: prepareCode,
  async score(input, { threshold, ...params }) {
    const numTests = readTests(input.fields, params.column)?.cases.length ?? 1;
    const result = await runCode(input, params, { stopAtFailure: (numTests - 1) / numTests <= threshold });
    if (result.status === "untested") return null;
    return result.status === "run" && passedShare(result) > threshold ? 1 : 0;
  },
});
