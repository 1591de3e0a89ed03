/**
 * The limit of an infinite sum by the u-transform of Levin (1973), which sums geometric, alternating and power-like series alike:
 *
 *   L_n = sum_j (-1)^j C(n, j) ((1 + j)/(1 + n))^(n-1) S_j / w_j  /  the same sum with S_j left out,   w_j = (1 + j) a_j
 */
import { type Complex, complex, magnitude, minus, plus } from "./complex.ts";

/** Terms that are added where they come to nothing by themselves, as those of sin 12 do, and terms that the transform sees. */
const MAX_TERMS = 60;
const MAX_TRANSFORMED = 26;
const EPSILON = 2 ** -50;
const PRECISION = 3e-9;

/** null where the terms do not shrink or the transform does not settle to ten digits. */
export function infiniteSum(term: (index: number) => Complex | null, from: number): Complex | null {
  const terms: Complex[] = [];
  const sums: Complex[] = [];
  let total = complex(0);
  let previous: Complex | null = null;
  let best: Complex | null = null;
  for (let n = 0; n < MAX_TERMS; n++) {
    const value = term(from + n);
    if (value === null) return null;
    total = plus(total, value);
    if (magnitude(value) <= 2 ** -54 * magnitude(total)) return n > 3 ? total : null;
    if (n >= MAX_TRANSFORMED) continue;
    terms.push(value);
    sums.push(total);
    const estimate = n < 4 ? null : transform(terms, sums);
    if (estimate !== null && previous !== null) {
      const change = magnitude(minus(estimate, previous));
      // Estimates close in until rounding takes over: the smallest step bounds the error of the best.
      if (best === null || 16 * change < best.error)
        best = complex(estimate.re, estimate.im, 16 * change + EPSILON * magnitude(estimate));
      // The transform also sums divergent series; the terms have to shrink as well.
      if (magnitude(value) > 0.75 * magnitude(terms[Math.floor(n / 2)]!)) best = null;
    }
    previous = estimate;
  }
  return best !== null && best.error <= PRECISION * magnitude(best) ? best : null;
}

function transform(terms: readonly Complex[], sums: readonly Complex[]): Complex | null {
  const n = terms.length - 1;
  let [aboveRe, aboveIm, belowRe, belowIm] = [0, 0, 0, 0];
  let binomial = 1;
  for (let j = 0; j <= n; j++) {
    const term = terms[j]!;
    const size = (term.re ** 2 + term.im ** 2) * (1 + j);
    const factor = ((j % 2 === 0 ? 1 : -1) * binomial * ((1 + j) / (1 + n)) ** (n - 1)) / size;
    const [re, im] = [factor * term.re, -factor * term.im];
    const sum = sums[j]!;
    aboveRe += re * sum.re - im * sum.im;
    aboveIm += re * sum.im + im * sum.re;
    belowRe += re;
    belowIm += im;
    binomial = (binomial * (n - j)) / (j + 1);
  }
  const size = belowRe ** 2 + belowIm ** 2;
  if (!(size > 0) || !Number.isFinite(size)) return null;
  return complex((aboveRe * belowRe + aboveIm * belowIm) / size, (aboveIm * belowRe - aboveRe * belowIm) / size);
}
