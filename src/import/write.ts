/** A draft as a recipe file: every value with where it came from behind it, and above it what is assumed and what is left out. */
import { Document, isCollection, isScalar } from "yaml";
import type { Path } from "../recipe/source.ts";
import { type Draft, type Left, shown } from "./draft.ts";
import type { Setting } from "./settings.ts";

/** What became of the settings, in lists. */
export interface Report {
  readonly assumed: readonly string[];
  /** Defaults of the trainer that are written out. */
  readonly defaults: readonly string[];
  readonly notRepresented: readonly Left[];
  /** Looked at, without an effect on the recipe. */
  readonly withoutEffect: readonly Setting[];
  /** How it was run there: machines, memory, logging. */
  readonly circumstances: readonly Setting[];
  /** Keys that this import does not know, or values that it cannot read. */
  readonly unknown: readonly Setting[];
}

/** The recipe as a plain value. */
export function plainValue({ entries }: Draft): Record<string, unknown> {
  const recipe: Record<string, unknown> = {};
  for (const { path, value } of entries) {
    let at = recipe as Record<string | number, unknown>;
    path.forEach((key, depth) => {
      if (depth === path.length - 1) at[key] = value;
      else {
        at[key] ??= typeof path[depth + 1] === "number" ? [] : {};
        at = at[key] as Record<string | number, unknown>;
      }
    });
  }
  return recipe;
}

const WIDTH = 130;

/** YAML with the report above it; `title` is one line. */
export function writeRecipe(draft: Draft, title: string, report: Report): string {
  const document = new Document(ordered(plainValue(draft)));
  for (const { path, origin } of draft.entries) comment(document, path, origin);
  const { assumed, defaults, notRepresented, withoutEffect, circumstances, unknown } = report;
  const header = [
    title,
    ...list("Assumed, since neither the file nor the trainer says:", assumed),
    ...list("The trainer's defaults, written out:", defaults.length === 0 ? [] : [defaults.join(", ")]),
    ...list(
      "Not represented:",
      notRepresented.map(({ key, value, place, reason }) => `${key} = ${shown(value)} (${place}): ${reason}`),
    ),
    ...list("Not known to this import, or not readable:", unknown.map(sentenceOf)),
    ...list("Without effect there or here:", withoutEffect.map(sentenceOf)),
    ...list(
      "How it was run there, which is not a recipe's to say:",
      circumstances.length === 0 ? [] : [circumstances.map(({ key }) => key).join(", ")],
    ),
  ];
  const lines = header.flatMap((line) => wrap(line)).map((line) => (line === "" ? "#" : `# ${line}`));
  return `${lines.join("\n")}\n${document.toString({ lineWidth: 0, flowCollectionPadding: false })}`;
}

/** "key = value (place)", with the reason where its value cannot be known. */
export function sentenceOf({ key, value, place, unreadable }: Setting): string {
  const assigned = value === null ? key : `${key} = ${shown(value)}`;
  return `${assigned} (${place})${unreadable === undefined ? "" : `: ${unreadable}`}`;
}

/** The order of our own recipes; what is not named comes in between. */
const ORDER = [
  "name",
  "seed",
  "model",
  "engine",
  "server",
  "stages",
  "type",
  "data",
  "template",
  "rewards",
  "algorithm",
  "rollout",
  "steps",
];

function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== "object" || value === null) return value;
  const rank = (key: string) => (ORDER.includes(key) ? ORDER.indexOf(key) : ORDER.length);
  const entries = Object.entries(value).sort(([a], [b]) => rank(a) - rank(b));
  return Object.fromEntries(entries.map(([key, inner]) => [key, ordered(inner)]));
}

function comment(document: Document, path: Path, origin: string): void {
  const node = document.getIn(path, true);
  if (isScalar(node)) node.comment = ` ${oneLine(origin)}`;
  else if (isCollection(node)) node.commentBefore = ` ${oneLine(origin)}`;
}

function list(heading: string, items: readonly string[]): string[] {
  return items.length === 0 ? [] : ["", heading, ...items.map((item) => `- ${oneLine(item)}`)];
}

/** A comment must not end before its text does. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029]+/gu, " ");
}

function wrap(text: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line.length + word.length + 1 > WIDTH && line !== "") {
      lines.push(line);
      line = ` ${word}`;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
