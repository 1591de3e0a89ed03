/**
 * How alike are two sequences? Python's difflib.SequenceMatcher, result for result.
 *
 *   ratio = 2 M / (|a| + |b|),   M the elements in the matching blocks; 1 for two empty sequences
 *
 * Blocks are found as Ratcliff and Obershelp do: the longest common run (of equals the first in a, then in b), then the same to its left
 * and right. With `autojunk` elements that make up more than 1 % of a b of 200 or more do not begin a run, as in difflib.
 *
 * Text is compared by code point, as in Python. Work is counted and limited: long texts of few letters cost the product of their lengths.
 */

/** A run of `size` equal elements: a[aStart + k] = b[bStart + k]. */
export interface MatchingBlock {
  readonly aStart: number;
  readonly bStart: number;
  readonly size: number;
}

export interface MatchOptions {
  /** difflib's heuristic. Default true, as there. */
  readonly autojunk?: boolean;
  /** Comparisons at most. Default 1e9, a few seconds. */
  readonly maxSteps?: number;
}

/** 0 to 1; null past maxSteps. */
export function similarity(a: string, b: string, options: MatchOptions = {}): number | null {
  const [left, right] = [Array.from(a), Array.from(b)];
  const blocks = matchingBlocks(left, right, options);
  if (blocks === null) return null;
  const length = left.length + right.length;
  return length === 0 ? 1 : (2 * blocks.reduce((sum, { size }) => sum + size, 0)) / length;
}

/** In order of their starts, adjacent ones joined; difflib's empty last block is left out. null past maxSteps. */
export function matchingBlocks(
  a: readonly string[],
  b: readonly string[],
  { autojunk = true, maxSteps = 1e9 }: MatchOptions = {},
): MatchingBlock[] | null {
  const finder = new RunFinder(a, b, autojunk, maxSteps);
  const found: MatchingBlock[] = [];
  const open: [number, number, number, number][] = [[0, a.length, 0, b.length]];
  for (let range = open.pop(); range !== undefined; range = open.pop()) {
    const [aLow, aHigh, bLow, bHigh] = range;
    const block = finder.longest(aLow, aHigh, bLow, bHigh);
    if (block === null) return null;
    const { aStart, bStart, size } = block;
    if (size === 0) continue;
    found.push(block);
    if (aLow < aStart && bLow < bStart) open.push([aLow, aStart, bLow, bStart]);
    if (aStart + size < aHigh && bStart + size < bHigh) open.push([aStart + size, aHigh, bStart + size, bHigh]);
  }
  return joinAdjacent(found.sort((x, y) => x.aStart - y.aStart));
}

function joinAdjacent(blocks: readonly MatchingBlock[]): MatchingBlock[] {
  const joined: MatchingBlock[] = [];
  for (const block of blocks) {
    const last = joined.at(-1);
    if (last !== undefined && last.aStart + last.size === block.aStart && last.bStart + last.size === block.bStart) {
      joined[joined.length - 1] = { ...last, size: last.size + block.size };
    } else joined.push(block);
  }
  return joined;
}

class RunFinder {
  /** Elements as small numbers: equal numbers for equal elements. */
  readonly #a: Int32Array;
  readonly #b: Int32Array;
  /** [numbers + 1] where the places of each number in b begin in #places; the places that may begin a run, ascending. */
  readonly #starts: Int32Array;
  readonly #places: Int32Array;
  /** [2][|b|] length of the run that ends at j in the row before and in this one, valid where the stamp is that row's. */
  readonly #lengths: readonly [Int32Array, Int32Array];
  readonly #stamps: readonly [Int32Array, Int32Array];
  #row = 1;
  #stepsLeft: number;

  constructor(a: readonly string[], b: readonly string[], autojunk: boolean, maxSteps: number) {
    const numbers = new Map<string, number>();
    const numberOf = (element: string) => {
      const number = numbers.get(element) ?? numbers.size;
      numbers.set(element, number);
      return number;
    };
    this.#b = Int32Array.from(b, numberOf);
    this.#a = Int32Array.from(a, numberOf);
    const counts = new Int32Array(numbers.size + 1);
    for (const number of this.#b) counts[number]!++;
    const isPopular = (count: number) => autojunk && b.length >= 200 && count > Math.floor(b.length / 100) + 1;
    this.#starts = new Int32Array(numbers.size + 1);
    for (let number = 0; number < numbers.size; number++) {
      const count = counts[number]!;
      this.#starts[number + 1] = this.#starts[number]! + (isPopular(count) ? 0 : count);
    }
    this.#places = new Int32Array(this.#starts[numbers.size]!);
    const next = this.#starts.slice();
    for (const [place, number] of this.#b.entries()) {
      if (!isPopular(counts[number]!)) this.#places[next[number]!++] = place;
    }
    this.#lengths = [new Int32Array(b.length), new Int32Array(b.length)];
    this.#stamps = [new Int32Array(b.length), new Int32Array(b.length)];
    this.#stepsLeft = maxSteps;
  }

  /** The longest run within a[aLow, aHigh) and b[bLow, bHigh); size 0 where there is none, null when the steps are used up. */
  longest(aLow: number, aHigh: number, bLow: number, bHigh: number): MatchingBlock | null {
    const [a, b, places, starts] = [this.#a, this.#b, this.#places, this.#starts];
    let [aStart, bStart, size] = [aLow, bLow, 0];
    for (let i = aLow; i < aHigh; i++) {
      const row = ++this.#row;
      const [lengths, stamps] = [this.#lengths[row & 1]!, this.#stamps[row & 1]!];
      const [lengthsBefore, stampsBefore] = [this.#lengths[(row - 1) & 1]!, this.#stamps[(row - 1) & 1]!];
      const end = starts[a[i]! + 1]!;
      let at = firstFrom(places, starts[a[i]!]!, end, bLow);
      const first = at;
      for (; at < end && places[at]! < bHigh; at++) {
        const j = places[at]!;
        // Runs do not reach over the beginning of the range: a row outside it was never stamped.
        const length = (j > bLow && i > aLow && stampsBefore[j - 1] === row - 1 ? lengthsBefore[j - 1]! : 0) + 1;
        lengths[j] = length;
        stamps[j] = row;
        if (length > size) [aStart, bStart, size] = [i - length + 1, j - length + 1, length];
      }
      this.#stepsLeft -= at - first + 1;
      if (this.#stepsLeft < 0) return null;
    }
    // Elements that may not begin a run may still lengthen it.
    while (aStart > aLow && bStart > bLow && a[aStart - 1] === b[bStart - 1]) {
      aStart--;
      bStart--;
      size++;
    }
    while (aStart + size < aHigh && bStart + size < bHigh && a[aStart + size] === b[bStart + size]) size++;
    return { aStart, bStart, size };
  }
}

/** First index in [low, high) whose place is at least `from`. */
function firstFrom(places: Int32Array, low: number, high: number, from: number): number {
  while (low < high) {
    const middle = (low + high) >> 1;
    if (places[middle]! < from) low = middle + 1;
    else high = middle;
  }
  return low;
}
