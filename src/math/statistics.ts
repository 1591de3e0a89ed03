/** Means and deviations of short lists, in float64. */

export function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

/** NaN for an empty list: a mean of nothing must not pass for 0. */
export function mean(values: readonly number[]): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

/** Square root of the sum of squared deviations over n - 1; 0 for one value, NaN for none. */
export function sampleStd(values: readonly number[]): number {
  return values.length === 1 ? 0 : Math.sqrt(sumOfSquaredDeviations(values) / (values.length - 1));
}

/** Square root of the mean squared deviation; NaN for an empty list. */
export function populationStd(values: readonly number[]): number {
  return Math.sqrt(sumOfSquaredDeviations(values) / values.length);
}

/** The middle value, or the mean of the two middle ones; of at least one value. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error("the median of nothing");
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

/** The value under which a `share` from 0 to 1 of the values lies, between two of them by the straight line; of at least one value. */
export function quantile(values: Float64Array, share: number): number {
  if (values.length === 0) throw new Error("the quantile of nothing");
  const place = share * (values.length - 1);
  const below = Math.floor(place);
  const lower = kthSmallest(values, below);
  const upper = below + 1 < values.length ? kthSmallest(values, below + 1) : lower;
  return lower + (place - below) * (upper - lower);
}

/** What would stand at `rank` (from 0) if the values were sorted; Hoare's selection, linear where sorting is not. */
export function kthSmallest(values: Float64Array, rank: number): number {
  const rest = Float64Array.from(values);
  let [low, high] = [0, rest.length - 1];
  while (low < high) {
    const pivot = middleOf(rest[low]!, rest[(low + high) >> 1]!, rest[high]!);
    let [left, right] = [low, high];
    while (left <= right) {
      while (rest[left]! < pivot) left++;
      while (rest[right]! > pivot) right--;
      if (left > right) break;
      const swapped = rest[left]!;
      rest[left++] = rest[right]!;
      rest[right--] = swapped;
    }
    // rest[low..right] <= pivot <= rest[left..high], and what lies between is the pivot
    if (rank <= right) high = right;
    else if (rank >= left) low = left;
    else return pivot;
  }
  return rest[rank]!;
}

function middleOf(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
}

/** True when no two values differ; exact, so that rounding in a mean cannot turn equal rewards into tiny advantages. */
export function allEqual(values: readonly number[]): boolean {
  return values.every((value) => value === values[0]);
}

function sumOfSquaredDeviations(values: readonly number[]): number {
  const center = mean(values);
  let sum = 0;
  for (const value of values) sum += (value - center) ** 2;
  return values.length === 0 ? Number.NaN : sum;
}
