/**
 * Student's t distribution, for intervals and tests over few runs.
 *
 *   P(|T| > t) = I_x(df/2, 1/2),  x = df / (df + t^2)            Abramowitz & Stegun 26.7.1 with 26.5.27
 *
 * I is the regularised incomplete beta function, by its continued fraction (DLMF 8.17.22) with the symmetry I_x(a, b) = 1 - I_(1-x)(b, a),
 * and ln Gamma by Lanczos' sum (g = 7, nine terms), good to about 1e-14.
 */

/** P(|T| > |t|) for `df` degrees of freedom, df > 0; 0 where t is infinite. */
export function twoSidedP(t: number, df: number): number {
  return incompleteBeta(df / 2, 0.5, df / (df + t * t));
}

/** The t with P(T <= t) = `probability`, 0 < probability < 1. */
export function tQuantile(probability: number, df: number): number {
  if (probability === 0.5) return 0;
  if (probability < 0.5) return -tQuantile(1 - probability, df);
  const tail = 2 * (1 - probability);
  let [low, high] = [0, 1];
  while (twoSidedP(high, df) > tail) high *= 2;
  // Halves the bracket until it has no double inside.
  for (let middle = (low + high) / 2; middle > low && middle < high; middle = (low + high) / 2) {
    if (twoSidedP(middle, df) > tail) low = middle;
    else high = middle;
  }
  return high;
}

/** I_x(a, b) for a, b > 0 and x in [0, 1]. */
function incompleteBeta(a: number, b: number, x: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  // The fraction converges fast below the mean of the distribution.
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(b, a, 1 - x);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
  return (front / a) * betaFraction(a, b, x);
}

const MAX_TERMS = 500;
const TINY = 1e-300;

/** Lentz's evaluation: terms come in pairs, d_2m and d_2m+1. */
function betaFraction(a: number, b: number, x: number): number {
  const away = (value: number) => (Math.abs(value) < TINY ? TINY : value);
  let c = 1;
  let d = 1 / away(1 - ((a + b) * x) / (a + 1));
  let value = d;
  for (let m = 1; m <= MAX_TERMS; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    let factor = 1;
    for (const term of [even, odd]) {
      d = 1 / away(1 + term * d);
      c = away(1 + term / c);
      factor = c * d;
      value *= factor;
    }
    if (Math.abs(factor - 1) < 1e-15) return value;
  }
  return value;
}

const LANCZOS = [
  0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
  12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

function logGamma(z: number): number {
  const t = z + 6.5;
  let sum = LANCZOS[0]!;
  for (let i = 1; i < LANCZOS.length; i++) sum += LANCZOS[i]! / (z - 1 + i);
  return 0.5 * Math.log(2 * Math.PI) + (z - 0.5) * Math.log(t) - t + Math.log(sum);
}
