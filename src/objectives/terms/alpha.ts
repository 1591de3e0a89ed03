/**
 * GPG's correction for answers that teach nothing: what is left of the batch pulls as hard as a whole one.
 *
 *   alpha = B / (B - M)      B: answers of the rollout batch, M: those in groups of equal rewards       Chu et al., arXiv 2504.02546
 *
 * verl's `gpg` counts the answers whose reward is not 0 in place of B - M: another number except by chance, since it counts solved
 * groups and leaves out the wrong answers of mixed ones.
 */
import { z } from "zod";
import { allEqual } from "../../math/statistics.ts";
import type { Formula } from "../objective.ts";
import { countedOf, type GroupRewards } from "./baseline.ts";

export const alphaKinds = ["mixed-groups", "nonzero-scores", "none"] as const;
export type AlphaKind = (typeof alphaKinds)[number];

export function alphaOption(value: AlphaKind) {
  return z
    .enum(alphaKinds)
    .default(value)
    .describe(
      "What the advantages are scaled by: the answers of the batch over those in groups of unequal rewards (mixed-groups: the paper), over those whose reward is not 0 (nonzero-scores: verl's gpg), or 1 (none).",
    );
}

/** alpha of one rollout batch; 1 where nothing would be left to divide by. */
export function alphaOf(rewards: GroupRewards, kind: AlphaKind): number {
  if (kind === "none") return 1;
  const counted = rewards.map(countedOf);
  const left =
    kind === "mixed-groups"
      ? counted.filter((group) => !allEqual(group)).flat()
      : counted.flat().filter((reward) => reward !== 0);
  return left.length === 0 ? 1 : counted.flat().length / left.length;
}

/** [groups][G] */
export function scaledByAlpha(
  rewards: GroupRewards,
  advantages: readonly (readonly number[])[],
  kind: AlphaKind,
): number[][] {
  const alpha = alphaOf(rewards, kind);
  return advantages.map((group) => group.map((advantage) => alpha * advantage));
}

/** `compared` is the advantage before alpha. */
export function alphaFormula(kind: AlphaKind, compared: Formula): Formula[] {
  if (kind === "none") return [compared];
  const source = kind === "mixed-groups" ? "GPG, arXiv 2504.02546" : "verl's gpg";
  const left = kind === "mixed-groups" ? "answers in groups of unequal rewards" : "answers whose reward is not 0";
  return [
    { symbol: "alpha", expression: `answers of the rollout batch / ${left}`, source },
    { symbol: compared.symbol, expression: `alpha (${compared.expression})`, source },
  ];
}
