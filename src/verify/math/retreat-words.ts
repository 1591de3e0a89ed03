/** The words of commitment.ts: how a response denies, doubts or takes back an answer, and how it joins or tells apart two values. */

/** Right before an answer: "not", "cannot be", "is not the answer:". */
export const DENIAL =
  /(?:\b(?:not|never|neither|nor|cannot|unlike|except)\b|n['\u2019]t\b|\\neq?(?![a-z])|\u2260|!=|\b(?:other|rather|different) (?:than|from)|\binstead of)\s*(?:(?:be|being|is|equals?|to|the|answer|simply|just|value|exactly)\b[\s:]*|\\text\s?\{[a-z ]{0,20}\}?)*[\s$*_("'{:\\[(]*$/i;
/** In the sentence, before the answer. */
export const NEGATION = /\b(?:not|never|cannot)\b|n['\u2019]t\b/i;
/** Anywhere in the sentence of the answer. A bound is no value. */
export const DOUBT =
  /\?\s*$|\b(?:maybe|perhaps|possibly|probably|presumably|might|may be|could be|not sure|unsure|i (?:guess|suppose|don['\u2019]t know|do not know)|a guess|guessing|no idea|supposedly|allegedly|or so|(?:more|less|fewer|greater|larger|smaller) than|at (?:least|most))\b/i;
/** Between two values of a sentence: the second is an alternative. */
export const OR = /\b(?:or|either|alternatively|otherwise|maybe|perhaps|possibly|rather|instead|but|else)\b/i;
const WRONG = String.raw`(?:wrong|incorrect|false|mistaken|a mistake|an error|impossible|invalid|not (?:the )?(?:right|correct|true|final|real|answer|it)\b)`;
const IS = String.raw`(?:'s|is|was|are|seems|looks|must be|would be|isn['\u2019]t|cannot be|can['\u2019]t be)`;
/** In the sentence or the box: a verdict on the answer. */
export const WRONG_INSIDE =
  /(?:\b(?:is|are|was)\s|[([]\s*)(?:wrong|incorrect|not correct|false)\b|[\u2717\u2718\u274c]/i;
/** What follows an answer, on its line or in the next sentences: "is wrong", "That is not right". */
export const DENIED = new RegExp(
  String.raw`^\W*(?:(?:and|but|though)\s+)?(?:(?:that|which|this|it|the (?:above|answer|result)|[-\d.,$]{1,20})\s*)?\b${IS}\s+(?:\w+\s+){0,2}?${WRONG}`,
  "i",
);
/** A sentence that takes back what was said before. */
export const TAKEN_BACK =
  /^\W*(?:wait\b|no[,.!;:\s\u2014-]+(?:(?:wait|it|that|this|the|actually|sorry|i)\b|[-\d$\\])|no\W*$|nope\b|oops\b|hmm+\b|hold on|scratch that|just kidding|on second thought|correction\b|sorry\b|never ?mind|actually,? (?:no|wait|that|it|this|the answer|[-\d$\\])|i (?:was|am) (?:wrong|mistaken|not sure|unsure)|i (?:have )?made an? (?:mistake|error|slip)|let me (?:re(?:-|do|think|consider|compute|calculate|check)|correct|fix|try)|(?:please )?(?:ignore|disregard|forget)\b)/i;
/** A sentence that sets another answer beside the last. */
export const ALTERNATIVE =
  /^[\s,.;(]*(?:(?:or|maybe|perhaps|possibly)\b(?!\s(?:so|less)\b)|(?:otherwise|else|if (?:not|wrong))\b)/i;
/** Words that join values and say nothing of them. */
export const JOINING =
  /\b(?:or|and|to|maybe|perhaps|possibly|probably|also|either|else|no|not|then|even|wait|it|is|its|could|be|may|might|but|so|the|answer|alternatively|otherwise|equivalently|actually|finally|final|option|than|rather|instead|sorry|i|mean|a|an|again)\b/gi;
/** What ties a number to something else than the answer: "in 7 days", "step 2", "n = 3". */
export const BINDING =
  /(?:\b(?:not|of|in|on|at|for|from|by|per|with|within|after|before|over|under|during|every|each|times|than|until|through|among|day|step|part|question|problem|year|page|chapter|grade|room|item|number|case|method|figure|table|section|exercise|example|option|line|level)\s+(?:(?:the|all|these|those|its|his|her|their|a|an|about)\s+)?[#$(]*\s*|[A-Za-z)\]}]\s*(?:[=<>\u2264\u2265]|\\[lg]eq?)\s*[$(]*|\d\s*[-+*/^\u00d7\u00b7\u00f7]\s*[$(]*)$/i;
/** With what a side remark begins. */
export const REMARK = /\b(?:since|because|as|when|where|if|so|which|given|assuming|provided|using|for)\b/i;
