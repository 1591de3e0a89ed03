/**
 * Texts that are made to hang, to throw or to exhaust a verifier, for bench/verify-fuzz.ts: a fixed list, and texts of any length.
 *
 * The first five are those of the study in which Math-Verify ran into its limit of 5 s (spec of the rewards' speed: a power tower, a
 * factorial of a factorial, a long sum, 3,000 brackets, 150,000 open boxes); the others are their relatives.
 */
export const HOSTILE: readonly (readonly [name: string, text: string])[] = [
  ["a power tower", "\\boxed{9^{9^{9^9}}}"],
  ["a factorial of a factorial", "\\boxed{100000!!}"],
  ["a sum to 10^9", "\\boxed{\\sum_{i=1}^{10^9} i^i}"],
  ["3,000 brackets", `\\boxed{${"(".repeat(3_000)}1${")".repeat(3_000)}}`],
  ["150,000 open boxes", "\\boxed{".repeat(150_000)],
  ["many factorials", "\\boxed{((((9!)!)!)!)!}"],
  ["a product to 10^9", "\\boxed{\\prod_{i=1}^{10^9} i}"],
  ["three nested sums", "\\boxed{\\sum_{i=1}^{1000}\\sum_{j=1}^{1000}\\sum_{k=1}^{1000} \\sqrt{i+j+k}}"],
  ["an integral of poles", "\\boxed{\\int_0^{1000} \\tan(x^3) dx}"],
  ["three nested integrals", "\\boxed{\\int_0^1 \\int_0^1 \\int_0^1 \\sqrt{x+y+z} dx dy dz}"],
  ["a tiny difference", "\\boxed{\\frac{1}{2004!} - \\frac{1}{2006!}}"],
  ["10^(10^10)", "\\boxed{10^{10^{10}}}"],
  ["2^(2^30) mod 10^9", "\\boxed{2^{2^{30}} \\bmod 10^9}"],
  ["10^30 choose 10^15", "\\boxed{\\binom{10^{30}}{10^{15}}}"],
  ["a gcd of towers", "\\boxed{\\gcd(2^{2^{30}}, 6^{6^6})}"],
  ["a logarithm near 1", "\\boxed{\\log_{1000001} 1000000}"],
  ["a product of 500 sums", `\\boxed{${Array.from({ length: 500 }, (_, i) => `(x+${i})`).join("")}}`],
  ["(x+y+z+w)^200", "\\boxed{(x+y+z+w)^{200}}"],
  ["((x+y)^50+1)^50", "\\boxed{((x+y)^{50}+1)^{50}}"],
  ["(1+x)^(10^6)", "\\boxed{(1+x)^{1000000}}"],
  ["nested roots", `\\boxed{${"\\sqrt{1+".repeat(200)}1${"}".repeat(200)}}`],
  ["nested fractions", `\\boxed{${"\\frac{1}{1+".repeat(200)}1${"}".repeat(200)}}`],
  ["1,000 alternatives", `\\boxed{${"\\pm 1 ".repeat(1_000)}}`],
  ["12 alternatives multiplied", `\\boxed{${"(1 \\pm \\sqrt{2})".repeat(12)}}`],
  ["a matrix of 2,500", `\\boxed{\\begin{pmatrix}${"1&".repeat(2_500)}1\\end{pmatrix}}`],
  ["a determinant of 20 x 20", determinant(20)],
  ["a system of 12 equations", `\\boxed{${Array.from({ length: 12 }, (_, i) => `x_{${i}}^3+y=${i}`).join(", ")}}`],
  ["a polynomial of degree 400", `\\boxed{x^{400}${Array.from({ length: 40 }, (_, i) => `+${i}x^{${i}}`).join("")}=0}`],
  ["one box of 10,000 digits", `\\boxed{${"7".repeat(10_000)}}`],
  ["1e999999999", "\\boxed{1e999999999}"],
  ["a repetend of 30 digits", `\\boxed{0.\\overline{${"142857".repeat(5)}}}`],
];

function determinant(size: number): string {
  const row = (i: number) => Array.from({ length: size }, (_, j) => `x^{${i * j}}`).join("&");
  return `\\boxed{\\det\\begin{pmatrix}${Array.from({ length: size }, (_, i) => row(i)).join("\\\\")}\\end{pmatrix}}`;
}

/** Repeated to any length; ␣ stands for a blank and \u23ce for the end of a line. */
const UNITS = (
  "{ } ( ) [ $ $$ \\ ` * ** # - . , : = ␣ ⏎ 1 a 我 {} () [] $a $1$␣ $$1$$␣ 1␣ 1, 1,000 111, 1. 1/ /1 a␣ a,␣ a⏎ 1⏎ -␣ =␣ *␣ " +
  "\\( \\[ \\) \\[1\\] \\boxed \\boxed{ \\boxed{1} \\boxed{1}␣or␣so,␣ \\fbox{ \\boxed␣ \\boxed␣1$ \\frac \\frac{ \\frac{1}{ \\frac1 \\sqrt \\sqrt{ \\sqrt[ " +
  "\\text{ \\text{␣a \\text{and} \\left( \\a{ \\begin{a} \\begin{pmatrix} \\end{a} \\\\ \\% % \\$ ^ ^{ _{ | \\{ \\pm␣ ! ' \" & " +
  "the␣answer␣is␣ answer:␣ Answer:␣1⏎ final␣answer␣is␣ the␣final␣answer␣is␣1.␣ answer␣is:␣$x$,␣ ####␣ ####␣1⏎ A:␣ answer␣ answer␣is␣is␣ I␣hope␣ " +
  "答案是 is␣ are␣be␣is␣ and␣ or␣ ,␣and␣ percent␣ degrees␣ <answer> </answer> <answer>1</answer> <think> </think> <think></think> < <a <␣ <|im_end|> " +
  "**1** **1 **␣1␣**␣ ``` ```python⏎1⏎```⏎ ```output⏎Error⏎```⏎ A.␣ (A)␣ (B A␣ x=1,␣ x␣=␣ cm cm^2␣ dollars␣ Zoey␣is␣a␣knight␣ Step␣1:␣ 1.␣ e1 1e9 0. .5 " +
  "\ud800 \u0301 \u200b \u202e \u00a0"
)
  .split(" ")
  .map((unit) => unit.replaceAll("␣", " ").replaceAll("⏎", "\n"));

/** Texts of any length, by repetition: what makes a pattern backtrack, a stack overflow or a scan start again and again. */
export const GROWING: readonly (readonly [name: string, text: (length: number) => string])[] = [
  ...UNITS.map(
    (unit) => [JSON.stringify(unit), (length: number) => unit.repeat(Math.ceil(length / unit.length))] as const,
  ),
  ["open and closed brackets", (length) => `${"(".repeat(length / 2)}1${")".repeat(length / 2)}`],
  ["open and closed braces in a box", (length) => `\\boxed{${"{".repeat(length / 2)}1${"}".repeat(length / 2)}}`],
  ["a box behind blanks", (length) => `\\boxed${" ".repeat(length)}{1}`],
  ["a phrase behind blanks", (length) => `the answer is${" ".repeat(length)}1`],
  ["a box of blanks", (length) => `\\boxed{${" ".repeat(length)}1}`],
  ["a box of one number", (length) => `\\boxed{${"7".repeat(length)}}`],
  ["a box of a sum", (length) => `\\boxed{${"1+".repeat(length / 2)}1}`],
  ["a box of a list", (length) => `\\boxed{${"1,".repeat(length / 2)}1}`],
  ["a phrase before a sum", (length) => `The answer is ${"1+".repeat(length / 2)}1.`],
  ["a phrase before words", (length) => `The answer is ${"word ".repeat(length / 5)}.`],
  ["a formula of letters", (length) => `$${"x".repeat(length)}$`],
  ["one line of answers", (length) => `Answer: ${"1 ".repeat(length / 2)}`],
];
