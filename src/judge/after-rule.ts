/**
 * The rule first, the judge as a rescue: what the rule accepts is right and costs nothing; what it rejects may be right in a form that
 * the rule cannot read, and the judge is asked. With a second judge a rescue has to be confirmed: the cheap judge and the rule
 * disagree, and the thinking one decides (Seed-Thinking-v1.5's two tiers, arXiv 2504.13914).
 */
import type { Verdict } from "../verify/judge.ts";
import { EndpointFailure } from "./endpoint.ts";
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
  /** Why a question that was asked for the record alone got no answer. */
  readonly failure?: string;
}

export interface AfterRuleOptions {
  readonly judge: Judge;
  /** Asked where the first judge calls right what the rule rejected. */
  readonly second?: Judge | undefined;
  /** True: solutions that the rule accepted are judged too, for the record; the rule's word stands. Default false. */
  readonly judgeAll?: boolean;
}

/** Throws as Judge.ask does. `canAsk` false: nothing that a judge could rescue, such as an answer that was cut off; the rule's word stands. */
export async function decide(
  rule: Verdict | null,
  canAsk: boolean,
  judged: JudgedCase,
  { judge, second, judgeAll = false }: AfterRuleOptions,
): Promise<Decision> {
  const isRight = rule === "right";
  const unasked = { rule, judge: null, confirmed: null, rescued: false, reply: null };
  if (isRight) return judgeAll && canAsk ? forTheRecord(judged, judge) : { ...unasked, verdict: "right" };
  if (!canAsk) return { ...unasked, verdict: rule === null ? "unknown" : "wrong" };
  const { verdict: first, reply } = await judge.ask(judged);
  if (first !== "right" || second === undefined || rule === null) {
    return { verdict: first, rule, judge: first, confirmed: null, rescued: rule !== null && first === "right", reply };
  }
  const confirmed = (await second.ask(judged)).verdict;
  return { verdict: confirmed, rule, judge: first, confirmed, rescued: confirmed === "right", reply };
}

/** The rule accepted it: what the judge says, or fails to say, changes nothing. */
async function forTheRecord(judged: JudgedCase, judge: Judge): Promise<Decision> {
  const decided = { verdict: "right", rule: "right", confirmed: null, rescued: false } as const;
  try {
    const { verdict, reply } = await judge.ask(judged);
    return { ...decided, judge: verdict, reply };
  } catch (error) {
    if (!(error instanceof EndpointFailure)) throw error;
    return { ...decided, judge: null, reply: null, failure: error.message };
  }
}
