/**
 * The reward still to come at each token, without a critic.
 *
 *   R_t = -beta k_t, and on the last trained token the completion's reward besides
 *   G_t = sum over s >= t of gamma^(s-t) R_s = R_t + gamma G_{t+1}                    Hu, REINFORCE++, arXiv 2501.03262
 *
 * t + 1 is the next trained token: what the environment wrote in between neither discounts nor pays.
 */
import type { ScoredGroup, TokenOutputs } from "../../types.ts";
import type { Formula } from "../objective.ts";
import { tokenKl } from "./gae.ts";
import type { Kl } from "./kl.ts";

/** [groups][G][L] float64, 0 where lossMask is 0; null for excluded rollouts. */
export function tokenReturns(
  groups: readonly ScoredGroup[],
  old: readonly (readonly TokenOutputs[])[],
  ref: readonly (readonly TokenOutputs[])[] | undefined,
  gamma: number,
  kl: Kl,
): (Float64Array | null)[][] {
  const isPaid = kl.coefficient > 0 && kl.placement === "reward";
  return groups.map(({ rewards, rollouts }, g) =>
    rewards.map(({ total }, i) => {
      if (total === null) return null;
      const { sequence } = rollouts[i]!;
      const paid = isPaid ? tokenKl(sequence, old, ref, g, i, kl) : null;
      return backwards(sequence.lossMask, total, paid, gamma);
    }),
  );
}

/** [L] The recursion, from the last trained token to the first. `paid` is what each token pays. */
function backwards(lossMask: Uint8Array, reward: number, paid: Float64Array | null, gamma: number): Float64Array {
  const returns = new Float64Array(lossMask.length);
  let later = 0;
  let tokenReward = reward;
  for (let t = lossMask.length - 1; t >= 0; t--) {
    if (lossMask[t] === 0) continue;
    later = tokenReward - (paid === null ? 0 : paid[t]!) + gamma * later;
    tokenReward = 0;
    returns[t] = later;
  }
  return returns;
}

/** The formulas of `tokenReturns`. */
export function returnsFormula(gamma: number, { coefficient, estimator, placement }: Kl): Formula[] {
  const paid = coefficient > 0 && placement === "reward" ? `, less ${coefficient} ${estimator}(old_t, ref_t)` : "";
  const source = "REINFORCE++, arXiv 2501.03262";
  return [
    { symbol: "R_t", expression: `reward_i on the last token, else 0${paid}`, source },
    { symbol: "A_t", expression: `sum over s >= t of ${gamma === 1 ? "" : `${gamma}^(s-t) `}R_s`, source },
  ];
}
