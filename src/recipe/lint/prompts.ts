/** Traps of choosing prompts and of growing contexts: what has no effect, and what stays as it is while the limit grows. */
import type { RlStage } from "../schema.ts";
import type { Path } from "../source.ts";
import type { Rule } from "./rule.ts";

export const onlineWindowHoldsAll: Rule = {
  name: "online-window-holds-all",
  source: "rollout.prompts.online by definition: a pass rate is a share",
  fix: "write ends: open, or narrow it",
  rl: ({ rollout: { prompts } }) => {
    const online = prompts?.online;
    if (online === undefined || online.ends === "open" || (online.min ?? 0) > 0 || (online.max ?? 1) < 1) return null;
    return { path: ["rollout", "prompts", "online"], message: "has no effect: every pass rate lies in [0, 1]" };
  },
};

export const neverBegins: Rule = {
  name: "never-begins",
  source: "steps of the stage by definition",
  fix: "begin earlier, or train longer",
  rl: (stage) => {
    const late = starts(stage).find(({ afterStep }) => afterStep > 0 && afterStep >= stage.steps);
    if (late === undefined) return null;
    const message = `begins after step ${late.afterStep}, but the stage has ${stage.steps} steps`;
    return { path: [...late.path, "afterStep"], message };
  },
};

/** Everything that begins at a step of its own. */
function starts({ rollout: { prompts, contextSchedule } }: RlStage): { path: Path; afterStep: number }[] {
  const curriculum = prompts?.curriculum;
  const parts = curriculum?.type === "stages" ? curriculum.stages : [];
  return [
    ...parts.map(({ afterStep }, i) => ({ path: ["rollout", "prompts", "curriculum", "stages", i], afterStep })),
    ...(contextSchedule ?? []).flatMap(({ afterStep }, i) =>
      afterStep === undefined ? [] : [{ path: ["rollout", "contextSchedule", i], afterStep }],
    ),
  ];
}

export const fixedRewardLength: Rule = {
  name: "fixed-reward-length",
  source: "rollout.contextSchedule by definition: it raises the generation limit",
  fix: "leave its maxTokens out: it follows the limit then",
  rl: ({ rewards, rollout: { contextSchedule } }) => {
    const index = rewards.functions.findIndex(
      (reward) => typeof reward === "object" && reward.params["maxTokens"] !== undefined,
    );
    if (contextSchedule === undefined || index < 0) return null;
    return {
      path: ["rewards", "functions", index],
      message: "its own maxTokens stays as it is while contextSchedule raises the limit",
    };
  },
};

export const evalContext: Rule = {
  name: "eval-context",
  source: "rollout.contextSchedule by definition: it is of the rollouts alone",
  fix: "give eval.sampling.maxTokens for a longer limit, or to say that this is meant",
  rl: ({ eval: evaluation, rollout: { contextSchedule } }) =>
    contextSchedule === undefined || evaluation === undefined || evaluation.sampling.maxTokens !== undefined
      ? null
      : { path: ["eval"], message: "evaluates at sampling.maxTokens throughout, so that its numbers compare" },
};
