/** What equals what: the failure classes of other verifiers, and every kind of answer; the verdicts are mathematics, by hand. */
import { describe, expect, it } from "vitest";
import { type EqualOptions, equalMath } from "../../../src/verify/math/equal.ts";
import { parseMath } from "../../../src/verify/math/parse.ts";

const CLASSES: Readonly<Record<string, readonly (readonly [gold: string, pred: string, equal: boolean])[]>> = {
  "tiny values": [
    ["\\frac{1}{2004!}", "\\frac{1}{2006!}", false],
    ["1/2004!", "1/2004!", true],
    ["10^{-20}", "10^{-21}", false],
    ["1/2^{99}", "1/2^{98}", false],
    ["1e-7", "2e-7", false],
    ["1e-7", "0.0000001", true],
    ["0", "1e-9", false],
    ["0.0000001", "0.0000002", false],
    ["1.5\\times10^{-9}", "1.6\\times10^{-9}", false],
    ["1.50\\times10^{-9}", "1.5\\times10^{-9}", true],
    ["x", "x+10^{-100}", false],
    ["\\sin x", "\\sin x+10^{-40}", false],
    // The larger of the two primes that identities are tested over.
    ["x", "x+2266253231199041693954184841", false],
  ],
  "units do not eat symbols": [
    ["x+t", "x+h", false],
    ["2m", "2g", false],
    ["3a+2s", "3a+2", false],
    ["\\frac{a}{b}c", "\\frac{ac}{b}", true],
    ["\\frac ab c", "\\frac{ac}b", true],
    ["-c", "-d", false],
  ],
  "the imaginary unit": [
    ["1+2i", "i(2-i)", true],
    ["i^3", "-i", true],
    ["e^{i\\pi}+1", "0", true],
    ["|3+4i|", "5", true],
    ["\\sqrt{-4}", "2i", true],
    ["3+4i", "3-4i", false],
    ["i", "-i", false],
    ["14.0 + -1.0i", "14-i", true],
  ],
  degrees: [
    ["\\sin 30^\\circ", "\\frac12", true],
    ["\\cos 15^\\circ", "\\frac{\\sqrt6+\\sqrt2}{4}", true],
    ["\\tan 45^\\circ", "1", true],
    ["30^\\circ", "30", true],
    ["30", "30^\\circ", true],
    ["30^\\circ", "30 degrees", true],
    ["30^\\circ", "\\frac{\\pi}{6}", true],
    ["\\sin 30", "\\frac12", false],
  ],
  "repeating decimals": [
    ["0.\\overline{3}", "\\frac13", true],
    ["0.\\overline{27}", "\\frac{3}{11}", true],
    ["0.(3)", "1/3", true],
    ["0.1\\overline{6}", "1/6", true],
    ["0.333...", "1/3", true],
    ["0.\\overline{3}", "0.3", false],
  ],
  bases: [
    ["204_5", "204_7", false],
    ["204_5", "54", false],
    ["204_5", "204", true],
    ["204_5", "205", false],
    ["3", "11_2", true],
  ],
  percent: [
    ["20\\%", "20", false],
    ["20\\%", "0.2", true],
    ["33\\frac13\\%", "\\frac13", true],
    ["50 percent", "0.5", true],
  ],
  "mixed numbers": [
    ["1 1/4", "5/4", true],
    ["1 1/4", "1", false],
    ["2 2/3", "2", false],
    ["4 10/3", "10", false],
    ["7 3/4", "7.75", true],
    ["-7 3/4", "-7.75", true],
    ["2\\frac{1}{3}", "\\frac{7}{3}", true],
  ],
  "bare LaTeX": [
    ["\\dfrac{9}{7}", "9/7", true],
    ["\\left(3,\\frac\\pi2\\right)", "(3, \\frac{\\pi}{2})", true],
  ],
  "plain text": [
    ["pi/2", "\\frac{\\pi}{2}", true],
    ["exp(16)-1", "e^{16}-1", true],
    ["3e-8", "3\\times10^{-8}", true],
    ["sqrt(2)/2", "\\frac{1}{\\sqrt2}", true],
    ["2**10", "1024", true],
    ["x**2 - 1", "(x-1)*(x+1)", true],
  ],
  "upright e": [
    ["1-\\frac1{\\mathrm e}", "1+\\frac1{\\mathrm e}", false],
    ["1-\\frac1{\\mathrm e}", "1-e^{-1}", true],
  ],
  "ellipsis and residues": [
    ["1,2,\\ldots,n", "1,2,\\ldots,n", true],
    ["1,2,\\ldots,n", "1,2,n", false],
    ["x\\equiv3 \\pmod 7", "4", false],
    ["x\\equiv3 \\pmod 7", "x \\equiv 10 \\pmod{7}", true],
    ["x\\equiv3 \\pmod 7", "x \\equiv 4 \\pmod{7}", false],
    ["10 \\bmod 3", "1", true],
    ["10 \\bmod 3", "3", false],
  ],
  inequalities: [
    ["x^2+1>0", "(-\\infty,\\infty)", true],
    ["x^2+1>0", "(0,\\infty)", false],
    ["2x\\ge4", "x\\ge2", true],
    ["1<x<3", "3>x>1", true],
    ["x>2", "x<2", false],
    ["x<0 \\text{ or } x>1", "(-\\infty,0)\\cup(1,\\infty)", true],
    ["x^2<4", "(-2,2)", true],
    ["|x-1|\\le 3", "[-2,4]", true],
    ["x^2-5x+6\\ge0", "(-\\infty,2]\\cup[3,\\infty)", true],
    ["\\frac{1}{x}>0", "(0,\\infty)", true],
    ["x \\neq 1", "\\mathbb{R}\\setminus\\{1\\}", true],
    ["x>y", "y<x", true],
    ["2x>2y", "x>y", true],
    ["x>y", "-x>-y", false],
  ],
  "an inequality is no set": [
    ["[0,1]", "0\\le x\\le1", false],
    ["(1,\\infty)", "x>1", false],
    ["(-\\infty,0)\\cup(1,\\infty)", "x<0 \\text{ or } x>1", false],
  ],
  domains: [
    ["\\sqrt{1/n}", "1/\\sqrt{n}", true],
    ["\\ln(x^2)", "2\\ln x", true],
    ["\\sqrt{x^2}", "x", false],
    ["\\sqrt{x^2}", "|x|", true],
  ],
  "huge numbers": [
    ["9^{9^{9^9}}", "9^{9^{9^9}}", true],
    ["9^{9^{9^9}}", "9^{9^{9^8}}", false],
    ["10^{10^{10}}", "10^{10^{10}}+1", false],
    ["2^{1000000}", "4^{500000}", true],
    ["2^{1000000}", "4^{500001}", false],
  ],
  "almost equal constants": [
    ["e^{\\pi\\sqrt{163}}", "262537412640768744", false],
    ["\\sqrt2", "\\frac{6369051672525773}{4503599627370496}", false],
    ["\\sqrt{2}+\\sqrt{3}", "\\sqrt{5+2\\sqrt6}", true],
    ["\\sqrt[3]{2+\\sqrt5}+\\sqrt[3]{2-\\sqrt5}", "1", true],
    ["\\pi", "\\frac{355}{113}", false],
  ],
  rounding: [
    ["0.333333", "\\frac13", true],
    ["0.333", "\\frac13", false],
    ["\\sqrt2", "1.414214", true],
    ["\\sqrt2", "1.414", false],
    ["2/3", "0.666667", true],
    ["1", "0.9999999", false],
    ["12345.6789", "12345.67890001", true],
    ["3.0", "3", true],
  ],
  thousands: [
    ["(100,200)", "(100, 200)", true],
    ["(3,333)", "(3, 333)", true],
    ["3,333", "3333", true],
    ["3, 333", "3333", false],
    ["1 000 000", "10^6", true],
  ],
  units: [
    ["5\\text{ cm}", "5", true],
    ["36", "36 apples", true],
    ["5", "5m", true],
    ["9.8\\text{ m/s}^2", "9.8", true],
    ["12\\text{ cm}^2", "12", true],
    ["\\$18.90", "18.9", true],
    ["100\\text{ square units}", "100", true],
  ],
  matrices: [
    ["\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "\\begin{bmatrix}1&2\\\\3&4\\end{bmatrix}", true],
    ["\\begin{vmatrix}1&2\\\\3&4\\end{vmatrix}", "-2", true],
    ["\\begin{pmatrix} \\frac12 \\\\ -1 \\end{pmatrix}", "\\begin{pmatrix} 0.5 \\\\ -1.0 \\end{pmatrix}", true],
    ["\\begin{pmatrix}1\\\\2\\end{pmatrix}", "\\begin{pmatrix}1&2\\end{pmatrix}", false],
  ],
  identities: [
    ["(x+1)^{100}", "(1+x)^{100}", true],
    ["\\sin 2x", "2\\sin x\\cos x", true],
    ["\\cos^2 x", "1-\\sin^2 x", true],
    ["e^{x+y}", "e^xe^y", true],
    ["\\log_2 x", "\\frac{\\ln x}{\\ln 2}", true],
    ["n!", "n(n-1)!", true],
    ["\\binom{n}{2}", "\\frac{n(n-1)}{2}", true],
    ["(-1)^{n}", "\\cos(n\\pi)", true],
    ["\\sum_{k=1}^n k", "\\frac{n(n+1)}{2}", true],
    ["2\\cdot 3^x", "6^x", false],
    ["f(x+1)", "f(1+x)", true],
    ["f(x)", "g(x)", false],
    ["\\frac{x}{|x|}", "\\operatorname{sgn}(x)", true],
  ],
  "sums, products, integrals": [
    ["\\sum_{n=1}^\\infty \\frac{1}{2^n}", "1", true],
    ["\\sum_{n=1}^{\\infty} \\frac{1}{n^2}", "\\frac{\\pi^2}{6}", true],
    ["\\sum_{n=0}^{\\infty} (-1)^n", "\\frac12", false],
    ["\\prod_{k=1}^{5} k", "120", true],
    ["\\int_0^1 x dx", "1/2", true],
    ["\\int_0^\\infty e^{-x} dx", "1", true],
    ["\\int_0^{\\pi} \\sin x \\, dx", "2", true],
    ["\\int_0^{\\pi} \\sin x \\, dx", "1", false],
  ],
  functions: [
    ["\\gcd(12,18)", "6", true],
    ["\\operatorname{lcm}(4,6)", "12", true],
    ["\\max(2,3)", "3", true],
    ["\\min\\{2,3\\}", "2", true],
    ["\\lceil -2.1\\rceil", "-2", true],
    ["\\arctan 1", "\\frac{\\pi}{4}", true],
    ["\\sin^{-1}(1/2)", "\\pi/6", true],
    ["\\log_4 8", "1.5", true],
    ["\\sqrt[3]{-8}", "-2", true],
  ],
  "plus-minus": [
    ["\\pm 2", "2,-2", true],
    ["x=\\pm 2", "x=2 \\text{ or } x=-2", true],
    ["x=2,x=-2", "\\pm2", true],
    ["\\pm 2", "2", false],
    ["x^2=4", "x=\\pm2", true],
  ],
  "names and systems": [
    ["x=3,y=4", "(3,4)", true],
    ["(3,4)", "y=4,x=3", true],
    ["a=1,b=2", "(2,1)", false],
    ["a=1,b=2", "b=1,a=2", false],
    ["\\begin{cases} x=1 \\\\ y=2 \\end{cases}", "x=1,y=2", true],
    ["x=1", "y=1", false],
    ["x^2=-1", "x^2=-4", false],
  ],
  equations: [
    ["y=2x+1", "2x-y+1=0", true],
    ["xy=1", "y=\\frac1x", true],
    ["x^2+y^2=4", "2x^2+2y^2=8", true],
    ["(x-1)(x+2)=0", "x^2+x-2=0", true],
    ["y=2x", "y=3x", false],
  ],
  sets: [
    ["\\{x \\mid x>1\\}", "(1,\\infty)", true],
    ["\\{1,2\\}\\cup\\{3\\}", "\\{1,2,3\\}", true],
    ["(1,3]\\cap[2,5)", "[2,3]", true],
    ["x \\in \\{1,2\\}", "1,2", true],
    ["(1,2)", "[1,2]", false],
    ["-1,1", "(-1,1,1)", false],
    ["-1,1", "1,-1,1", true],
    ["1:2:3", "2:4:6", true],
    ["1:2:3", "2:4:5", false],
  ],
  "words and letters": [
    ["\\text{yes}", "Yes", true],
    ["\\text{an ellipse}", "ellipse", true],
    ["no solution", "No solutions", true],
    ["even", "odd", false],
    ["\\text{(C)}", "C", true],
    ["R", "r", true],
    ["\\pi(R^2-r^2)", "\\pi(R-r)(R+r)", true],
    ["\\pi(R^2-r^2)", "0", false],
    ["\\overline{AB}", "AB", false],
  ],
  "gold comes first": [
    ["5", "2+3=5", true],
    ["2+3=5", "5", false],
    ["5", "a=b+1=5", true],
    ["1", "2x+z=1", false],
    ["3", "3 or 4", false],
  ],
};

function verdict(gold: string, pred: string, options?: EqualOptions): boolean {
  const [a, b] = [parseMath(gold), parseMath(pred)];
  if (a === null || b === null) throw new Error(`${gold} or ${pred} has no reading`);
  const first = equalMath(a, b, options);
  // Deterministic: the points are drawn from one seed.
  expect(equalMath(a, b, options)).toEqual(first);
  return first.equal;
}

describe.each(Object.entries(CLASSES))("%s", (_, rows) => {
  it.each(rows)("%s, %s: %s", (gold, pred, equal) => {
    expect(verdict(gold, pred)).toBe(equal);
  });
});

describe("options", () => {
  it("strict refuses chains, and working before the answer", () => {
    expect(verdict("3", "1=2=3", { mode: "lenient" })).toBe(true);
    expect(verdict("3", "1=2=3", { mode: "strict" })).toBe(false);
    expect(verdict("5", "2+3=5", { mode: "strict" })).toBe(false);
    expect(verdict("5", "x=5", { mode: "strict" })).toBe(true);
  });

  it("units are dropped, compared by their size, or kept", () => {
    const [cm, m, bare] = ["5\\text{ cm}", "0.05\\text{ m}", "5"];
    expect(verdict(cm, "5\\text{ m}", { units: "drop" })).toBe(true);
    expect(verdict(cm, "5\\text{ m}", { units: "compare" })).toBe(false);
    expect(verdict(cm, m, { units: "compare" })).toBe(true);
    expect(verdict(cm, bare, { units: "compare" })).toBe(true);
    expect(verdict("36\\text{ km/h}", "10\\text{ m/s}", { units: "compare" })).toBe(true);
    expect(verdict("5 apples", "5 pears", { units: "compare" })).toBe(false);
    expect(verdict(cm, bare, { units: "keep" })).toBe(false);
    expect(verdict(cm, m, { units: "keep" })).toBe(false);
    expect(verdict(cm, "5 centimeters", { units: "keep" })).toBe(true);
  });

  it("a percent sign may be optional", () => {
    expect(verdict("20", "20\\%", { percent: "optional" })).toBe(true);
    expect(verdict("20\\%", "0.2", { percent: "optional" })).toBe(true);
    expect(verdict("20\\%", "0.02", { percent: "optional" })).toBe(false);
  });

  it("decimals are rounded where they are told to be", () => {
    expect(verdict("1/3", "0.33", { floatRounding: 2 })).toBe(true);
    expect(verdict("1/3", "0.34", { floatRounding: 2 })).toBe(false);
  });

  it("an inequality may stand for a set where that is allowed", () => {
    expect(verdict("(1,2)", "1<x<2", { allowSetRelation: true })).toBe(true);
    expect(verdict("(1,2)", "1<x<3", { allowSetRelation: true })).toBe(false);
  });
});
