/**
 * The grader of DeepScaleR (rllm): the last box of what stands between the first `</think>` and the next, right when it is the
 * gold for Hendrycks or for PRM800K. A response that never ends its thinking has no answer.
 */
import { sameHendrycks } from "./hendrycks.ts";
import { lastPlainBox, noAnswer, type Verification, verdict } from "./policy.ts";
import { samePrm800k } from "./prm800k.ts";

export function gradeDeepScaleR(gold: string, prediction: string): Verification {
  const solution = prediction.split("</think>", 2)[1];
  if (solution === undefined) return noAnswer("after </think>");
  const answer = lastPlainBox(solution, { frames: true });
  if (answer === null) return noAnswer("in a box after </think>");
  const truth = gold.includes("\\boxed") ? lastPlainBox(gold, { frames: true }) : gold;
  if (truth === null) return { equal: false, extracted: answer, reason: "the gold answer's box never closes" };
  return verdict(
    sameHendrycks(truth, answer) || samePrm800k(truth, answer),
    answer,
    "equal after normalisation or entry by entry",
  );
}
