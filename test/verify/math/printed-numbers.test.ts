/**
 * Random fractions and whole numbers, printed in every style and set into every kind of response: what is printed from one number is
 * equal, and what is printed from another is not.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gcd } from "../../../src/verify/math/rational.ts";
import { verify } from "../../../src/verify/verify.ts";

interface Fraction {
  readonly above: bigint;
  /** Positive. */
  readonly below: bigint;
}

/** One way to write a fraction; null where it cannot be written so. */
type Style = (value: Fraction) => string | null;

function reduced({ above, below }: Fraction): Fraction {
  const divisor = gcd(above, below);
  return { above: above / divisor, below: below / divisor };
}

const sign = ({ above }: Fraction, minus = "-") => (above < 0n ? minus : "");
const size = ({ above }: Fraction) => (above < 0n ? -above : above);

/** The digits behind the point before they repeat, and those that do. */
function decimals({ above, below }: Fraction): readonly [before: string, repeating: string] {
  const seen = new Map<bigint, number>();
  let rest = (above < 0n ? -above : above) % below;
  let digits = "";
  while (rest !== 0n && !seen.has(rest)) {
    seen.set(rest, digits.length);
    digits += (rest * 10n) / below;
    rest = (rest * 10n) % below;
  }
  const start = seen.get(rest) ?? digits.length;
  return rest === 0n ? [digits, ""] : [digits.slice(0, start), digits.slice(start)];
}

const whole = (value: Fraction) => size(value) / value.below;
const grouped = (text: string, mark: string) => text.replaceAll(/\B(?=(\d{3})+(?!\d))/g, mark);
const inDigits = (text: string, zero: number) =>
  text.replaceAll(/\d/g, (digit) => String.fromCodePoint(zero + Number(digit)));

const FRACTION_STYLES: Readonly<Record<string, Style>> = {
  slash: (v) => `${v.above}/${v.below}`,
  "spaced slash": (v) => `${v.above} / ${v.below}`,
  frac: (v) => `${sign(v)}\\frac{${size(v)}}{${v.below}}`,
  "sign above": (v) => `\\dfrac{${v.above}}{${v.below}}`,
  "sign below": (v) => (v.above < 0n ? `\\frac{${size(v)}}{-${v.below}}` : null),
  unreduced: (v) => `\\tfrac{${v.above * 6n}}{${v.below * 6n}}`,
  over: (v) => `{${v.above} \\over ${v.below}}`,
  division: (v) => `${v.above} \\div ${v.below}`,
  brackets: (v) => `-\\left(\\frac{${-v.above}}{${v.below}}\\right)`,
  "mixed LaTeX": (v) => (whole(v) > 0n ? `${sign(v)}${whole(v)}\\frac{${size(v) % v.below}}{${v.below}}` : null),
  "mixed text": (v) => (whole(v) > 0n ? `${sign(v)}${whole(v)} ${size(v) % v.below}/${v.below}` : null),
  decimal: (v) => (decimals(v)[1] === "" ? `${sign(v)}${whole(v)}.${decimals(v)[0]}00` : null),
  "rounded at eight": (v) => (decimals(v)[1] === "" ? null : (Number(v.above) / Number(v.below)).toFixed(8)),
  overline: (v) =>
    decimals(v)[1] === "" ? null : `${sign(v)}${whole(v)}.${decimals(v)[0]}\\overline{${decimals(v)[1]}}`,
  "repeating in brackets": (v) =>
    decimals(v)[1] === "" ? null : `${sign(v)}${whole(v)}.${decimals(v)[0]}(${decimals(v)[1]})`,
  percent: (v) => `${sign(v)}\\frac{${100n * size(v)}}{${v.below}}\\%`,
  power: (v) => `${v.above} \\cdot ${v.below}^{-1}`,
  sum: (v) => `${v.above + v.below}/${v.below} - 1`,
  "true minus": (v) => `${sign(v, "\u2212")}${size(v)}/${v.below}`,
  "full width": (v) => `${sign(v)}${inDigits(`${size(v)}`, 0xff10)}/${inDigits(`${v.below}`, 0xff10)}`,
  Devanagari: (v) => `${sign(v)}${inDigits(`${size(v)}`, 0x966)}/${inDigits(`${v.below}`, 0x966)}`,
};

const WHOLE_STYLES: Readonly<Record<string, Style>> = {
  plain: (v) => `${v.above}`,
  commas: (v) => grouped(`${v.above}`, ","),
  "braced commas": (v) => grouped(`${v.above}`, "{,}"),
  "thin blanks": (v) => grouped(`${v.above}`, "\\,"),
  blanks: (v) => grouped(`${v.above}`, " "),
  apostrophes: (v) => grouped(`${v.above}`, "'"),
  money: (v) => `${sign(v)}\\$${grouped(`${size(v)}`, ",")}.00`,
  dollars: (v) => `${v.above} dollars`,
  "unit in text": (v) => `${v.above}\\text{ apples}`,
  scientific: (v) => {
    const [first, rest] = [`${size(v)}`.slice(0, 1), `${size(v)}`.slice(1)];
    return `${sign(v)}${first}.${rest}0 \\times 10^{${rest.length}}`;
  },
  exponent: (v) => `${sign(v)}${`${size(v)}`.slice(0, 1)}.${`${size(v)}`.slice(1)}0e${`${size(v)}`.length - 1}`,
  hexadecimal: (v) => `${sign(v)}0x${size(v).toString(16)}`,
  "base two": (v) => (v.above >= 0n ? `${v.above.toString(2)}_2` : null),
  zeros: (v) => `${sign(v)}000${size(v)}`,
  quotient: (v) => `\\frac{${v.above * 7n}}{7}`,
  product: (v) => `${v.above} \\times 1`,
  "in words": (v) => `${sign(v, "negative ")}${size(v)}`,
  "Arabic digits": (v) => `${sign(v)}${inDigits(`${size(v)}`, 0x660)}`,
};

/** Where an answer may stand. */
const PLACES: readonly ((text: string) => string)[] = [
  (text) => text,
  (text) => `\\boxed{${text}}`,
  (text) => `$\\boxed{x = ${text}}$`,
  (text) => `We had 7 and 12. So the answer is $${text}$.`,
  (text) => `<think>7 or 12?</think><answer>$${text}$</answer>`,
  (text) => `7 + 5 = 12\n#### $${text}$`,
  (text) => `**Final Answer:** \\(${text}\\)`,
  (text) => `\u6240\u4ee5\u7b54\u6848\u662f$${text}$\u3002`,
  (text) => `It is \\[${text}\\]`,
];

const fractions = fc
  .tuple(fc.bigInt({ min: -2_000n, max: 2_000n }), fc.bigInt({ min: 2n, max: 99n }))
  .map(([above, below]) => reduced({ above, below }))
  .filter(({ below, above }) => below > 1n && above !== 0n);
const wholes = fc.bigInt({ min: -999_999_999n, max: 999_999_999n }).map((above): Fraction => ({ above, below: 1n }));

/** Near numbers that are others, in lowest terms. */
function neighboursOf({ above, below }: Fraction): Fraction[] {
  const swapped = `${above}`.replace(/(\d)(\d)$/, "$2$1");
  const others = [
    { above: above + 1n, below },
    { above: -above, below },
    { above: above * 10n, below },
    { above, below: below * 10n },
    { above, below: below + 1n },
    { above: BigInt(swapped), below },
    { above: above + below, below },
  ].filter((other) => other.above * below !== above * other.below);
  // The styles are of fractions or of whole numbers.
  return others.map(reduced).filter((other) => (other.below === 1n) === (below === 1n));
}

function holds(values: fc.Arbitrary<Fraction>, styles: Readonly<Record<string, Style>>, numRuns: number): void {
  const names = Object.keys(styles);
  // A base in the gold answer asks for the digits in that base.
  const goldNames = names.filter((name) => name !== "base two");
  let [numEqual, numDifferent] = [0, 0];
  fc.assert(
    fc.property(values, fc.constantFrom(...goldNames), fc.nat(), fc.nat(), (value, goldStyle, place, pick) => {
      const gold = styles[goldStyle]!(value);
      if (gold === null) return;
      const put = PLACES[place % PLACES.length]!;
      const others = neighboursOf(value);
      for (const name of names) {
        const style = styles[name]!;
        const [form, near] = [style(value), others.length === 0 ? null : style(others[pick % others.length]!)];
        if (form !== null) expect(verify(gold, put(form)).equal, `${gold} = ${put(form)}`).toBe(true);
        if (near !== null) expect(verify(gold, put(near)).equal, `${gold} is not ${put(near)}`).toBe(false);
        numEqual += Number(form !== null);
        numDifferent += Number(near !== null);
      }
    }),
    { numRuns, seed: 3 },
  );
  expect(numEqual).toBeGreaterThan(4 * numRuns);
  expect(numDifferent).toBeGreaterThan(4 * numRuns);
}

describe("numbers printed in every style", () => {
  it("fractions", { timeout: 60_000 }, () => holds(fractions, FRACTION_STYLES, 200));
  it("whole numbers", { timeout: 60_000 }, () => holds(wholes, WHOLE_STYLES, 200));
});
