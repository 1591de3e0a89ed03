/**
 * Accuracy with a judge: the rule first, and a language model for what the rule rejects.
 *
 *   r = right   the rule accepts, or a judge calls it equivalent to the reference
 *       wrong   the rule rejects and the judge does not rescue, or there is nothing to judge
 *       null    the judge cannot tell
 *
 * Source: Open-R1's rescue of rule-rejected traces (update #2); the protocols of src/judge/protocols.ts. A judge is asked only about
 * complete responses with an answer at its place. A server that does not answer, a spent budget and a judge that accepts an empty
 * answer are failures, never scores. Completions of a group are judged at the same time.
 */
import { decide } from "../src/judge/after-rule.ts";
import { judgeOf, judgeParams } from "../src/judge/params.ts";
import { summaryOf } from "../src/judge/reward-model.ts";
import { hasSubstance } from "../src/judge/substance.ts";
import { defineReward, type RewardInput, type RewardScore, z } from "../src/reward/reward.ts";
import { extractAnswer, searchedText } from "../src/verify/extract.ts";
import { answerParams, judgeAnswer, type Verdict } from "../src/verify/judge.ts";

const params = z.strictObject({
  ...judgeParams.shape,
  ...answerParams.shape,
  rule: z.enum(["first", "none"]).default("first").describe("none: the judge alone decides, about every response."),
  second: judgeParams.optional().describe("A judge that has to confirm what the first one rescues."),
  judgeAll: z.boolean().default(false).describe("Also ask about what the rule accepts, for the metrics alone."),
  part: z
    .enum(["summary", "response", "answer"])
    .default("summary")
    .describe("What the judge sees: what follows the thinking, all of it, or the extracted answer."),
  referenceField: z.string().optional().describe("Column with the reference, e.g. a solution; default: the answer."),
  requireStop: z.boolean().default(true).describe("A response that was cut is not judged: the rule decides."),
  onUnknown: z.enum(["abstain", "rule"]).default("abstain").describe("When the judge cannot tell."),
  right: z.number().default(1),
  wrong: z.number().default(0),
});
type Params = z.output<typeof params>;

export default defineReward({
  description:
    "1 for an answer that the rule or else a judge accepts, 0 otherwise; abstains where the judge cannot tell.",
  source: "Open-R1, update #2",
  params,
  prepare: (given) => void judgesOf(given),
  scoreGroup: (inputs, given) =>
    Promise.all(inputs.map((input) => scoreOne(input, given).catch((error: unknown) => asError(error)))),
});

function judgesOf(given: Params) {
  const judge = judgeOf("judge", given);
  return { judge, second: given.second === undefined ? undefined : judgeOf("second judge", given.second) };
}

async function scoreOne(input: RewardInput, given: Params): Promise<RewardScore> {
  const { response, answer, fields, finishReason, prompt } = input;
  const reference = given.referenceField === undefined ? answer : textOf(fields[given.referenceField]);
  const text = searchedText(input, given.from);
  const rule: Verdict | null = given.rule === "none" ? null : judgeAnswer(text, { answer, fields }, given);
  if (reference === null || reference.trim() === "")
    return rule === null ? null : score(rule === "right", given, { rule });
  const extracted = extractAnswer(text, given.from);
  const isComplete = finishReason === "stop" || !given.requireStop;
  const solution =
    given.part === "response" ? response : given.part === "summary" ? summaryOf(response) : (extracted ?? "");
  const hasAnswer = given.rule === "none" || (extracted !== null && hasSubstance(extracted, reference));
  const judged = { question: textOf(fields["question"]) ?? prompt, reference, solution };
  const decision = await decide(rule, isComplete && hasAnswer, judged, {
    ...judgesOf(given),
    judgeAll: given.judgeAll,
  });
  // Nothing was there to judge: no answer, or a response that was cut.
  const verdict = decision.verdict === "unknown" && decision.judge === null ? "wrong" : decision.verdict;
  if (verdict !== "unknown") return score(verdict === "right", given, decision);
  return given.onUnknown === "rule" && rule !== null ? score(rule === "right", given, decision) : null;
}

interface Said {
  readonly rule: Verdict | null;
  readonly judge?: string | null;
  readonly rescued?: boolean;
}

/** Parts are shares in the metrics: of rule and of judge only where they spoke. */
function score(isRight: boolean, { right, wrong }: Params, { rule, judge = null, rescued = false }: Said): RewardScore {
  const parts = {
    ...(rule === null ? {} : { rule: Number(rule === "right") }),
    asked: Number(judge !== null),
    ...(judge === null || judge === "unknown" ? {} : { judge: Number(judge === "right") }),
    rescued: Number(rescued),
  };
  return { score: isRight ? right : wrong, parts };
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
