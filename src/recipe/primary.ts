/** Which of a stage's rewards the run is about: the one that others may not overrule, and that held-out rewards are compared with. */
import { rewardLabel } from "../reward/reward.ts";
import type { RlStage } from "./schema.ts";

/** Its name in metrics: the one that `audit.primary` names, else accuracy, else the reward of most weight. */
export function primaryReward({ rewards, audit }: Pick<RlStage, "rewards" | "audit">): string {
  if (audit.primary !== undefined) return audit.primary;
  const specs = rewards.functions.map((spec) => (typeof spec === "string" ? { name: spec, weight: 1 } : spec));
  const accuracy = specs.find(({ name, weight }) => name === "accuracy" && weight !== 0);
  const [heaviest] = specs.toSorted((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
  return rewardLabel((accuracy ?? heaviest)!);
}
