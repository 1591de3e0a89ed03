/**
 * Code: the share of its tests that the program passes.
 *
 *   r = passed / tests;   0 without a program, null where the row has no tests
 *
 * Source: Open-R1's `code_reward`, from which this departs: outputs are compared as whole lists of lines (there a prefix passes), or as `compare` or
 * the row's checker says, every test has its own time limit, and a failure of the sandbox is a failure and not a 0. The program is the last fenced block of its language after the
 * thinking; src/sandbox/tests.ts says which columns hold tests.
 */
import { defineReward, z } from "../src/reward/reward.ts";
import { codeParams, passedShare, prepareCode, runCode } from "../src/sandbox/score.ts";

export default defineReward({
  description: "Share of tests that the program passes, 0 to 1.",
  source: "Open-R1, code_reward",
  params: z.strictObject(codeParams.shape),
  prepare: prepareCode,
  async score(input, params) {
    const result = await runCode(input, params);
    if (result.status === "untested") return null;
    return result.status === "run" ? passedShare(result) : 0;
  },
});
