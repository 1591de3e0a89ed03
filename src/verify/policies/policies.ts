/** The named policies: graders of others, reproduced where their results have to be compared with. */
import { gradeDapo } from "./dapo.ts";
import { gradeDeepScaleR } from "./deepscaler.ts";
import { gradeGsm8k, gradeGsm8kFlexible } from "./gsm8k.ts";
import { gradeHendrycks } from "./hendrycks.ts";
import { gradeOrz } from "./orz.ts";
import type { Policy } from "./policy.ts";
import { gradePrm800k } from "./prm800k.ts";
import { gradeQwenMath } from "./qwen-math.ts";

export const POLICY_NAMES = [
  "hendrycks",
  "prm800k",
  "dapo",
  "orz",
  "deepscaler",
  "qwen-math",
  "gsm8k",
  "gsm8k-flexible",
] as const;
export type PolicyName = (typeof POLICY_NAMES)[number];

export const POLICIES: Readonly<Record<PolicyName, Policy>> = {
  hendrycks: gradeHendrycks,
  prm800k: gradePrm800k,
  dapo: gradeDapo,
  orz: gradeOrz,
  deepscaler: gradeDeepScaleR,
  "qwen-math": gradeQwenMath,
  gsm8k: gradeGsm8k,
  "gsm8k-flexible": gradeGsm8kFlexible,
};
