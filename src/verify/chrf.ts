/**
 * chrF: the F score of character n-grams, the measure of translations that needs no tokenizer.
 *
 *   chrF = (1 + beta^2) P R / (beta^2 P + R),   P, R the means over n = 1 … 6 of matched / n-grams of the hypothesis, of the reference
 *
 * Source: Popovic 2015 (W15-3049), as sacreBLEU computes it for a sentence: white space is removed, orders that one side is too short for
 * are left out of the means, beta is 2.
 */

/** 0 to 1. Case counts. */
export function chrf(
  hypothesis: string,
  reference: string,
  { maxOrder = 6, beta = 2 }: { readonly maxOrder?: number; readonly beta?: number } = {},
): number {
  const [mine, theirs] = [hypothesis, reference].map((text) => Array.from(text.replaceAll(/\s/g, "")));
  let [precision, recall, numOrders] = [0, 0, 0];
  for (let order = 1; order <= maxOrder; order++) {
    const [hypotheses, references] = [countNgrams(mine!, order, ""), countNgrams(theirs!, order, "")];
    const [numMine, numTheirs] = [mine!.length - order + 1, theirs!.length - order + 1];
    if (numMine < 1 || numTheirs < 1) break;
    const numMatched = countMatches(hypotheses, references);
    precision += numMatched / numMine;
    recall += numMatched / numTheirs;
    numOrders++;
  }
  if (numOrders === 0 || precision + recall === 0) return 0;
  const [p, r] = [precision / numOrders, recall / numOrders];
  return ((1 + beta ** 2) * p * r) / (beta ** 2 * p + r);
}

/** How often each run of `order` units occurs. */
export function countNgrams(units: readonly string[], order: number, joint: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (let start = 0; start + order <= units.length; start++) {
    const ngram = units.slice(start, start + order).join(joint);
    counts.set(ngram, (counts.get(ngram) ?? 0) + 1);
  }
  return counts;
}

/** Each n-gram as often as both have it. */
export function countMatches(mine: ReadonlyMap<string, number>, theirs: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const [ngram, count] of mine) sum += Math.min(count, theirs.get(ngram) ?? 0);
  return sum;
}
