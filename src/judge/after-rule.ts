/**
 * The rule first, the judge as a rescue: what the rule accepts is right and costs nothing; what it rejects may be right in a form that
 * the rule cannot read, and the judge is asked. With a second judge a rescue has to be confirmed: the cheap judge and the rule
 * disagree, and the thinking one decides (Seed-Thinking-v1.5's two tiers, arXiv 2504.13914).
 */
import type { Verdict } from "../verify/judge.ts";
import type { Judge } from "./judge.ts";
import type { JudgedCase, JudgeVerdict } from "./protocol.ts";

/** What rule and judge said of one solution. */
export interface Decision {
  readonly verdict: JudgeVerdict;
  /** null: the rule cannot read the reference. */
  readonly rule: Verdict | null;
  /** null: not asked. */
  readonly judge: JudgeVerdict | null;
  /** The second judge's word; null: not asked. */
  readonly confirmed: JudgeVerdict | null;
  /** The rule rejected it, and it counts as right. */
  readonly rescued: boolean;
  /** What the first judge wrote; null where it was not asked. */
  readonly reply: string | null;
}

export interface AfterRuleOptions {
  readonly judge: Judge;
  /** Asked where the first judge calls right what the rule rejected. */
  readonly second?: Judge | undefined;
  /** True: solutions that the rule accepted are judged too, for the record; the rule's word stands. Default false. */
  readonly judgeAll?: boolean;
}

/** `canAsk` false: nothing that a judge could rescue, such as an answer that was cut off; the rule's word stands. */
export async function decide(
  rule: Verdict | null,
  canAsk: boolean,
  judged: JudgedCase,
  { judge, second, judgeAll = false }: AfterRuleOptions,
): Promise<Decision> {
  const isRight = rule === "right";
  if (!canAsk || (isRight && !judgeAll)) {
    const verdict = isRight ? "right" : rule === null ? "unknown" : "wrong";
    return { verdict, rule, judge: null, confirmed: null, rescued: false, reply: null };
  }
  const { verdict: first, reply } = await judge.ask(judged);
  if (isRight) return { verdict: "right", rule, judge: first, confirmed: null, rescued: false, reply };
  if (first !== "right" || second === undefined || rule === null) {
    return { verdict: first, rule, judge: first, confirmed: null, rescued: rule !== null && first === "right", reply };
  }
  const confirmed = (await second.ask(judged)).verdict;
  return { verdict: confirmed, rule, judge: first, confirmed, rescued: confirmed === "right", reply };
}
