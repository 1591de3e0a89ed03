/**
 * Competition code: all tests or nothing, with a hint for those on the way.
 *
 *   r = -1 without a program, -0.1 when it does not compile, else by mode
 *     pass_fail      1 when every test passes, else 0
 *     partial        passed / tests
 *     weighted_sum   pass_fail + 0.1 · passed / tests
 *   null where the row has no tests
 *
 * Source: Open-R1's `cf_code_reward` (Codeforces; rows with `official_tests` and a `generated_checker`), default weighted_sum. The limits are
 * the recipe's, not the row's. In mode pass_fail the tests after the first failure are not run.
 */
import { defineReward, z } from "../src/reward/reward.ts";
import { codeParams, passedShare, prepareCode, runCode } from "../src/sandbox/score.ts";

const PARTIAL_WEIGHT = 0.1;

export default defineReward({
  description: "-1 without code, -0.1 when it does not compile, else 0 to 1 (weighted_sum: to 1.1).",
  source: "Open-R1, cf_code_reward",
  params: z.strictObject({
    ...codeParams.shape,
    mode: z.enum(["pass_fail", "partial", "weighted_sum"]).default("weighted_sum"),
    noCode: z.number().default(-1),
    notCompiling: z.number().default(-0.1),
  }),
  prepare: prepareCode,
  async score(input, { mode, noCode, notCompiling, ...params }) {
    const result = await runCode(input, params, { stopAtFailure: mode === "pass_fail" });
    if (result.status === "untested") return null;
    if (result.status === "no-code") return noCode;
    if (!result.compiles) return notCompiling;
    const share = passedShare(result);
    if (mode === "partial") return share;
    const isPass = share === 1 ? 1 : 0;
    return mode === "pass_fail" ? isPass : isPass + PARTIAL_WEIGHT * share;
  },
});
