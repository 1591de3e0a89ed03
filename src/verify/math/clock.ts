/**
 * Times of day: 3:30 PM, 3:30 p.m., 15:30, 15h30, half past three, 3 PM, noon. Only where one side says which half of the day are both
 * read as times.
 */
import { numberInWords } from "./number-words.ts";

interface Clock {
  /** Seconds after midnight, or after noon or midnight where `isHalf`. */
  readonly seconds: number;
  /** True where the half of the day is not said: 3:30. */
  readonly isHalf: boolean;
}

const HALF_DAY = 12 * 3600;

/** "quarter to four" as 3:45. */
function spokenTime(whole: string, share: string, direction: string, hour: string): string {
  const hours = Number(/\d/.test(hour) ? hour : (numberInWords(hour)?.numerator ?? 0));
  const minutes = { quarter: 15, half: 30 }[share] ?? Number(share);
  if (hours < 1 || hours > 12 || minutes > 59) return whole;
  const past = 60 * hours + (direction === "past" ? minutes : -minutes);
  const [h, m] = [Math.floor(past / 60), past % 60];
  return `${h === 0 ? 12 : h}:${`${m}`.padStart(2, "0")}`;
}

const HALF = /\d\W{0,16}(?:text\W{0,3})?[ap]\W{0,8}m\b|noon|midnight|in the (?:morning|evening)|[\u4e0a\u4e0b]\u5348/i;

function clockOf(text: string): Clock | null {
  const bare = text
    .replaceAll(/\\(?:text|textrm|mathrm|mbox|rm)(?![a-zA-Z])|[{}$*]|\\[,;:! ]|~/g, " ")
    .replaceAll(/\s+/g, " ")
    .trim()
    .toLowerCase()
    .replace(/^(?:at|by) /, "")
    .replace(/ in the (morning|afternoon|evening)$/, (_, part: string) => (part === "morning" ? " am" : " pm"))
    .replace(/^(\u4e0a\u5348|\u65e9\u4e0a|\u4e0b\u5348|\u665a\u4e0a)(.+)$/, (_, part: string, time: string) => {
      return `${time} ${/[\u4e0a\u65e9]/.test(part[0]!) ? "am" : "pm"}`;
    })
    .replace(/^(\d{1,2})[\u70b9\u65f6\u6642](\d{1,2})\u5206?/, "$1:$2")
    .replace(/^(\d{1,2}) ?h ?(?=[0-5]\d$)/, "$1:")
    .replace(/^(\d{1,2})\.(?=[0-5]\d ?(?:[ap]\.? ?m|uhr))/, "$1:")
    .replace(/ ?(?:uhr|h)$/, "")
    .replace(/^(quarter|half|\d{1,2})(?: minutes)? (to|past) ([a-z]+|\d{1,2})/, spokenTime);
  if (bare === "noon") return { seconds: HALF_DAY, isHalf: false };
  if (bare === "midnight") return { seconds: 0, isHalf: false };
  const match = /^(\d{1,2})(?:\s?:\s?([0-5]\d))?(?:\s?:\s?([0-5]\d))? ?(?:([ap])\.? ?m\b\.?|o'clock)?$/.exec(bare);
  if (match === null) return null;
  const [, hour, minute = "0", second = "0", half] = match;
  // A bare number is no time.
  if (match[2] === undefined && half === undefined) return null;
  const hours = Number(hour);
  if (hours > (half === undefined ? 24 : 12)) return null;
  const rest = 60 * Number(minute) + Number(second);
  if (half === undefined && (hours > 12 || /^0/.test(hour!))) return { seconds: 3600 * hours + rest, isHalf: false };
  const inHalf = 3600 * (hours % 12) + rest;
  return half === undefined
    ? { seconds: inHalf, isHalf: true }
    : { seconds: inHalf + (half === "p" ? HALF_DAY : 0), isHalf: false };
}

/** A time that says its half of the day, in one spelling: "time 15:30:00"; null for any other text. */
export function timeOfDay(text: string): string | null {
  if (text.length > 60 || !HALF.test(text)) return null;
  const clock = clockOf(text);
  if (clock === null || clock.isHalf) return null;
  const parts = [clock.seconds / 3600, (clock.seconds / 60) % 60, clock.seconds % 60];
  return `time ${parts.map((part) => `${Math.floor(part)}`.padStart(2, "0")).join(":")}`;
}

/** True for the words that timeOfDay gives: they are a value. */
export function isTime(words: string): boolean {
  return /^time \d\d:/.test(words);
}

/** Whether two times of day are the same, a missing "PM" forgiven; null where neither text says the half of the day. */
export function sameTime(gold: string, pred: string): boolean | null {
  if (gold.length > 60 || pred.length > 60 || !(HALF.test(gold) || HALF.test(pred))) return null;
  const [a, b] = [clockOf(gold), clockOf(pred)];
  if (a === null && b === null) return null;
  if (a === null || b === null) return false;
  return a.isHalf || b.isHalf ? a.seconds % HALF_DAY === b.seconds % HALF_DAY : a.seconds === b.seconds;
}
