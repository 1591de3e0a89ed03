/** How much of a text is said again: distinct n-grams over n-grams. */

/** 1 where no run of `size` units occurs twice; null for fewer units than that. */
export function distinctShare(units: readonly string[], size: number): number | null {
  const numNgrams = units.length - size + 1;
  if (numNgrams < 1) return null;
  const distinct = new Set<string>();
  for (let start = 0; start < numNgrams; start++) distinct.add(units.slice(start, start + size).join(" "));
  return distinct.size / numNgrams;
}
