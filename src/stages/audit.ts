/** Opens the audit of an rl stage: the held-out rewards, the sample of each step, and where alarms are told. */
import { cutAlarms, logAlarms } from "../audit/alarm-log.ts";
import { type Auditor, auditedStepOf } from "../audit/audited.ts";
import { auditStep } from "../audit/detectors.ts";
import { sampleOf } from "../audit/sample.ts";
import { openShadowRewards } from "../audit/shadow-rewards.ts";
import { seedFrom } from "../random.ts";
import { primaryReward } from "../recipe/primary.ts";
import type { RlStage } from "../recipe/schema.ts";
import type { Closers } from "./closers.ts";
import type { StageContext } from "./stage.ts";

/** Null where the recipe turns it off. `step` is the last finished one. Throws RecipeError for held-out rewards that do not load. */
export async function openAudit(
  { stage, name, run, reporter }: StageContext<RlStage>,
  { seed, step: finished, stack }: { readonly seed: number; readonly step: number; readonly stack: Closers },
): Promise<Auditor | null> {
  await cutAlarms(run.path, name, finished);
  const spec = stage.audit;
  if (!spec.enabled) return null;
  const primary = primaryReward(stage);
  const shadows = spec.shadow.length === 0 ? null : stack.use(await openShadowRewards(spec));
  return {
    async look(step, maxTokens, before) {
      const sizes = step.groups.map(({ rollouts }) => rollouts.length);
      const sample = sampleOf(sizes, spec.samplesPerStep, seedFrom(seed, "audit", step.step));
      const outcomes = (await shadows?.ask(step.groups, sample, maxTokens)) ?? [];
      return auditStep(before, auditedStepOf(step, primary, sample, outcomes), { ...spec, primary });
    },
    async tell(step, alarms) {
      await logAlarms(run.path, name, step, alarms);
      for (const alarm of alarms)
        reporter.note(`Audit of stage ${name}, ${alarm.name}: ${alarm.message}${whereOf(alarm)}`);
    },
  };
}

function whereOf({ examples: [first] }: Parameters<typeof logAlarms>[3][number]): string {
  if (first === undefined) return "";
  const { step, group, index } = first.suspect;
  return ` Examples are in audit.jsonl, the first is completion ${index} of group ${group} of step ${step}.`;
}
