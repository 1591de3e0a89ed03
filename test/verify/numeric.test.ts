import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  add,
  divide,
  equal,
  formatRational,
  multiply,
  parseNumber,
  rational,
  subtract,
} from "../../src/verify/numeric.ts";

describe("parseNumber", () => {
  const readings: readonly [string, string][] = [
    ["42", "42"],
    ["+42", "42"],
    ["-42", "-42"],
    ["\u221242", "-42"],
    ["007", "7"],
    ["3.50", "7/2"],
    [".5", "1/2"],
    ["5.", "5"],
    ["0.1", "1/10"],
    ["-0", "0"],
    ["1,234,567", "1234567"],
    ["1,234.5", "2469/2"],
    ["7{,}425{,}000", "7425000"],
    ["2/3", "2/3"],
    ["-4/6", "-2/3"],
    ["1 1/2", "3/2"],
    ["\\frac{2}{3}", "2/3"],
    ["-\\dfrac{1}{4}", "-1/4"],
    ["1\\frac{1}{2}", "3/2"],
    ["50%", "1/2"],
    ["28\\%", "7/25"],
    ["12.5 %", "1/8"],
    ["1.5e-3", "3/2000"],
    ["2E3", "2000"],
    ["$18", "18"],
    ["-$18.00", "-18"],
    ["$42$", "42"],
    ["60^\\circ", "60"],
    ["  9 . ", "9"],
  ];
  for (const [text, expected] of readings) {
    it(`reads ${text} as ${expected}`, () => {
      const value = parseNumber(text);
      expect(value === null ? null : formatRational(value)).toBe(expected);
    });
  }

  for (const text of [
    "",
    "-",
    "abc",
    "1,23",
    "1,2345",
    "12,34,567",
    "1/0",
    "1.2.3",
    "3 4",
    "2x",
    "0x10",
    "1e999",
    "--1",
    "∞",
    "NaN",
    "1".repeat(201),
  ]) {
    it(`refuses ${JSON.stringify(text.slice(0, 20))}`, () => expect(parseNumber(text)).toBeNull());
  }

  it("reads back every fraction and decimal that JavaScript prints, exactly", () => {
    fc.assert(
      fc.property(fc.bigInt(-(10n ** 12n), 10n ** 12n), fc.bigInt(1n, 10n ** 6n), (numerator, denominator) => {
        const value = rational(numerator, denominator);
        expect(parseNumber(formatRational(value))).toEqual(value);
        const grouped = numerator.toLocaleString("en-US");
        expect(parseNumber(grouped)).toEqual(rational(numerator));
      }),
      { seed: 7 },
    );
  });
});

describe("arithmetic", () => {
  it("is exact: 0.1 + 0.2 is 0.3, and a third times three is one", () => {
    const [tenth, fifth, sum] = ["0.1", "0.2", "0.3"].map((text) => parseNumber(text)!);
    expect(equal(add(tenth!, fifth!), sum!)).toBe(true);
    expect(multiply(rational(1n, 3n), rational(3n))).toEqual(rational(1n));
  });

  it("obeys the laws of a field", () => {
    const fraction = fc.tuple(fc.bigInt(-999n, 999n), fc.bigInt(1n, 999n)).map(([n, d]) => rational(n, d));
    fc.assert(
      fc.property(fraction, fraction, fraction, (a, b, c) => {
        expect(multiply(a, add(b, c))).toEqual(add(multiply(a, b), multiply(a, c)));
        expect(add(subtract(a, b), b)).toEqual(a);
        const quotient = divide(a, b);
        if (b.numerator === 0n) expect(quotient).toBeNull();
        else expect(multiply(quotient!, b)).toEqual(a);
      }),
      { seed: 7 },
    );
  });
});
