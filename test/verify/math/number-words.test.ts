import { describe, expect, it } from "vitest";
import { numberInWords } from "../../../src/verify/math/number-words.ts";

const NUMBERS: readonly (readonly [words: string, value: string | null])[] = [
  ["zero", "0/1"],
  ["forty-two", "42/1"],
  ["one hundred five", "105/1"],
  ["one hundred and five", "105/1"],
  ["twenty-one hundred", "2100/1"],
  ["two thousand, one hundred", "2100/1"],
  ["a million", "1000000/1"],
  ["nine million nine hundred ninety-nine thousand nine hundred ninety-nine", "9999999/1"],
  ["two dozen", "24/1"],
  ["half", "1/2"],
  ["a third", "1/3"],
  ["third", "3/1"],
  ["two thirds", "2/3"],
  ["three-quarters", "3/4"],
  ["one hundredth", "1/100"],
  ["twenty-first", "21/1"],
  ["two and a half", "5/2"],
  ["two and a half million", "2500000/1"],
  ["negative three point one four", "-157/50"],
  ["four two", null],
  ["twenty twelve", null],
  ["thirty-zero", null],
  ["one and two", null],
  ["two seconds", null],
  ["three fifth", null],
  ["one hundred and", null],
  ["one thousand million", null],
  ["no one", null],
  ["and", null],
  ["", null],
];

describe("numbers in words", () => {
  it.each(NUMBERS)("%s: %s", (words, expected) => {
    const value = numberInWords(words);
    expect(value === null ? null : `${value.numerator}/${value.denominator}`).toBe(expected);
  });

  it("every number below a thousand is read back from its words", () => {
    const small =
      "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(
        " ",
      );
    const tens = "twenty thirty forty fifty sixty seventy eighty ninety".split(" ");
    const below100 = (n: number): string =>
      n < 20 ? small[n]! : tens[Math.floor(n / 10) - 2]! + (n % 10 === 0 ? "" : `-${small[n % 10]}`);
    const spell = (n: number): string =>
      n < 100
        ? below100(n)
        : `${small[Math.floor(n / 100)]} hundred${n % 100 === 0 ? "" : ` and ${below100(n % 100)}`}`;
    for (let n = 0; n < 1000; n++) expect(numberInWords(spell(n))?.numerator, spell(n)).toBe(BigInt(n));
  });
});
