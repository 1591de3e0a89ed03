/**
 * Preference: how much better is a response than the row's reference response, by a judge?
 *
 *   r = mean over numRuns of +2 +1 0 -1 -2 for [[A≫B]] … [[B≫A]], orders mixed;   null where |r| <= minMargin
 *
 * Source: DeepSeek-R1 (arXiv 2501.12948, version 2), which labels pairs so and uses |r| > 1 alone; as a reward minMargin is 0 by default and
 * ties score 0. The part `consistent` says how often the order did not matter.
 */

import { askParams, preferenceJudgeOf } from "../src/judge/params.ts";
import { summaryOf } from "../src/judge/reward-model.ts";
import { hasSubstance } from "../src/judge/substance.ts";
import { defineReward, type RewardInput, type RewardScore, z } from "../src/reward/reward.ts";

const params = z.strictObject({
  ...askParams.shape,
  temperature: z.number().min(0).default(0.6),
  referenceField: z.string().optional().describe("Column with the response to compare with; default: the answer."),
  part: z.enum(["summary", "response"]).default("summary").describe("summary: what follows the thinking."),
  numRuns: z.int().positive().default(4),
  minMargin: z.number().min(0).default(0).describe("Differences up to this abstain; 1: R1's |r| > 1; 0: none does."),
  seed: z.int().default(0).describe("Of the orders, and of the judge's sampling."),
});
type Params = z.output<typeof params>;

const judge = (given: Params) => preferenceJudgeOf("preference judge", given);

export default defineReward({
  description: "-2 to 2: how much better a judge finds the response than the row's reference response.",
  source: "DeepSeek-R1, arXiv 2501.12948 version 2",
  params,
  prepare: (given) => void judge(given),
  scoreGroup: (inputs, given) =>
    Promise.all(
      inputs.map((input) =>
        scoreOne(input, given).catch((error: unknown) => (error instanceof Error ? error : new Error(String(error)))),
      ),
    ),
});

async function scoreOne({ response, answer, fields, prompt }: RewardInput, given: Params): Promise<RewardScore> {
  const reference = given.referenceField === undefined ? answer : fields[given.referenceField];
  if (typeof reference !== "string" || reference.trim() === "") return null;
  const question = typeof fields["question"] === "string" ? fields["question"] : prompt;
  const solution = given.part === "summary" ? summaryOf(response) : response;
  // The lowest label: no judge is to be tried with an answer that says nothing.
  if (!hasSubstance(solution, reference, question)) return { score: -2, parts: { consistent: 1 } };
  const { delta, consistent } = await judge(given).compare(question, solution, reference, given);
  if (delta === null || (given.minMargin > 0 && Math.abs(delta) <= given.minMargin)) return null;
  return { score: delta, parts: { consistent: Number(consistent) } };
}
