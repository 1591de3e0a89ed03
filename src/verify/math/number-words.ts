/**
 * Numbers in English words: "forty-two", "twenty-one hundred", "minus three point five", "two and a half", "three quarters",
 * "one third", "twenty-first", "2.5 million".
 *
 *   number    ["minus"] cardinal ["point" digit+ | "and" fraction | ordinal] | ["minus"] fraction
 *   fraction  ("a" | "one") third | cardinal thirds | "half"
 *
 * A bare "third" is the ordinal 3; only with "a", "one" or a plural is it a part of one.
 */
import { add, multiply, type Rational, rational } from "./rational.ts";

const SMALL = new Map(
  (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen " +
    "eighteen nineteen"
  )
    .split(" ")
    .map((word, value): [string, bigint] => [word, BigInt(value)]),
);

const TENS = new Map(
  "twenty thirty forty fifty sixty seventy eighty ninety"
    .split(" ")
    .map((word, index): [string, bigint] => [word, BigInt(10 * (index + 2))]),
);

const SCALES: ReadonlyMap<string, bigint> = new Map([
  ["dozen", 12n],
  ["hundred", 100n],
  ["thousand", 1000n],
  ["million", 10n ** 6n],
  ["billion", 10n ** 9n],
  ["trillion", 10n ** 12n],
  // Indian, and what other languages call a million and a thousand millions.
  ["lakh", 10n ** 5n],
  ["lakhs", 10n ** 5n],
  ["crore", 10n ** 7n],
  ["crores", 10n ** 7n],
  ["mio", 10n ** 6n],
  ["millions", 10n ** 6n],
  ["millionen", 10n ** 6n],
  ["millones", 10n ** 6n],
  ["milliard", 10n ** 9n],
  ["milliards", 10n ** 9n],
  ["milliarden", 10n ** 9n],
  // Chinese: ten thousand and a hundred million.
  ["\u4e07", 10n ** 4n],
  ["\u4ebf", 10n ** 8n],
]);

/** Ordinals that do not end in -th after the cardinal as it is. */
const IRREGULAR: ReadonlyMap<string, string> = new Map([
  ["first", "one"],
  ["second", "two"],
  ["third", "three"],
  ["fifth", "five"],
  ["eighth", "eight"],
  ["ninth", "nine"],
  ["twelfth", "twelve"],
]);

/** "million" after digits: what the number is times; null for any other word. */
export function scaleOf(word: string): Rational | null {
  const scale = SCALES.get(word.toLowerCase());
  return scale === undefined ? null : rational(scale);
}

/** More words are a sentence. */
const MAX_WORDS = 20;

/** The number that all the words together are; null where they are anything else. */
export function numberInWords(text: string): Rational | null {
  const words = text
    .toLowerCase()
    .replaceAll(/(?<=[a-z])-(?=[a-z])|,(?=\s)/g, " ")
    .trim()
    .split(/\s+/, MAX_WORDS + 1);
  if (words.length > MAX_WORDS) return null;
  const isNegative = words[0] === "minus" || words[0] === "negative";
  const value = unsigned(isNegative ? words.slice(1) : words);
  return value !== null && isNegative ? rational(-value.numerator, value.denominator) : value;
}

function unsigned(words: readonly string[]): Rational | null {
  const last = words.at(-1);
  if (last === undefined) return null;
  const whole = cardinal(words) ?? ordinal(words) ?? fraction(words) ?? decimal(words);
  if (whole !== null) return whole;
  // Two and a half, two and three quarters, two and a half million.
  const scale = SCALES.get(last);
  const mixed = mixedNumber(scale === undefined ? words : words.slice(0, -1));
  return mixed === null || scale === undefined ? mixed : multiply(mixed, rational(scale));
}

function mixedNumber(words: readonly string[]): Rational | null {
  for (let at = words.indexOf("and"); at > 0; at = words.indexOf("and", at + 1)) {
    const [whole, part] = [cardinal(words.slice(0, at)), fraction(words.slice(at + 1))];
    if (whole !== null && part !== null && part.numerator < part.denominator) return add(whole, part);
  }
  return null;
}

/** 0 up: units after tens, hundreds and scales in falling order, "and" after a hundred or a scale. */
function cardinal(words: readonly string[]): Rational | null {
  let total = 0n;
  /** What stands since the last thousand, million …; null at the start and after one. */
  let group: bigint | null = null;
  let lastScale: bigint | null = null;
  for (const [index, word] of words.entries()) {
    const previous = words[index - 1];
    const [small, tens, scale] = [SMALL.get(word), TENS.get(word), SCALES.get(word)];
    const afterTens = previous !== undefined && TENS.has(previous);
    if (small !== undefined) {
      const fits =
        group === null || (afterTens ? small > 0n && small < 10n : group % 100n === 0n && (group > 0n || total > 0n));
      if (!fits) return null;
      group = (group ?? 0n) + small;
    } else if (tens !== undefined) {
      if (group !== null && group % 100n !== 0n) return null;
      group = (group ?? 0n) + tens;
    } else if (word === "hundred" || word === "dozen") {
      const count: bigint = group ?? (index === 0 || previous === "a" ? 1n : 0n);
      if (count < 1n || count > 99n) return null;
      group = count * (scale ?? 0n);
    } else if (scale !== undefined) {
      const count: bigint = group ?? (index === 0 || previous === "a" ? 1n : 0n);
      if (count < 1n || (lastScale !== null && scale >= lastScale)) return null;
      total += count * scale;
      lastScale = scale;
      group = null;
    } else if (word === "a" && index === 0 && SCALES.has(words[1] ?? "")) continue;
    else if (!(word === "and" && previous !== undefined && SCALES.has(previous) && index < words.length - 1))
      return null;
  }
  return group === null && lastScale === null ? null : rational(total + (group ?? 0n));
}

function ordinal(words: readonly string[]): Rational | null {
  const last = words.at(-1)!;
  const stem = cardinalOfOrdinal(last);
  // One hundredth is a part of one.
  return stem === null || words[0] === "a" || (words[0] === "one" && words.length === 2)
    ? null
    : cardinal([...words.slice(0, -1), stem]);
}

/** "third" as "three", "twentieth" as "twenty"; null for what is no ordinal. */
function cardinalOfOrdinal(word: string): string | null {
  const irregular = IRREGULAR.get(word);
  if (irregular !== undefined) return irregular;
  const stem = word.endsWith("ieth") ? `${word.slice(0, -4)}y` : word.endsWith("th") ? word.slice(0, -2) : "";
  return SMALL.has(stem) || TENS.has(stem) || SCALES.has(stem) ? stem : null;
}

const PARTS: ReadonlyMap<string, bigint> = new Map([
  ["half", 2n],
  ["halves", 2n],
  ["quarter", 4n],
  ["quarters", 4n],
]);

/** "half", "a third", "three quarters", "twenty-one hundredths". */
function fraction(words: readonly string[]): Rational | null {
  const last = words.at(-1);
  if (last === undefined) return null;
  if (words.length === 1) return last === "half" ? rational(1n, 2n) : null;
  const isOne = words.length === 2 && (words[0] === "a" || words[0] === "one" || words[0] === "an");
  const isPlural = last.endsWith("s");
  if (isOne === isPlural) return null;
  const stem = cardinalOfOrdinal(isPlural ? last.slice(0, -1) : last);
  const denominator = PARTS.get(last) ?? (stem === null ? undefined : cardinal([stem])?.numerator);
  // There are no seconds among parts, and no oneths.
  if (denominator === undefined || denominator < 2n || stem === "two") return null;
  const count = isOne ? rational(1n) : cardinal(words.slice(0, -1));
  return count === null ? null : rational(count.numerator, denominator);
}

/** "three point one four". */
function decimal(words: readonly string[]): Rational | null {
  const at = words.indexOf("point");
  if (at === -1 || at === words.length - 1) return null;
  const whole = at === 0 ? rational(0n) : cardinal(words.slice(0, at));
  const digits = words.slice(at + 1).map((word) => SMALL.get(word) ?? 10n);
  if (whole === null || digits.some((digit) => digit > 9n)) return null;
  return add(whole, rational(BigInt(digits.join("")), 10n ** BigInt(digits.length)));
}
