/** The words of Qwen2.5-Math's normalisation: units that it takes out, and numbers that it reads. */

/** Most come from MathQA. Each is taken out between characters that are no letters or digits, with and without a final s. */
const UNITS = [
  ..."east,degree,mph,kmph,ft,m sqaure, m east,sq m,deg,mile,q .,monkey,prime,ratio,profit of rs,rd,o,gm,p . m,lb,tile,per".split(
    ",",
  ),
  ..."dm,lt,gain,ab,way,west,a .,b .,c .,d .,e .,f .,g .,h .,t,a,h,no change,men,soldier,pie,bc,excess,st,inches,noon".split(
    ",",
  ),
  ..."percent,by,gal,kmh,c,acre,rise,a . m,th,\u03c0 r 2,sq,mark,l,toy,coin,sq . m,gallon,\u00b0 f,profit,minw,yr,women,feet,am".split(
    ",",
  ),
  ..."pm,hr,cu cm,square,are,rupee,rounds,cubic,cc,mtr,s,ohm,number,day,hour,minute,min,second,man,woman,sec,cube,mt".split(
    ",",
  ),
  ..."sq inch,mp,hectare,more,unit,cu . m,cm 2,rs .,rs,kg,g,month,km,m,cm,mm,apple,liter,loss,yard,pure,year,increase".split(
    ",",
  ),
  ..."decrease,d,less,Surface,litre,pi sq m,s .,metre,meter,inch".split(","),
];

/**
 * In its order, since one removal may uncover the next. A pattern is made when a text first holds what it needs: to make them all costs
 * half of what loading the rest of `verify` does.
 */
const REMOVALS: { readonly unit: string; readonly literal: string; pattern?: RegExp }[] = [
  ...UNITS,
  ...UNITS.map((unit) => `${unit}s`),
].map((unit) => ({ unit, literal: unit.split(".")[0]! }));

/** A full stop of a unit stands for any character, as there. */
function patternOf(unit: string): RegExp {
  return new RegExp(`(^|[^\\p{L}\\p{N}_])${unit}($|[^\\p{L}\\p{N}_])`, "gu");
}

/** Twice over the list; a unit that is the whole text stays. */
export function stripUnits(text: string): string {
  let done = text;
  for (let round = 0; round < 2; round++) {
    for (const removal of REMOVALS) {
      if (!done.includes(removal.literal)) continue;
      removal.pattern ??= patternOf(removal.unit);
      const next = done.replaceAll(removal.pattern, "$1$2");
      if (next !== "") done = next;
    }
  }
  return done;
}

const SMALL =
  "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(
    " ",
  );
const TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split(" ");
const SCALES: ReadonlyMap<string, number> = new Map([
  ["thousand", 1e3],
  ["million", 1e6],
  ["billion", 1e9],
]);

/** The number that the words of a text name, other words aside ("forty-two apples" -> "42"); the text itself where there is none. */
export function wordsAsNumber(text: string): string {
  const words = text.replaceAll("-", " ").toLowerCase().split(/\s+/);
  let total = 0;
  let current = 0;
  let isNumber = false;
  for (const word of words) {
    const [small, ten, scale] = [SMALL.indexOf(word), TENS.indexOf(word), SCALES.get(word)];
    if (small === -1 && ten === -1 && scale === undefined && word !== "hundred") continue;
    isNumber = true;
    if (small !== -1) current += small;
    else if (ten !== -1) current += 20 + 10 * ten;
    else if (word === "hundred") current = (current === 0 ? 1 : current) * 100;
    else {
      total += (current === 0 ? 1 : current) * (scale ?? 1);
      current = 0;
    }
  }
  return isNumber ? String(total + current) : text;
}
