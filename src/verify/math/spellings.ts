/**
 * Everyday spellings of numbers, as the LaTeX that means the same: "3 to 2", "1 out of 6", "\$70k", "5^{\text{th}}", "10C3",
 * "204 base 5". Each rule needs plain digits, so that no formula with symbols is touched.
 */
import { conditionsWritten } from "./conditions-in-words.ts";
import { fromHan } from "./han-numerals.ts";
import { measured } from "./measures.ts";
import { numberInWords } from "./number-words.ts";
import { spokenFormula } from "./spoken.ts";
import { isUnitWord } from "./units.ts";

/** Longer answers hold formulas, not spellings. */
const MAX_SPELLED = 200;

const UPRIGHT = String.raw`\\(?:text|textrm|mathrm|mbox|rm|textsuperscript)\s?`;
const NUMBER = String.raw`\d{1,15}(?:\.\d{1,15})?`;

/** \text{8 hours and 15 minutes}: a value in upright type. */
const WORDED = new RegExp(String.raw`^${UPRIGHT}\{ ?(-?\d[^{}\\]{0,100})\}$`);
const RATIO = new RegExp(String.raw`^(${NUMBER}) ?(?:${UPRIGHT}\{ ?)?(to|in|out of)\b ?\}? ?(${NUMBER})$`);
const SCALED_MONEY = new RegExp(String.raw`^(-?)\\?[$\u20ac\u00a3] ?(${NUMBER}) ?(k|K|m|M|mn|b|B|bn)$`);
const MONEY_SCALES: Readonly<Record<string, string>> = { k: "10^3", m: "10^6", mn: "10^6", b: "10^9", bn: "10^9" };
/** $18/day, and 18/day; 3/4 of the cake, 18 of them. */
const RATE = new RegExp(
  String.raw`^(-?)(\\?\$|[\u20ac\u00a3])? ?(${NUMBER}|\d{1,3}(?:,\d{3}){1,5}) ?/ ?(?:${UPRIGHT}\{ ?)?([a-z]{3,12})\}?$`,
);
const SHARE = /^(\d{1,9}(?:\s?\/\s?\d{1,9})?) of (?:them|these|those|the|an?|all|its|his|her|their)\b[a-z ]{0,60}$/;
const CURRENCIES: Readonly<Record<string, string>> = { "\u20ac": "euros", "\u00a3": "pounds sterling" };
const CHOOSE = String.raw`(?:${UPRIGHT}\{)?([CPA])\}?`;
const INDEX = String.raw`\{?(\d{1,5})\}?`;
/** _{10}C_3 and ^{10}C_3; C_{10}^3. */
const COUNT_AROUND = new RegExp(String.raw`(?<![A-Za-z0-9\\}])(?:\{\})?[_^]${INDEX}\s?${CHOOSE}_${INDEX}`, "g");
const COUNT_CROSSED = new RegExp(String.raw`(?<![A-Za-z0-9\\}])${CHOOSE}\^${INDEX}_${INDEX}`, "g");
const COUNT_BEHIND = new RegExp(String.raw`(?<![A-Za-z0-9\\}])${CHOOSE}_${INDEX}\^${INDEX}`, "g");
const BARE_COUNT = /^(\d{1,5}) ?([CP]) ?(\d{1,5})$/;

const SUFFIX = "(?:st|nd|rd|th)";
const ORDINAL = new RegExp(
  String.raw`(?<!\d)\d{1,40}(?:\^\{ ?${UPRIGHT}\{ ?${SUFFIX} ?\} ?\}|\^\{ ?${SUFFIX} ?\}|\^?${UPRIGHT}\{ ?${SUFFIX} ?\}|${SUFFIX}(?![a-zA-Z]))`,
  "g",
);

/** Digits, signs and a few commands: nothing that could be spelled otherwise. */
const FORMULA =
  /^(?!.*(?:\*\^|\/\/))(?:[\d\s+\-*/^.(){}]|\\(?:[dt]?frac|sqrt|pi|left|right|cdot|times|pm|infty)(?![a-zA-Z]))*$/;

/** The answer with its spellings replaced; most answers have none. */
export function respelled(source: string): string {
  if (source.length > MAX_SPELLED || FORMULA.test(source)) return source;
  const written = fromHan(source) ?? spokenFormula(source) ?? source;
  return numbersRespelled(measured(conditionsWritten(written)));
}

function numbersRespelled(source: string): string {
  if (!/\d/.test(source)) return source;
  const worded = WORDED.exec(source);
  if (worded !== null) return respelled(worded[1]!);
  const money = SCALED_MONEY.exec(source);
  if (money !== null) return `${money[1]}${money[2]}\\cdot ${MONEY_SCALES[money[3]!.toLowerCase()]}`;
  const ratio = RATIO.exec(source);
  if (ratio !== null) return `${ratio[1]}${ratio[2] === "to" ? ":" : "/"}${ratio[3]}`;
  const [, sign = "", currency, amount, each] = RATE.exec(source) ?? [];
  if (amount !== undefined && (currency !== undefined || isUnitWord(each!)))
    return `${sign}${amount}\\text{ ${currency === undefined ? "units" : (CURRENCIES[currency] ?? "dollars")}/${each}}`;
  const share = SHARE.exec(source);
  if (share !== null) return share[1]!;
  const bare = BARE_COUNT.exec(source);
  if (bare !== null) return counted(bare[2]!, bare[1]!, bare[3]!);
  let text = source;
  if (/(?:st|nd|rd|th)\b/.test(text)) {
    text = text.replaceAll(ORDINAL, (whole) => {
      const [, number = "", suffix] = /^(\d+).*?(st|nd|rd|th)/.exec(whole) ?? [];
      return suffix === suffixOf(number) ? number : whole;
    });
  }
  if (/[CPA]/.test(text)) {
    text = text
      .replaceAll(COUNT_AROUND, (_, n: string, letter: string, k: string) => counted(letter, n, k))
      .replaceAll(COUNT_CROSSED, (_, letter: string, k: string, n: string) => counted(letter, n, k))
      .replaceAll(COUNT_BEHIND, (_, letter: string, n: string, k: string) => counted(letter, n, k));
  }
  return text.replace(/\bper cent\b/, "percent");
}

function counted(letter: string, n: string, k: string): string {
  return letter === "C" ? `\\binom{${n}}{${k}}` : `\\operatorname{permutations}(${n},${k})`;
}

/** The suffix of an ordinal: 1st, 2nd, 3rd, but 11th. */
function suffixOf(number: string): string {
  if (/1\d$/.test(number)) return "th";
  return { 1: "st", 2: "nd", 3: "rd" }[number.slice(-1)] ?? "th";
}

const NAMED_BASES: Readonly<Record<string, number>> = { binary: 2, octal: 8, hex: 16, hexadecimal: 16 };

/** 204_5, (204)_{(5)}, 2A5_{\text{eleven}}, 204 (base 5): the digits and the base; null where no base is named so. */
export function digitsAndBase(source: string): { readonly digits: string; readonly base: number } | null {
  if (source.length > MAX_SPELLED || !/[_b]|hex|oct|[\u2080-\u2089]/i.test(source)) return null;
  const isUpright = /^\\(?:text|mathrm|mathtt)|^\(/.test(source);
  const bare = source
    .replace(/[\u2080-\u2089]{1,2}$/, (digits) => `_{${digits.normalize("NFKC")}}`)
    .replaceAll(new RegExp(String.raw`${UPRIGHT}\{([^{}]{0,80})\}`, "g"), " $1 ")
    .replace(/\\rm\s/, "")
    .replace(/^\\overline\s?\{([\dA-Z]{1,60})\}/, "$1")
    .replace(
      /^(?:binary|octal|hexadecimal|hex) ([\dA-F]{1,60})$/i,
      (whole, digits) => `${digits} in ${whole.split(" ")[0]}`,
    )
    .replace(/ in (binary|octal|hex(?:adecimal)?)$/i, (_, name: string) => ` base ${NAMED_BASES[name.toLowerCase()]}`)
    .trim();
  const match =
    /^\(?\s?([0-9A-Z]{1,60}|[a-f]{2,60})\s?\)?\s*(?:_\s?\{?\s*\(?\s?(?:base\b\s?)?|[,(]?\s*(?:in )?base\b[\s-]?)\s*(\d{1,2}|[a-z]{3,8})\s*\)?\s*\}?\s*\)?$/.exec(
      bare,
    );
  const [, digits, named] = match ?? [];
  if (digits === undefined || named === undefined) return null;
  // A_{12} is a symbol, and AB_{12} a product; FF_{16} is a number.
  const isSaid = isUpright || /base|[a-z]{3}/.test(bare.slice(digits.length)) || named === "16";
  if (!/\d/.test(digits) && !(digits.length > 1 && isSaid && /^[A-F]+$/i.test(digits))) return null;
  if (/[a-f]/.test(digits) && named !== "16") return null;
  const base = /\d/.test(named) ? Number(named) : Number(numberInWords(named)?.numerator ?? 0);
  return base >= 2 && base <= 36 ? { digits: digits.toUpperCase(), base } : null;
}
