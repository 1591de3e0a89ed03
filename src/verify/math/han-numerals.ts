/** Numbers and measures in Chinese characters: 二十一, 负三, 三点五, 三分之二, 百分之二十五, 2小时15分钟, 3比4, 下午3点45分. */

const DIGITS = "〇一二三四五六七八九";
const ALSO: Readonly<Record<string, string>> = { 零: "〇", 两: "二", 兩: "二" };
const UNITS: Readonly<Record<string, number>> = { 十: 10, 百: 100, 千: 1000 };

const NUMERAL = "[〇零一二两兩三四五六七八九十百千万亿]{1,24}";
const VALUE = String.raw`(?:\d{1,15}(?:\.\d{1,15})?|${NUMERAL}(?:点[〇零一二三四五六七八九]{1,15})?)`;
const WHOLE = new RegExp(String.raw`^(负|負)?(${VALUE})([^\d\s〇零一二两三四五六七八九十百千万亿]{0,4})$`);
const FRACTION = new RegExp(`^(负|負)?(${VALUE})分[之の](${VALUE})$`);
const RATIO = new RegExp(`^(${VALUE})比(${VALUE})$`);

/** Measures of two parts, and the units of each. */
const MEASURES: ReadonlyMap<string, string> = new Map([
  ["小时", "h"],
  ["小時", "h"],
  ["分钟", "min"],
  ["分鐘", "min"],
  ["秒", "s"],
  ["千米", "km"],
  ["公里", "km"],
  ["米", "m"],
  ["厘米", "cm"],
  ["毫米", "mm"],
  ["千克", "kg"],
  ["公斤", "kg"],
  ["克", "g"],
  ["吨", "t"],
  ["升", "l"],
  ["毫升", "ml"],
  ["天", "days"],
]);
const MEASURE = [...MEASURES.keys()].sort((a, b) => b.length - a.length).join("|");
const COMPOUND = new RegExp(String.raw`^(\d{1,9}(?:\.\d{1,9})?)(${MEASURE})(\d{1,9}(?:\.\d{1,9})?)(${MEASURE}|分)$`);

/** The answer with its characters as digits; null where it is anything else. */
export function fromHan(source: string): string | null {
  if (source.length > 40 || !/[\u3400-\u9fff]/.test(source)) return null;
  const compound = COMPOUND.exec(source);
  if (compound !== null) {
    const [, first, large, second, small] = compound;
    return `${first} \\text{${MEASURES.get(large!)}} ${second} \\text{${MEASURES.get(small!) ?? "min"}}`;
  }
  const angle = /^(\d{1,4})度(\d{1,2})分$/.exec(source);
  if (angle !== null) return `${angle[1]}^{\\circ}${angle[2]}'`;
  const ratio = RATIO.exec(source);
  if (ratio !== null) return `${digitsOf(ratio[1]!)}:${digitsOf(ratio[2]!)}`;
  const fraction = FRACTION.exec(source);
  if (fraction !== null) {
    const [, sign, below, above] = fraction;
    const share = below === "百" ? `${digitsOf(above!)}\\%` : `\\frac{${digitsOf(above!)}}{${digitsOf(below!)}}`;
    return `${sign === undefined ? "" : "-"}${share}`;
  }
  const whole = WHOLE.exec(source);
  if (whole === null) return null;
  const [, sign, value, unit] = whole;
  // 3万元 is left to the lexer, which knows the units behind digits.
  if (sign === undefined && /^\d/.test(value!)) return null;
  return `${sign === undefined ? "" : "-"}${digitsOf(value!)}${unit === "" ? "" : `\\text{${unit}}`}`;
}

function digitsOf(value: string): string {
  if (/^\d/.test(value)) return value;
  const [whole = "", decimals] = [...value]
    .map((char) => ALSO[char] ?? char)
    .join("")
    .split("点");
  const digits = decimals === undefined ? "" : `.${[...decimals].map((char) => DIGITS.indexOf(char)).join("")}`;
  return `${wholeOf(whole)}${digits}`;
}

/** 一百零五: units after each digit, 万 and 亿 after each group; digits alone are read in order. */
function wholeOf(whole: string): bigint {
  if (/^[〇一二三四五六七八九]{2,}$/.test(whole))
    return BigInt([...whole].map((char) => DIGITS.indexOf(char)).join(""));
  let [total, group, digit] = [0n, 0n, 0n];
  for (const char of whole) {
    const unit = UNITS[char];
    if (unit !== undefined) {
      group += (digit === 0n ? 1n : digit) * BigInt(unit);
      digit = 0n;
    } else if (char === "万" || char === "亿") {
      total = (total + group + digit) * (char === "万" ? 10_000n : 100_000_000n);
      [group, digit] = [0n, 0n];
    } else digit = BigInt(DIGITS.indexOf(char));
  }
  return total + group + digit;
}
