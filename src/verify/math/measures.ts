/**
 * Amounts as they are written for people, in the notation of the lexer: 5'3", 8.314 J/(mol K), 12 degrees 30 minutes, Rs. 500/-,
 * A$500, ($20), 50 basis points, 12,5 Prozent, 0.3 repeating. The answer is an amount as a whole, or it is left alone.
 */
import { MICRO_UNITS } from "./units.ts";

const NUMBER = String.raw`-?\d{1,15}(?:[,.]\d{1,15}){0,5}`;

/** Symbols of units; those of one letter count only beside a longer one, since alone they may be variables. */
const SYMBOL =
  "(?:[kcmMGn]?(?:mol|Pa|Hz|eV|cal|bar)|kg|km|cm|mm|nm|mg|mL|ml|kJ|MJ|kW|kN|kWh|rad|rev|min|hr|ft|lb|lbs|oz|fl|day|atm|dB|pts|[mgsJKNVAWCTLlh])";
const EXPONENT = String.raw`(?:\^?\(?\{?-?\d\}?\)?|\u207b?[\u00b9\u00b2\u00b3])?`;
const FACTOR = String.raw`(?:${SYMBOL}(?![A-Za-z])${EXPONENT}|1(?=\s?\/))`;
const UNIT = new RegExp(
  String.raw`^((?:[A-Za-z]\w{0,3}\s?=\s?)?${NUMBER}(?:\s?(?:\\times|\\cdot|[x\u00d7*\u00b7])\s?10\s?\^\s?\{?-?\d{1,3}\}?)?)\s?(\[?${FACTOR}(?:\s?[ *\u00b7\u22c5/.-]\s?\(?\s?${FACTOR}\s?\)?){0,5}\]?)$`,
);
const LONG_SYMBOL = new RegExp(`(?<![A-Za-z])(?![mgsJKNVAWCTLlh](?![A-Za-z]))${SYMBOL}(?![A-Za-z])`);

/** Signs before or behind an amount of money; dollars and cents alone have a unit of their own. */
const CURRENCY = String.raw`(?:[A-Z]{1,3}\s?\\?\$|(?![$\u00a2])\p{Sc}|Rs\.?|INR|EUR|GBP|CHF|CNY|RMB|JPY|CAD|AUD|BRL|MXN|RUB)`;
const MONEY_FIRST = new RegExp(
  String.raw`^([-\u2212]?)\s?${CURRENCY}\s?([-\u2212]?${NUMBER})\s?(?:/-|\.?[\u2013\u2014-])?$`,
  "u",
);
const MONEY_LAST = new RegExp(
  String.raw`^(${NUMBER})\s?(?:(?![$\u00a2])\p{Sc}|Rs\.?|rupees?|yen|yuan|pesos?|francs?|rubles?|won|K\u010d|z\u0142|\u0440\u0443\u0431\.?)$`,
  "u",
);

/** The amount in the notation of the lexer; the same text where it is none. */
export function measured(source: string): string {
  if (!/\d/.test(source)) return source;
  const tidy = source
    .replace(MICRO, (_, unit: string) => `\\text{ micro${MICRO_UNITS[unit]}}`)
    .replaceAll(/(?<=\d\s?(?:ft|in|min|hr|hrs|lb|lbs|oz|sec|Std|Min|Mio|sq))\./g, "")
    // A comma in braces is a decimal one where no thousands follow.
    .replaceAll(/(?<=\d)\{,\}(?=(?:\d{1,2}|\d{4,20})(?!\d))/g, ".")
    .replace(/^(-?\d{1,3}),(?=(?:\d{1,2}|\d{4,9})\s?(?:\\cdot|\\times|[x\u00d7*\u00b7\u22c5])\s?10\s?\^)/, "$1.");
  const flat = flattened(tidy);
  if (/^-?[\d.]{1,20}e-?\d{1,3}$/.test(flat)) return flat;
  return amount(flat) ?? (flat === tidy ? null : amount(tidy)) ?? tidy;
}

/** \mu m behind a number, in any type. */
const MICRO = /(?<=\d)(?:\\[,;: ]|~|\s|\\text\s?\{ \})*\\mu\s?(?:\\(?:text|mathrm|rm)\s?\{)?\s?([mgsFALV])\}?$/;

function amount(text: string): string | null {
  const feet =
    /^(\d{1,6})\s?(?:'|\u2032|\^\{?\\prime\}?)\s?(\d{1,3}(?:\.\d{1,9})?)\s?(?:"|''|\u2033|\u2032\u2032)$/.exec(text);
  if (feet !== null) return `${feet[1]} \\text{ft} ${feet[2]} \\text{in}`;
  const degrees =
    /^(-?\d{1,4})\s?(?:degrees?|deg|\^\{?\\circ\s?\}?|[\u00b0\u00ba])\s?(?:and )?(\d{1,2})\s?(?:minutes?|min|'|\u2032|\^\{?\\prime\}?)\s?(?:(?:and )?(\d{1,2}(?:\.\d{1,9})?)\s?(?:seconds?|sec|"|''|\u2033|\^\{?\\prime\s?\\prime\}?))?$/.exec(
      text,
    );
  if (degrees !== null) {
    const [, whole, minutes, seconds] = degrees;
    return `${whole}^{\\circ}${minutes}'${seconds === undefined ? "" : `${seconds}''`}`;
  }
  const hours = /^(\d{1,4})\s?h(?:rs?)?\s?(\d{1,2})\s?(?:m|min)?$/.exec(text);
  if (hours !== null) return `${hours[1]} \\text{h} ${hours[2]} \\text{min}`;
  const metres = /^(\d{1,6})\s?m\s?(\d{2})$/.exec(text);
  if (metres !== null) return `${metres[1]} \\text{m} ${metres[2]} \\text{cm}`;
  const repeating = /^(-?\d{0,15}\.)(\d{1,30}) (?:repeating|recurring)$/.exec(text);
  if (repeating !== null) return `${repeating[1]}\\overline{${repeating[2]}}`;
  const spread = /^(\d{1,15}) point (\d{1,15})$/.exec(text);
  if (spread !== null) return `${spread[1]}.${spread[2]}`;
  const accounting = /^\(\s?\\?\$\s?([\d,.]{1,20})\s?\)$/.exec(text);
  if (accounting !== null) return `-\\$${accounting[1]}`;
  const money = MONEY_FIRST.exec(text);
  if (money !== null) return `${money[1]}${cents(money[2]!)}`;
  const after = MONEY_LAST.exec(text);
  if (after !== null) return cents(after[1]!);
  const rate = /^([-\u2212]?\\?\$[\d,.]{1,20})\s?(?:\/\s?[a-z]{1,8}|each|apiece|in (?:total|all))$/.exec(text);
  if (rate !== null) return rate[1]!;
  const unit = UNIT.exec(text);
  if (unit !== null && LONG_SYMBOL.test(unit[2]!)) return `${unit[1]}\\text{ ${plainUnit(unit[2]!)}}`;
  return otherwise(text);
}

/** Percent and smaller shares in other words, shares of a named whole, and exponents in upright type. */
function otherwise(text: string): string | null {
  const plain = text
    .replace(/^(?:moins|menos|meno|\u043c\u0438\u043d\u0443\u0441) (?=\d)/, "-")
    .replace(/^(\\?\$[\d.]{1,15}) ([kKMB])$/, "$1$2")
    .replace(/^(\d{1,9})\s?\/\s?(\d{1,9})\s?(?:percent|\\?%)$/, "\\frac{$1}{$2}\\%")
    .replace(/^(?:the |a )?ratio (?:is |of )?(?=\d)/, "")
    .replace(/^\d{1,9}(?: (?:to|is to|zu) \d{1,9}){1,5}$/, (ratio) => ratio.replaceAll(/ (?:to|is to|zu) /g, ":"))
    .replace(/(?<=\d )([a-z]{3,12})-(?=[a-z]{3,12}$)/, "$1 ")
    .replace(
      /(?<=\d\s?)(?:Prozent|pour ?cent|por ciento|per cento|\u043f\u0440\u043e\u0446\u0435\u043d\u0442[\u0430-\u044f]{0,3})$/,
      "percent",
    )
    .replace(/^\\?[%\uff05]\s?(\d[\d.,]{0,15})$/, "$1\\%")
    .replace(/(?<=\d\s?)(?:basis points?|bps)$/, "\\text{ bps}")
    .replace(/(?<=\d\s?)parts per million$/, "\\text{ ppm}")
    .replace(/(?<=\d\s?)(?:per mille?|permill?e?)$/, "\\text{ permille}")
    .replace(/(?<=[\d}]\s?(?:\\?%|percent)?)\s+of (?:the|all|his|her|their|its)(?: [a-z]{2,20}){0,4}$/, "")
    .replace(/(?<=\d)\s(?=[eE][-+]\d{1,3}$)/, "")
    .replace(/(?<=\d)\s?[eE]\{?([-+\u2212]?)\}?\{?([-+\u2212]?\d{1,3})\}?$/, "e$1$2")
    .replace(/(?<=\d)\*\^(-?\d{1,3})$/, "e$1")
    .replace(/(?<=\d\s?)(?:x|times) (?=10\s?\^)/, "*")
    .replace(/\.\{(\\(?:overline|bar|dot)\s?\{\d{1,60}\})\}/, ".$1")
    .replace(/(?<=\d)(?:\{\})?\^\s?(?:o|\{\s?(?:\\(?:text|mathrm|circ)\s?)?\{?o?\}?\s?\})$/, "^{\\circ}")
    .replace(/(?<=\d)\^\s?\{?\\mathrm\s?\{?o\}?\}?$/, "^{\\circ}")
    .replace(/^(\d{1,15}) ?\/\/ ?(\d{1,15})$/, "floor($1/$2)")
    .replace(/^(\d{1,15}) ?% ?(\d{1,15})$/, "$1 \\bmod $2")
    .replace(/(?<=\d)\s?([kM]?)\s?(?:\\Omega|\u03a9|\u2126)$/, (_, prefix: string) => {
      return `\\text{ ${{ k: "kilo", M: "mega" }[prefix] ?? ""}ohm}`;
    });
  return plain === text ? null : plain;
}

/** Without upright type, thin spaces and dots of abbreviations. */
function flattened(source: string): string {
  if (!/[\\~.]/.test(source)) return source;
  return source
    .replaceAll(/\\(?:text|mathrm|mbox|rm|textrm)\s?\{([^{}\\$]{1,60})\}/g, "$1")
    .replaceAll(/\\[dt]?frac\{([A-Za-z]{1,4})\}\{((?:[A-Za-z]|\\cdot|[\s^\d{}])+)\}$/g, " $1/($2)")
    .replaceAll(/(?:\\[,;: !]|~)+/g, " ")
    .replaceAll(/(?<=[A-Za-z\d}])\s?\\cdot\s?(?=[A-Za-z])/g, "*")
    .replaceAll(/\s{2,}/g, " ")
    .trim();
}

/** 500,00 is 500, and 1.234,50 is left to the lexer. */
function cents(amountOfMoney: string): string {
  return amountOfMoney.replace(/^(-?\d{1,15}),(\d\d)$/, "$1.$2");
}

function plainUnit(unit: string): string {
  return unit
    .replaceAll(/[()[\]{}]/g, " ")
    .replaceAll(/[*\u00b7\u22c5.-](?=\s?[A-Za-z])/g, " ")
    .replaceAll("\u207b", "^-")
    .replaceAll(/[\u00b9\u00b2\u00b3]/g, (digit) => digit.normalize("NFKC"))
    .trim();
}
