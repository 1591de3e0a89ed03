/** Traps of rewards that ask a server. */
import { JUDGE_DEADLINE_SECONDS } from "../../judge/params.ts";
import type { Rule } from "./rule.ts";

export const rewardDeadline: Rule = {
  name: "reward-deadline",
  source: "this trainer: past rewards.deadlineSeconds a worker is killed with all that it was scoring",
  fix: "raise rewards.deadlineSeconds above it",
  rl: ({ rewards }) => {
    for (const [index, spec] of rewards.functions.entries()) {
      if (typeof spec === "string") continue;
      const own = deadlineOf(spec.params);
      const second = deadlineOf(spec.params["second"]);
      // Without a word about deadlines the defaults hold, which fit each other.
      if ((own === undefined || own.isDefault) && second === undefined) continue;
      const seconds = (own?.seconds ?? 0) + (second?.seconds ?? 0);
      if (seconds < rewards.deadlineSeconds) continue;
      const both = second === undefined ? "" : " of its two judges together";
      return {
        path: ["rewards", "functions", index],
        message: `a question may take ${seconds} s${both}, but after rewards.deadlineSeconds ${rewards.deadlineSeconds} the worker is killed: a slow server fails whole groups`,
      };
    }
    return null;
  },
};

function deadlineOf(params: unknown): { readonly seconds: number; readonly isDefault: boolean } | undefined {
  if (typeof params !== "object" || params === null) return undefined;
  const said = "deadlineSeconds" in params ? params.deadlineSeconds : undefined;
  return typeof said === "number"
    ? { seconds: said, isDefault: false }
    : { seconds: JUDGE_DEADLINE_SECONDS, isDefault: true };
}
