/** Which completions of a step are looked at. */
import { permutation, seedFrom } from "../random.ts";

/** Group and index of `count` completions at most, in order: of as many groups as there are, the same for the same seed. `sizes` is [groups]. */
export function sampleOf(sizes: readonly number[], count: number, seed: number): [group: number, index: number][] {
  const order = permutation(sizes.length, seedFrom(seed, "groups"));
  const members = sizes.map((size, group) => permutation(size, seedFrom(seed, "members", group)));
  const chosen: [number, number][] = [];
  const largest = sizes.reduce((a, b) => Math.max(a, b), 0);
  for (let round = 0; round < largest && chosen.length < count; round++) {
    for (const group of order) {
      const index = members[group]![round];
      if (index !== undefined && chosen.length < count) chosen.push([group, index]);
    }
  }
  return chosen.sort(([a, i], [b, j]) => a - b || i - j);
}
