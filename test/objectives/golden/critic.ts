/** Objectives with a critic: their policy losses. Advantages, returns and value losses are in golden.test.ts and critic.test.ts. */
import type { Setting } from "./harness.ts";

export const criticSettings: Record<string, Setting> = {
  "nemo VAPO nll .1": { spec: { type: "vapo", clipHigh: 0.2 } },
};
