/** KL-Cov by its rule. What SkyRL ships applies the rule to advantages that are divided by the batch's tokens: covariance.test.ts. */
import type { Setting } from "./harness.ts";

export const covarianceSettings: Record<string, Setting> = {
  "skyrl kl_cov rule with raw A, all terms / N tokens (control)": {
    spec: { type: "kl-cov", fraction: 0.2, penalty: 1 },
  },
};
