/** HTML in an answer, as the text or the LaTeX that means the same: x<sup>2</sup>, &pi;/2, &#8722;5, <b>42</b>. */

/** The text without entities and tags of layout; the same text where there is none. Linear in the text. */
export function withoutHtml(text: string): string {
  const decoded = /&(?:#|[A-Za-z])/.test(text)
    ? text.replaceAll(ENTITY, (whole, name: string) => entity(name) ?? whole)
    : text;
  return decoded.includes("</") ? withoutTags(decoded) : decoded;
}

const ENTITY = /&(#\d{1,7}|#[xX][\dA-Fa-f]{1,6}|[A-Za-z]{2,8}\d{0,2});/g;

/** The character of an entity; null for a name that is none of mathematics. A sign of order never becomes a tag. */
function entity(name: string): string | null {
  if (!name.startsWith("#")) return NAMED.get(name) ?? null;
  const code = /^#[xX]/.test(name) ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
  if (code === 60 || code === 62) return NAMED.get(code === 60 ? "lt" : "gt")!;
  return code >= 32 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff) ? String.fromCodePoint(code) : null;
}

const NAMED: ReadonlyMap<string, string> = new Map(
  Object.entries({
    lt: "\\lt ",
    gt: "\\gt ",
    le: "\u2264",
    leq: "\u2264",
    ge: "\u2265",
    geq: "\u2265",
    ne: "\u2260",
    amp: "&",
    nbsp: " ",
    thinsp: " ",
    ensp: " ",
    emsp: " ",
    quot: '"',
    minus: "\u2212",
    ndash: "\u2013",
    mdash: "\u2014",
    plusmn: "\u00b1",
    times: "\u00d7",
    middot: "\u00b7",
    sdot: "\u22c5",
    divide: "\u00f7",
    frasl: "\u2044",
    radic: "\u221a",
    infin: "\u221e",
    deg: "\u00b0",
    percnt: "%",
    permil: "\u2030",
    sup1: "\u00b9",
    sup2: "\u00b2",
    sup3: "\u00b3",
    frac12: "\u00bd",
    frac14: "\u00bc",
    frac34: "\u00be",
    frac13: "\u2153",
    frac23: "\u2154",
    isin: "\u2208",
    notin: "\u2209",
    cup: "\u222a",
    cap: "\u2229",
    empty: "\u2205",
    asymp: "\u2248",
    equiv: "\u2261",
    sum: "\u2211",
    int: "\u222b",
    part: "\u2202",
    ang: "\u2220",
    euro: "\u20ac",
    pound: "\u00a3",
    yen: "\u00a5",
    cent: "\u00a2",
    alpha: "\u03b1",
    beta: "\u03b2",
    gamma: "\u03b3",
    delta: "\u03b4",
    theta: "\u03b8",
    lambda: "\u03bb",
    mu: "\u03bc",
    pi: "\u03c0",
    rho: "\u03c1",
    sigma: "\u03c3",
    phi: "\u03c6",
    omega: "\u03c9",
    Omega: "\u03a9",
    Delta: "\u0394",
  }),
);

/** Raised over lowered with a slash between them is a fraction; the other tags are layout. */
function withoutTags(text: string): string {
  return text
    .replaceAll(/<sup>([^<>]{1,80})<\/sup>\s?[/\u2044]\s?<sub>([^<>]{1,80})<\/sub>/gi, "\\frac{$1}{$2}")
    .replaceAll(/<sup>([^<>]{1,200})<\/sup>/gi, "^{$1}")
    .replaceAll(/<sub>([^<>]{1,200})<\/sub>/gi, "_{$1}")
    .replaceAll(
      /<\/?(?:b|i|u|em|strong|font|span|mark|code|small|big|var|mn|mi|mo|mrow|math)(?:\s[^<>]{0,200})?>/gi,
      "",
    );
}
