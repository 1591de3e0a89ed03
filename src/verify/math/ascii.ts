/** Characters outside ASCII as the LaTeX that means the same: Greek letters, signs, raised and lowered digits, built fractions. */
import { MICRO_UNITS } from "./units.ts";

/** The text in ASCII; what has no LaTeX of its own is the compatible character that Unicode names, or itself. */
export function toAscii(source: string): string {
  if (/^[\x00-\x7f]*$/.test(source)) return source;
  return (
    source
      .replaceAll(
        RAISED_OVER_LOWERED,
        (_, above: string, below: string) => `\\frac{${lowered(above)}}{${lowered(below)}}`,
      )
      // A raised or lowered sign before a number on the line is its sign.
      .replaceAll(/(?<=^|[\s(=,])[\u207b\u208b](?=\d)/g, "-")
      // Bars and dots over digits repeat.
      .replaceAll(/(?:\d\u0305){1,60}/g, (run) => `\\overline{${run.replaceAll("\u0305", "")}}`)
      .replaceAll(/(\d)\u0307/g, "\\dot{$1}")
      // A raised degree before a root, where it is no power of what stands before it.
      .replaceAll(RAISED_DEGREE, (_, degree: string, inside: string) => {
        return `\\sqrt[${lowered(degree)}]${inside === "" ? "" : `{${inside}}`}`;
      })
      .replaceAll(/\u221a\[([^[\]]{1,80})\](?![\s({\d])/g, "\\sqrt{$1}")
      .replaceAll(/\u03a3(?=\s?[_^])/g, "\\sum ")
      .replaceAll(/[\u00b5\u03bc]([mgsFALV])(?![A-Za-z])/g, (_, unit: string) => `\\text{ micro${MICRO_UNITS[unit]}}`)
      // The bar of a root reaches over the number, the bracket or the letter behind it.
      .replaceAll(/([\u221a\u221b\u221c])\s?(\d+(?:\.\d+)?)?/g, (_, sign: string, digits: string | undefined) => {
        return `${ROOTS[sign]}${digits === undefined ? " " : `{${digits}}`}`;
      })
      // \u2460\u2461 are the numbers of statements, never one number.
      .replaceAll(/[\u2460-\u2473](?=[\u2460-\u2473])/g, "$&,")
      .replaceAll(/[\u2070\u2071\u00b9\u00b2\u00b3\u2074-\u207b\u207d-\u207f]+/g, (run) => `^{${lowered(run)}}`)
      .replaceAll(/[\u2080-\u208b\u208d\u208e\u2090-\u209c\u1d62-\u1d65\u2c7c]+/g, (run) => `_{${lowered(run)}}`)
      .replaceAll(/[^\x00-\x7f]/gu, (char) => CHARACTERS.get(char) ?? compatible(char))
  );
}

/** A fraction of raised and lowered digits, with any slash between them. */
const RAISED_OVER_LOWERED =
  /([\u2070\u00b9\u00b2\u00b3\u2074-\u2079]{1,20})[/\u2044\u2215]([\u2080-\u2089\u2090-\u209c]{1,20})/g;
const RAISED_DEGREE = /(?<![\p{L}\p{N})\]}])([\u00b2\u00b3\u2074-\u2079])\u221a\s?(\d{1,20}|[a-z]|(?=[({]))/gu;

/** Full-width letters, degrees Celsius and the like by the characters they are made of; digits of other scripts by their value. */
function compatible(char: string): string {
  const normal = char.normalize("NFKC");
  return normal === char ? asciiDigits(char) : [...normal].map((each) => CHARACTERS.get(each) ?? each).join("");
}

/** The text with the decimal digits of other scripts (Arabic, Devanagari, full-width …) as 0 to 9, at the same places. */
export function asciiDigits(text: string): string {
  if (/^[\x00-\x7f]*$/.test(text)) return text;
  return text.replaceAll(/(?![0-9])\p{Nd}/gu, (char) => {
    const normal = char.normalize("NFKC");
    if (/^[0-9]$/.test(normal)) return normal.padEnd(char.length);
    // Digits come in runs of ten, zero first.
    const code = char.codePointAt(0) ?? 0;
    let value = 0;
    while (value < 9 && /\p{Nd}/u.test(String.fromCodePoint(code - value - 1))) value++;
    return `${value}`.padEnd(char.length);
  });
}

const ROOTS: Readonly<Record<string, string>> = {
  "\u221a": "\\sqrt",
  "\u221b": "\\sqrt[3]",
  "\u221c": "\\sqrt[4]",
};

/** The plain characters that raised or lowered ones stand for. */
function lowered(run: string): string {
  return run.normalize("NFKC").replaceAll("\u2212", "-");
}

/** The letters from U+03B1 and U+0391 on, in the order of Unicode. */
const GREEK = (
  "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho varsigma sigma tau upsilon phi chi " +
  "psi omega"
).split(" ");

/** Capitals that do not look like a Latin letter, and second forms of small letters. */
const OTHER_GREEK: Readonly<Record<string, string>> = {
  "\u0393": "Gamma",
  "\u0394": "Delta",
  "\u0398": "Theta",
  "\u039b": "Lambda",
  "\u039e": "Xi",
  "\u03a0": "Pi",
  "\u03a3": "Sigma",
  "\u03a5": "Upsilon",
  "\u03a6": "Phi",
  "\u03a8": "Psi",
  "\u03a9": "Omega",
  "\u2126": "Omega",
  "\u2206": "Delta",
  "\u03d1": "theta",
  "\u03d5": "phi",
  "\u03f5": "epsilon",
  "\u00b5": "mu",
};

/** Fractions that are one character. */
const FRACTIONS: Readonly<Record<string, readonly [above: number, below: number]>> = {
  "\u00bc": [1, 4],
  "\u00bd": [1, 2],
  "\u00be": [3, 4],
  "\u2150": [1, 7],
  "\u2151": [1, 9],
  "\u2152": [1, 10],
  "\u2153": [1, 3],
  "\u2154": [2, 3],
  "\u2155": [1, 5],
  "\u2156": [2, 5],
  "\u2157": [3, 5],
  "\u2158": [4, 5],
  "\u2159": [1, 6],
  "\u215a": [5, 6],
  "\u215b": [1, 8],
  "\u215c": [3, 8],
  "\u215d": [5, 8],
  "\u215e": [7, 8],
};

const SIGNS: Readonly<Record<string, string>> = {
  "\u2212": "-",
  "\u2010": "-",
  "\u2011": "-",
  "\u2012": "-",
  "\u2013": "-",
  "\u2014": "-",
  "\u00d7": "\\times ",
  "\u00b7": "\\cdot ",
  "\u22c5": "\\cdot ",
  "\u2022": "\\cdot ",
  "\u2219": "\\cdot ",
  "\u2715": "\\times ",
  "\u2716": "\\times ",
  "\u2796": "-",
  "\u2217": "*",
  "\u00f7": "\\div ",
  "\u2215": "/",
  "\u2044": "/",
  "\u2236": ":",
  "\u00b1": "\\pm ",
  "\u2213": "\\mp ",
  "\u2264": "\\le ",
  "\u2a7d": "\\le ",
  "\u2266": "\\le ",
  "\u2267": "\\ge ",
  "\u2265": "\\ge ",
  "\u2a7e": "\\ge ",
  "\u2260": "\\ne ",
  "\u2248": "\\approx ",
  "\u2245": "\\approx ",
  "\u2243": "\\approx ",
  "\u223c": "\\approx ",
  "\u2261": "\\equiv ",
  "\u2208": "\\in ",
  "\u2209": "\\notin ",
  "\u2282": "\\subset ",
  "\u2286": "\\subset ",
  "\u222a": "\\cup ",
  "\u2229": "\\cap ",
  "\u2216": "\\setminus ",
  "\u2205": "\\emptyset ",
  "\u00d8": "\\emptyset ",
  "\u221e": "\\infty ",
  "\u2227": "\\land ",
  "\u2228": "\\lor ",
  "\u2223": "|",
  "\u2225": "\\|",
  "\u2016": "\\|",
  "\u27e8": "\\langle ",
  "\u27e9": "\\rangle ",
  "\u3008": "\\langle ",
  "\u3009": "\\rangle ",
  "\u2329": "\\langle ",
  "\u232a": "\\rangle ",
  "\u230a": "\\lfloor ",
  "\u230b": "\\rfloor ",
  "\u2308": "\\lceil ",
  "\u2309": "\\rceil ",
  "\u2211": "\\sum ",
  "\u220f": "\\prod ",
  "\u222b": "\\int ",
  "\u2202": "\\partial ",
  "\u2220": "\\angle ",
  "\u2113": "\\ell ",
  "\u210f": "\\hbar ",
  "\u211d": "\\mathbb{R}",
  "\u2124": "\\mathbb{Z}",
  "\u211a": "\\mathbb{Q}",
  "\u2115": "\\mathbb{N}",
  "\u2102": "\\mathbb{C}",
  "\u22a4": "\\top ",
  "\u1d40": "^T",
  "\u00b0": "^{\\circ}",
  "\u00ba": "^{\\circ}",
  "\u02da": "^{\\circ}",
  "\u2030": "\\text{ permille}",
  "\u33a1": "\\text{ m}^2",
  "\u33a5": "\\text{ m}^3",
  "\u1d07": "E",
  "\u2032": "'",
  "\u2033": "''",
  "\u2019": "'",
  "\u201c": '"',
  "\u201d": '"',
  "\u2026": "\\ldots ",
  "\u22ef": "\\ldots ",
  "\u2192": "\\to ",
  "\u21a6": "\\mapsto ",
  "\u21d2": "\\implies ",
  "\u00a0": " ",
  "\u2009": " ",
  "\u202f": " ",
  "\u200b": "",
  "\u2061": "",
  "\u2062": "",
  "\ufeff": "",
  "\u20ac": "",
  "\u00a3": "",
  "\u00a5": "",
  "\u20b9": "",
  "\u20a9": "",
  "\u20bd": "",
  "\u00a2": "\\text{ cents}",
  "\u066a": "%",
  "\u066b": ".",
  "\u066c": ",",
  "\u060c": ",",
  "\uff08": "(",
  "\uff09": ")",
  "\uff0c": ",",
  "\uff1a": ":",
  "\u3001": ",",
  "\u3002": ".",
  "\u548c": " and ",
  "\u4e0e": " and ",
  "\u4e14": " and ",
  "\u6216": " or ",
};

const CHARACTERS: ReadonlyMap<string, string> = new Map([
  ...GREEK.map((name, index): [string, string] => [String.fromCharCode(0x3b1 + index), `\\${name} `]),
  ...Object.entries(OTHER_GREEK).map(([char, name]): [string, string] => [char, `\\${name} `]),
  ...Object.entries(FRACTIONS).map(([char, [above, below]]): [string, string] => [char, `\\frac{${above}}{${below}}`]),
  ...Object.entries(SIGNS),
]);
