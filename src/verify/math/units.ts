/**
 * Units of measure: which words after a number are one, and how two of them compare.
 *
 * A unit is compared by its dimension and its factor to the base of the dimension (5 km = 5000 m), by name where it is not in the
 * table ("apples"). Factors are exact: SI Brochure, 9th edition, and the international yard and pound of 1959.
 */
import { multiply, power, type Rational, rational } from "./rational.ts";

interface Unit {
  readonly dimension: string;
  readonly factor: Rational;
}

/** dimension: [names, numerator, denominator] of each unit. */
const TABLE: Readonly<Record<string, readonly (readonly [names: string, numerator: bigint, denominator?: bigint])[]>> =
  {
    length: [
      ["m meter meters metre metres", 1n],
      ["km kilometer kilometers kilometre kilometres", 1000n],
      ["dm decimeter decimeters decimetre decimetres", 1n, 10n],
      ["cm centimeter centimeters centimetre centimetres", 1n, 100n],
      ["mm millimeter millimeters millimetre millimetres", 1n, 1000n],
      ["in inch inches", 254n, 10000n],
      ["ft foot feet", 3048n, 10000n],
      ["yd yard yards", 9144n, 10000n],
      ["mi mile miles", 1609344n, 1000n],
    ],
    time: [
      ["s sec secs second seconds", 1n],
      ["ms millisecond milliseconds", 1n, 1000n],
      ["min mins minute minutes minuten minuto minutos", 60n],
      ["h hr hrs hour hours heure heures stunde stunden std hora horas", 3600n],
      ["day days", 86400n],
      ["week weeks", 604800n],
      ["month months", 2629746n],
      ["yr year years", 31556952n],
    ],
    mass: [
      ["kg kilogram kilograms", 1n],
      ["g gram grams", 1n, 1000n],
      ["mg milligram milligrams", 1n, 1000000n],
      ["lb lbs pound pounds", 45359237n, 100000000n],
      ["oz ounce ounces", 45359237n, 1600000000n],
      ["t ton tons tonne tonnes", 1000n],
    ],
    volume: [
      ["l liter liters litre litres", 1n],
      ["ml milliliter milliliters millilitre millilitres", 1n, 1000n],
      ["gal gallon gallons", 3785411784n, 1000000000n],
      ["quart quarts", 946352946n, 1000000000n],
      ["pint pints", 473176473n, 1000000000n],
      ["cup cups", 2365882365n, 10000000000n],
    ],
    money: [
      ["dollar dollars usd", 1n],
      ["cent cents", 1n, 100n],
    ],
    euro: [["euro euros eur", 1n]],
    energy: [
      ["j joule joules", 1n],
      ["kj kilojoule kilojoules", 1000n],
    ],
    electronvolt: [["ev electronvolt electronvolts", 1n]],
    charge: [["coulomb coulombs", 1n]],
    capacitance: [["farad farads", 1n]],
    current: [["amp amps ampere amperes", 1n]],
    force: [["n newton newtons", 1n]],
    power: [
      ["w watt watts", 1n],
      ["kw kilowatt kilowatts", 1000n],
    ],
    pressure: [["pa pascal pascals", 1n]],
    voltage: [["v volt volts", 1n]],
    resistance: [
      ["ohm ohms omega", 1n],
      ["kohm kohms kilohm kilohms", 1000n],
    ],
    share: [
      ["permille", 1n, 1000n],
      ["bps bp", 1n, 10_000n],
      ["ppm", 1n, 1_000_000n],
      ["ppb", 1n, 1_000_000_000n],
    ],
    frequency: [["hz hertz", 1n]],
    temperature: [["k kelvin", 1n]],
    amount: [["mol mole moles", 1n]],
    angle: [["rad radian radians", 1n]],
    unit: [["unit units", 1n]],
  };

const UNITS: ReadonlyMap<string, Unit> = new Map(
  Object.entries(TABLE).flatMap(([dimension, rows]) =>
    rows.flatMap(([names, numerator, denominator = 1n]) =>
      names.split(" ").map((name): [string, Unit] => [name, { dimension, factor: rational(numerator, denominator) }]),
    ),
  ),
);

/** Symbols that only their case tells from a variable, and the names they stand for. */
const SYMBOLS: ReadonlyMap<string, string> = new Map(
  Object.entries({ C: "coulomb", F: "farad", A: "ampere", Omega: "ohm", eV: "ev" }),
);
/** Prefixes of SI by the power of ten, and the symbols that take one. */
const PREFIXES: Readonly<Record<string, number>> = {
  p: -12,
  n: -9,
  mu: -6,
  u: -6,
  m: -3,
  c: -2,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
};
const PREFIXED = /^(p|n|mu|u|m|c|k|M|G|T)(eV|Pa|Hz|Omega|mol|[JNWVAFCKLlgms])$/;

/** Prefixes in full, before the name of a unit: micrometer, megawatts. */
const NAMED_PREFIXES: Readonly<Record<string, number>> = {
  pico: -12,
  nano: -9,
  micro: -6,
  milli: -3,
  centi: -2,
  kilo: 3,
  mega: 6,
  giga: 9,
};
const PREFIXED_NAME = new RegExp(`^(${Object.keys(NAMED_PREFIXES).join("|")})([a-z]{3,8})$`);

/** The unit of a word in its own case, else of the word in any case; undefined for a word that is none. */
function unitOf(word: string): Unit | undefined {
  const name = SYMBOLS.get(word);
  const known = UNITS.get(name ?? word) ?? UNITS.get(word.toLowerCase());
  const [, prefix, symbol] = known === undefined ? (PREFIXED.exec(word) ?? PREFIXED_NAME.exec(word) ?? []) : [];
  if (prefix === undefined || symbol === undefined) return known;
  const base = unitOf(symbol);
  const power = PREFIXES[prefix] ?? NAMED_PREFIXES[prefix] ?? 0;
  const scale = power < 0 ? rational(1n, 10n ** BigInt(-power)) : rational(10n ** BigInt(power));
  return base === undefined ? undefined : { dimension: base.dimension, factor: multiply(base.factor, scale) };
}

/** True for a unit of SI with a prefix, such as mJ or GN, in its own case. */
export function isPrefixedUnit(word: string): boolean {
  return PREFIXED.test(word);
}

/** Units that are written as one word and are several. */
const COMPOUND: ReadonlyMap<string, string> = new Map([
  ["mph", "mi/h"],
  ["kph", "km/h"],
  ["kmh", "km/h"],
  ["kmph", "km/h"],
  ["fps", "ft/s"],
  ["kwh", "kw h"],
  ["cc", "cm^3"],
]);

/** Words that say how often the unit counts; those of POWERS_AFTER follow it. */
const POWERS_BEFORE: ReadonlyMap<string, number> = new Map([
  ["square", 2],
  ["sq", 2],
  ["cubic", 3],
  ["cu", 3],
]);
const POWERS_AFTER: ReadonlyMap<string, string> = new Map([
  ["squared", "^2"],
  ["cubed", "^3"],
]);

function unitNamed(word: string): boolean {
  return UNITS.has(word) || (PREFIXED_NAME.test(word) && unitOf(word) !== undefined);
}

/** True for a word of the table: these follow a number as its unit also where nothing marks them as words. */
export function isUnitWord(word: string): boolean {
  const lower = word.toLowerCase();
  return UNITS.has(word) || unitNamed(lower) || COMPOUND.has(lower) || POWERS_BEFORE.has(lower);
}

/** The size of a unit text. */
export interface Measure extends Unit {
  /** Whether every word is in the table. */
  readonly isKnown: boolean;
}

/** The dimension ("length^2 time^-1") and factor of a unit text; words outside the table are dimensions of their own. */
export function readUnit(text: string): Measure {
  const powers = new Map<string, number>();
  let factor = rational(1n);
  let sign = 1;
  let pending = 1;
  let isKnown = true;
  const spelled = text.replaceAll(/[A-Za-z]+/g, (word) => {
    const lower = word.toLowerCase();
    return COMPOUND.get(lower) ?? POWERS_AFTER.get(lower) ?? (POWERS_BEFORE.has(lower) ? lower : word);
  });
  const words = spelled.match(/[A-Za-z]+|\^?\s?-?\d|\/|\S/g) ?? [];
  let last: Unit | null = null;
  for (const word of words) {
    if (word === "/" || word === "per") sign = -1;
    else if (POWERS_BEFORE.has(word)) pending = POWERS_BEFORE.get(word) ?? 1;
    else if (word === "of" || word === "a" || word === "the" || word === "." || word === "*") continue;
    else if (/^\^?\s?-?\d$/.test(word)) {
      if (last !== null) {
        // The exponent counts the unit once more for each step past 1.
        const more = sign * (Number(word.replace(/[\^\s]/g, "")) - 1);
        powers.set(last.dimension, (powers.get(last.dimension) ?? 0) + more);
        factor = multiply(factor, power(last.factor, BigInt(more)));
      }
    } else if (/^[A-Za-z]+$/.test(word)) {
      const known = unitOf(word);
      isKnown &&= known !== undefined;
      last = known ?? { dimension: word.toLowerCase().replace(/(?<=..)s$/, ""), factor: rational(1n) };
      powers.set(last.dimension, (powers.get(last.dimension) ?? 0) + sign * pending);
      factor = multiply(factor, power(last.factor, BigInt(sign * pending)));
      pending = 1;
    }
  }
  // "square units" and "units" say no more than that there is a unit.
  const named = [...powers].filter(([name, exponent]) => exponent !== 0 && name !== "unit").sort();
  return { dimension: named.map(([name, exponent]) => `${name}^${exponent}`).join(" "), factor, isKnown };
}

/** What the sign of micro stands before. */
export const MICRO_UNITS: Readonly<Record<string, string>> = {
  m: "meters",
  g: "grams",
  s: "seconds",
  F: "farads",
  A: "amperes",
  L: "liters",
  V: "volts",
};
