/** Estimators over k samples of n problems. */
import { sampleStd } from "./statistics.ts";

/**
 * The chance that at least one of k samples is right, from n samples of which c are: 1 - C(n - c, k) / C(n, k), as a product so
 * that nothing overflows. Chen et al., arXiv 2107.03374, eq. 1.
 */
export function passAtK(n: number, c: number, k: number): number {
  if (k > n) throw new Error(`pass@${k} needs at least ${k} samples, got ${n}`);
  if (n - c < k) return 1;
  let miss = 1;
  for (let i = n - c + 1; i <= n; i++) miss *= 1 - k / i;
  return 1 - miss;
}

/** Standard error of the mean over independent problems: sample standard deviation / sqrt(n); 0 for one problem. */
export function standardError(perProblem: readonly number[]): number {
  return perProblem.length < 2 ? 0 : sampleStd(perProblem) / Math.sqrt(perProblem.length);
}

/** The first of the largest sets of equivalent answers, and whether another set is as large. Null answers never count. */
export function majority(
  answers: readonly (string | null)[],
  equivalent: (a: string, b: string) => boolean,
): { readonly index: number; readonly votes: number; readonly tied: boolean } | null {
  const sets: { index: number; answer: string; votes: number }[] = [];
  answers.forEach((answer, index) => {
    if (answer === null || answer === "") return;
    const set = sets.find((other) => equivalent(other.answer, answer));
    if (set === undefined) sets.push({ index, answer, votes: 1 });
    else set.votes++;
  });
  const votes = Math.max(...sets.map((set) => set.votes));
  const best = sets.filter((set) => set.votes === votes);
  return best[0] === undefined ? null : { index: best[0].index, votes, tied: best.length > 1 };
}
