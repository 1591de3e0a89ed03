/** Dates of the calendar in one spelling: July 4, 1776; the 4th of July 1776; 1776-07-04; 7/4/1776; 4 juillet 1776; 1776年7月4日. */
import { numberInWords } from "./number-words.ts";

/** The names of months in the order of the year: English, short, French, German and Spanish. */
const MONTHS: ReadonlyMap<string, number> = new Map(
  [
    "january february march april may june july august september october november december",
    "jan feb mar apr may jun jul aug sep oct nov dec",
    "janvier f\u00e9vrier mars avril mai juin juillet ao\u00fbt septembre octobre novembre d\u00e9cembre",
    "januar februar m\u00e4rz april mai juni juli august september oktober november dezember",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
  ].flatMap((names) => names.split(" ").map((name, index): [string, number] => [name, index + 1])),
);

const NAME = `(${[...MONTHS.keys(), "sept"].join("|")})\\.?`;
const DAY = String.raw`(\d{1,2})(?:st|nd|rd|th|er|\.)?`;
const YEAR = String.raw`(?:,? ?(?:de )?(\d{4}))?`;

const MONTH_FIRST = new RegExp(`^${NAME} (?:the )?${DAY}${YEAR}$`);
const DAY_FIRST = new RegExp(`^(?:the )?(?:${DAY}|([a-z]{5,8}(?:-[a-z]{5,8})?)) (?:of |de )?${NAME}${YEAR}$`);
const NUMERIC = /^(\d{4})-(\d\d)-(\d\d)$|^(\d{1,2})\/(\d{1,2})\/(\d{4})$|^(\d\d)\.(\d\d)\.(\d{4})$/;
const EAST_ASIAN = /^(?:(\d{4})\u5e74)?(\d{1,2})\u6708(\d{1,2})[\u65e5\u53f7]$/;
const WEEKDAY = /^(?:mon|tues|wednes|thurs|fri|satur|sun)day,? /;

type Day = readonly [year: string | undefined, month: number, day: number];

/** A date that names its month, as "date 1776-07-04", or "date 07-04" without a year; null for any other text. */
export function dateOf(text: string): string | null {
  if (text.length > 60 || !/\d|\bof\b/.test(text)) return null;
  return spelled(named(plain(text)));
}

/** Whether two dates are the same, where both are dates and one names its month; else null. The prediction may name the day of the week. */
export function sameDate(gold: string, pred: string): boolean | null {
  if (gold.length > 60 || pred.length > 60) return null;
  const [a, b] = [plain(gold), plain(pred).replace(WEEKDAY, "")];
  if (named(a) === null && named(b) === null) return null;
  const [first, second] = [spelled(named(a) ?? numeric(a)), spelled(named(b) ?? numeric(b))];
  return first === null || second === null ? null : first === second;
}

function plain(text: string): string {
  return text
    .replaceAll(/\\(?:text|textrm|mathrm|mbox)(?![a-zA-Z])|[{}$*]|\\[,;: ]|~/g, " ")
    .replaceAll(/\s+/g, " ")
    .trim()
    .toLowerCase()
    .replace(/(?<=[a-z\d])\.$/, "");
}

function spelled(found: Day | null): string | null {
  if (found === null) return null;
  const [year, month, day] = found;
  if (month < 1 || month > 12 || day < 1 || day > 31) return null;
  const parts = [month, day].map((part) => `${part}`.padStart(2, "0"));
  return `date ${[...(year === undefined ? [] : [year]), ...parts].join("-")}`;
}

function named(text: string): Day | null {
  const [, name, digits, year] = MONTH_FIRST.exec(text) ?? [];
  if (name !== undefined) return [year, monthOf(name), Number(digits)];
  const [, day, ordinal, second, ofYear] = DAY_FIRST.exec(text) ?? [];
  if (second !== undefined) {
    const count = day ?? numberInWords(ordinal ?? "")?.numerator;
    return [ofYear, monthOf(second), Number(count ?? 0)];
  }
  const [, eastAsianYear, month, eastAsianDay] = EAST_ASIAN.exec(text) ?? [];
  return month === undefined ? null : [eastAsianYear, Number(month), Number(eastAsianDay)];
}

function monthOf(name: string): number {
  return MONTHS.get(name) ?? 9;
}

/** A slash has the month first, as in America; a point has the day first. */
function numeric(text: string): Day | null {
  const match = NUMERIC.exec(text);
  if (match === null) return null;
  const [, y, m, d, month, day, year, dayFirst, monthSecond, last] = match;
  if (y !== undefined) return [y, Number(m), Number(d)];
  return year === undefined ? [last, Number(monthSecond), Number(dayFirst)] : [year, Number(month), Number(day)];
}
