/**
 * The words of commitment.ts, by what they do: deny, doubt, take back, join two values, tell them apart. The classes are closed ones
 * (negations, modals, approximators, prepositions, verdicts), so that a sentence nobody thought of falls into them.
 */

const NOT = String.raw`(?:\b(?:not|never|neither|nor|cannot|hardly|scarcely)\b|n['\u2019]t\b)`;
const MODAL =
  "(?:maybe|perhaps|possibly|probably|presumably|conceivably|supposedly|allegedly|might|may be|could be|unlikely)";
/** Not "the average guess", which may be what is asked for. */
const GUESS = String.raw`(?:(?:(?<=^\W*)|\b(?:i|my|us|had to|at a|a|just|only|merely|best|wild|random|rough|pure)\s+)guess|guessing|my hunch|gut feeling)`;
const WRONG = String.raw`(?:wrong|incorrect|false|untrue|mistaken|a mistake|an error|impossible|invalid|not (?:the |my )?(?:right|correct|true|final|real|answer|it)\b)`;
/** In languages that models answer in: "not", and "perhaps". */
const FOREIGN_NOT = String.raw`(?<!\p{L})(?:nicht|kein|no es|n['\u2019]est pas|non \u00e8|n\u00e3o \u00e9|\u043d\u0435|nie jest|de\u011fil|kh\u00f4ng)(?!\p{L})|[\u4e0d\u975e](?:\u662f|\u5bf9|\u7b49|\u53ef)|\u5e76\u975e|(?:\u3067\u306f|\u3058\u3083)(?:\u306a\u3044|\u3042\u308a\u307e\u305b\u3093)|\uc544[\ub2c8\ub2d9]`;
const FOREIGN_MAYBE = String.raw`(?<!\p{L})(?:vielleicht|quiz\u00e1s?|tal vez|peut-\u00eatre|forse|talvez|\u0432\u043e\u0437\u043c\u043e\u0436\u043d\u043e|\u043c\u043e\u0436\u0435\u0442 \u0431\u044b\u0442\u044c|by\u0107 mo\u017ce|belki|c\u00f3 th\u1ec3)(?!\p{L})|\u53ef\u80fd|\u4e5f\u8bb8|\u6216\u8bb8|\u5927\u6982|\u4e0d\u786e\u5b9a|\u4e0d\u77e5\u9053|\u731c|\u5417[\uff1f?\u3002]?\s*$|\u304b\u3082|\u304a\u305d\u3089\u304f|\uc544\ub9c8`;

/** Right before an answer: "not", "cannot be", "is not the answer:". */
export const DENIAL =
  /(?:\b(?:not|never|neither|nor|cannot|unlike|except)\b|n['\u2019]t\b|\\neq?(?![a-z])|\u2260|!=|\b(?:other|rather|different) (?:than|from)|\b(?:anything|everything|all) but|\binstead of)\s*(?:(?:be|being|is|equals?|to|the|answer|simply|just|value|exactly)\b[\s:]*|\\text\s?\{[a-z ]{0,20}\}?)*[\s$*_("'{:\\[(]*$/i;
/** In the sentence, before the answer. */
export const NEGATION = new RegExp(`${NOT}|\\b(?:anything|everything|all) but\\b`, "i");
/** What is no denial, though a word of it denies: taken out before a denial is looked for. */
export const AFFIRMED =
  /\b(?:none|no|nothing|nobody|not) (?:other|else|more|less)(?: than)?\b|\bnothing but\b|\b(?:no|without(?: an?y?)?|beyond(?: an?y?)?) (?:doubt|question|mistake)\b|\b(?:not|n['\u2019]t) (?:(?:too|very|so|that) )?(?:hard|difficult|surprising(?:ly)?|only|just|forget|to forget)\b|\bnot [^.,;]{1,60}?,? but\b/gi;
/** A clause that governs "the answer is": "it is false that", "I doubt that", "nobody believes". */
export const DISBELIEF = new RegExp(
  `${NOT}|\\b(?:nobody|no one|none|false|untrue|wrong|incorrect|mistaken?|error|doubt|refuse|few people|deny|denies|unlikely|impossible|misconception|fallacy|no (?:way|means|circumstances))\\b|\\bat first\\b|\\bfirst (?:glance|sight|thought)\\b`,
  "i",
);
/** The end of such a clause: what only is supposed, asked, or said by others. */
export const SUPPOSED = new RegExp(
  String.raw`\b(?:(?:let(?:['\u2019]s| us| me)\s+(?:\w+\s+)?)?(?:suppose|assume|assuming|imagine|pretend|if|whether|wonder)|let(?:['\u2019]s| us)\s+say|(?:some|many|most|others|people|students|everyone|someone)(?: \w+)? (?:say|think|believe|claim|argue|assume|suggest|guess)s?|(?:one|you|they|i) (?:would|had|used to)(?: have)? (?:say|said|think|thought|believed?|claim|guess))(?:,? that)?\s*$|\bchances?(?: is| are)?(?: that)?\s*$|\b${MODAL},? then,?\s*$|\b${GUESS}[\s\w]{0,12}[:,]?\s*(?:is\s+)?(?:that\s+)?(?:it is\s+)?$`,
  "i",
);
/** "A wrong answer is", "the naive answer". */
export const NO_ANSWER =
  /\b(?:wrong|incorrect|false|mistaken|invalid|naive|tempting|fake) (?:\w+ )?(?:answer|result|solution|value)s?\b|\banswers?\b[^.]{0,40}\b(?:(?:thought|said|believed|supposed|claimed|expected) to be|would have been)\b/i;
/** Right before an announcement or a box: the speaker does not know. */
export const IGNORANCE =
  /\b(?:i(?:['\u2019]m| am)?\s+(?:(?:have|had) no (?:idea|clue)|(?:not|un)\s?(?:really )?(?:sure|certain)|(?:do not|don['\u2019]t) know|give up|(?:can(?:not|['\u2019]t)|could(?: not|n['\u2019]t)) (?:solve|do|find|work|answer)(?: (?:it|this|that))?(?: out)?)\b|\u4e0d\u786e\u5b9a|\u4e0d\u77e5\u9053)\s*[,\uff0c\u3002;:.!\u2014-]*\s*(?:but|so|and|then|still|hence)?\s*(?:the (?:final )?answer is|\u7b54\u6848[\u662f\u4e3a]|it is)?[\s$]*$/i;
/** The words of a clause before a box that says nothing but a doubt: "Suppose it is", "We reject", "Perhaps". */
export const BARE_DOUBT = new RegExp(
  String.raw`^(?=[\s\S]*(?:\b(?:${MODAL}|${GUESS}|suppose|assume|imagine|pretend|if|reject|ignore|disregard|anything|everything|wrong|incorrect|false)\b|${NOT}))(?:\W|\b(?:${MODAL}|${GUESS}|suppose|assume|imagine|pretend|if|were|reject|ignore|disregard|do|write|use|let|us|anything|everything|all|except|but|wrong|incorrect|false|not|never|cannot|can|isn|t|so|then|it|is|the|an?|answer|result|value|solution|my|i|we|this|that|would|be|random|wild|best|only|just)\b)*$`,
  "i",
);
/** In the clause of an answer in another language. */
export const FOREIGN_RETREAT = new RegExp(`${FOREIGN_NOT}|${FOREIGN_MAYBE}`, "iu");
/** Anywhere in the sentence of the answer. A bound is no value. */
export const DOUBT = new RegExp(
  String.raw`\?\s*$|\b(?:${MODAL}|not sure|unsure|i (?:suppose|don['\u2019]t know|do not know)|${GUESS}|no idea|or so|or (?:not|any(?:thing)? (?:other|else))|give or take|unless|depends? on|(?:less|fewer|greater|larger|smaller|more) than(?! (?:before|the|he|she|it|they|his|her|last)\b)|at (?:least|most))\b`,
  "i",
);
/** Between an announcement and a number: "over 18", "close to 18", "such as 18", "the square root of 18". */
export const APART =
  /(?:\b(?:over|under|above|below|beyond|past|near|nearly|almost|close to|up to|down to|within|except|besides|like|such as|far from|short of|(?:for (?:example|instance)|e\.g\.|say)[,:]?|anything|(?:different|apart) from|(?<!none |no )other than|(?:opposite|successor|predecessor|reverse|negation|excess) of|upwards of|(?:neighbou?rhood|vicinity|order) of|(?:thought|said|believed|supposed) to be|no longer|hardly|scarcely|barely|(?:something|somewhere) \w+|(?:root|square|cube|multiple|divisor|factor|power|function|half|third|quarter|double|inverse|reciprocal|logarithm|factorial|complement) of|divisible by|congruent to|(?:starts?|begins?|ends?) (?:in|with)|contains?|consists? of)\s+(?:the\s+)?|\\(?:sim|lesssim|gtrsim|neg|lnot|not)(?![a-z])\s*)[$\\(*"'{\s]*$/i;
/** Right before a whole number that is asked for: it is no rounded one. */
export const ABOUT =
  /(?:\b(?:approximately|approx\.?|about|around|roughly|circa)\s|\\approx(?![a-z])|[\u2248~])[\s$*(]*$/i;
/** In place of an answer, before one: "unknown (18)", "N/A, 18"; and behind it in brackets. */
const UNKNOWN = String.raw`(?:unknown|unclear|undetermined|indeterminate|undefined|undecided|none(?! (?:other|of))|nothing(?! (?:but|else|more))|n/a|error|placeholder|random|arbitrary|made up|impossible|cannot be determined|(?:yet )?to be \w+|tbd|tentative|low confidence|not enough|no answer|no(?! other)|not really|false|\?+)`;
export const NOT_KNOWN = new RegExp(
  String.raw`^\W*(?:text\W*)?(?:an? )?${UNKNOWN}(?![\w-])|[([]\s*(?:i am )?(?:${UNKNOWN}|not (?:sure|certain)|(?:a |just )?(?:guess|${GUESS})|${MODAL}[^()]*)\s*\}?\s*[)\]]`,
  "i",
);
/** Behind a number, what makes another of it: "18 squared", "18 times 3", "18+", "18-ish". */
export const CHANGED =
  /^\s*(?:squared|cubed|factorial|(?:times|multiplied by|divided by|plus|minus|to the power(?: of)?)\s+(?:the\s+)?(?:[\d$\\(]|(?:one|two|itself)\b)|(?:\\?%|percent) of\s+[\d$\\(]|-?ish\b|\+\s*$)/i;
/** Between two values of a sentence: the second is an alternative. */
export const OR =
  /\b(?:or|either|alternatively|alternative|otherwise|maybe|perhaps|possibly|rather|instead|but|else|as well as|along with|together with|in addition to|respectively|equals?|equal to|namely|backup|followed by)\b|[\u6216]|\u8fd8\u662f|\u307e\u305f\u306f|\ub610\ub294/i;
/** The second value is set apart, not beside: "18 rather than 19". */
export const CONTRAST = /(?:\b(?:rather than|instead of|as opposed to|(?:and|but)? ?not)\s*|\u4e0d\u662f)[$\\(]*$/i;
/** Behind an answer, where it tells of a value that is none: ", not 19". */
export const SET_APART =
  /^\W*(?:(?:and |but )?not|rather than|instead of|as opposed to)\s(?!.*\b(?:but|or|right|correct|sure)\b)/i;
/** With what a range goes on right behind a value. */
export const RANGE = /^\s*[$)]*\s*(?:to|through|thru|till|until|up to|down to)\s*[$(\\]*$/i;
const IS = String.raw`(?:'s|is|was|are|were|seems|looks|sounds|must be|would be|isn['\u2019]t|cannot be|can['\u2019]t be)`;
const IS_NOT = String.raw`(?:(?:can|could|does|do|is|was|will|would)(?:not| not|n['\u2019]t)|can['\u2019]t)`;
/** In the sentence or the box, before any remark: a verdict on the answer. */
export const WRONG_INSIDE =
  /(?:\b(?:is|are|was)\s|[([]\s*)(?:wrong|incorrect|not (?:it|correct|the answer)|false)\b|[\u2717\u2718\u274c]/i;
/** The same as a remark: ", which is wrong", ", but that is not possible". */
export const WRONG_REMARK = new RegExp(
  String.raw`,\s*(?:which|but (?:this|that|it))\s+(?:${IS}\s+(?:\w+\s+)?(?:${WRONG}|not possible)|contradicts|${IS_NOT}\s+be)`,
  "i",
);
/** What follows an answer, on its line or in the next sentences: "is wrong", "That is not right". */
export const DENIED = new RegExp(
  String.raw`^\W*(?:(?:and|but|though|or is it|is only a guess|(?:just |only )?(?:a guess|guess(?:ing)?)|wrong|false|incorrect|not|lies?|psych|(?:just )?(?:joking|kidding))\W*$|(?:(?:and|but|though)\s+)?(?:(?:that|which|this|it|the (?:above|answer|result)|[-\d.,$]{1,20})\s*)?\b(?:${IS}\s+(?:\w+\s+){0,2}?(?:${WRONG}|a lie\b|a guess\b|rejected)|${IS_NOT}\s+(?:(?:be|seem|look|quite)\s+)?(?:right|correct|true|work|fit|hold|satisfy|my answer|add up))|fails?\b|\(rejected)|^[^\p{L}\p{N}]*[\u8fd9\u90a3\u5b83]?(?:${FOREIGN_NOT})`,
  "iu",
);
/** A sentence that takes back what was said before. */
export const TAKEN_BACK =
  /^\W*(?:wait\b|no[,.!;:\s\u2014-]+(?:(?:wait|it|that|this|the|actually|sorry|i)\b|[-\d$\\]|[A-J]\b)|no\W*$|nope\b|oops\b|hmm+\b|hold on|(?:scratch|strike) that|just kidding|(?:on second thought|upon (?:review|reflection))\b|correction\b|sorry\b|never ?mind|actually,? (?:no|wait|that|it|this|the answer|[-\d$\\])|(?:(?:but|though|although)\s+)?(?:i|we) (?:(?:was|am) (?:wrong|mistaken|not sure|unsure|(?:only |just )?(?:guessing|joking|kidding|lying))|doubt (?:it|this|that)|retract|take (?:it|that|this) back|made (?:it|that|this) up|meant\b|(?:have )?made an? (?:mistake|error|slip))|my (?:mistake|bad)|let me (?:re(?:-|do|think|consider|compute|calculate|check)|correct|fix|try)|(?:please )?(?:ignore|disregard|forget)\b|\u4e0d\u5bf9)/i;
/** A sentence that sets another answer beside the last. */
export const ALTERNATIVE =
  /^[\s,.;(]*(?:(?:or|maybe|perhaps|possibly)\b(?!\s(?:so|less)\b)|(?:otherwise|else|alternative(?:ly)?|if (?:not|(?:that|this|it) (?:is|was)|wrong))\b|\u6216)/i;
/** Words that join values and say nothing of them. */
export const JOINING =
  /\b(?:or|and|to|maybe|perhaps|possibly|probably|also|either|else|no|not|then|even|wait|it|is|its|could|be|may|might|but|so|the|answer|alternatively|otherwise|equivalently|actually|finally|final|option|than|rather|instead|sorry|i|mean|a|an|again)\b|\u6216\u8005?|\u548c|\u4e0e|\u8fd8\u662f|\u4e5f\u53ef\u80fd\u662f?|\u307e\u305f\u306f|\u304b(?=\d)|\ub610\ub294/gi;
/** Words of a sentence that gives an answer, whatever it is: with these alone beside it a value is a second answer. */
export const ANSWERING =
  /\b(?:edit|update|result|total|value|therefore|thus|hence|therefore|now|review|upon|after|checking|rechecking|recheck|get|got|gives?|yields?|have|obtain|find|found|we|you|my|our|this|that|which|another|other|second|one|alternative|possible|possibility|possibilities|correct|right|valid|acceptable|works?|as well|too|should|must|will|would|can|been|was|are|there|guess|backup|solution|answers|equals?|equal|both|too|ps|p\.s|along with|together with|as well as|respectively|in|addition|besides|better|best|more|most|precisely|choice|likely|words|true|real|fine|good|accept|note|plan|b|just|followed|by|next|with|say)\b/gi;
/** What ties a number to something else than the answer: "in 7 days", "step 2", "n = 3". */
export const BINDING =
  /(?:\b(?:not|of|in|on|at|for|from|by|per|with|within|after|before|over|under|during|every|each|times|than|until|through|among|day|step|part|question|problem|year|page|chapter|grade|room|item|number|case|method|figure|table|section|exercise|example|option|line|level|equation|theorem|lemma|formula|rule|used|using|assuming|given|rounded to)\s+(?:(?:the|all|these|those|its|his|her|their|a|an|about)\s+)?[#$(]*\s*|[A-Za-z)\]}]\s*(?:[=<>\u2264\u2265]|\\[lg]eq?)\s*[$(]*|\d\s*[-+*/^\u00d7\u00b7\u00f7]\s*[$(]*)$/i;
/** With what a side remark begins. */
export const REMARK =
  /\b(?:since|because|as(?! well)|when|where|if|(?<!or )so|which(?! (?:equals?|is equal))|given|assuming|provided|using|for)\b/i;
