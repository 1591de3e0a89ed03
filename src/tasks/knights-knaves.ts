/**
 * Knights and knaves: knights always tell the truth, knaves always lie; who is who? Every puzzle has exactly one solution, found
 * by trying all 2^n assignments.
 */
import { z } from "zod";
import type { Random } from "../random.ts";
import { between, defineTask, pick } from "./task.ts";

const NAMES = [
  "Ada",
  "Ben",
  "Cleo",
  "Dan",
  "Eve",
  "Finn",
  "Gwen",
  "Hugo",
  "Iris",
  "Jack",
  "Kira",
  "Leo",
  "Mia",
  "Noah",
  "Olga",
  "Paul",
];

const params = z.strictObject({
  people: z.int().min(2).max(8).default(3),
  style: z
    .enum(["words", "compact"])
    .default("words")
    .describe("compact: letters for names and symbols for statements."),
  demonstrationSkill: z
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe("Share of demonstrations that are right; the others assign roles at random."),
});

/** What somebody says, as a test of an assignment (true = knight). */
interface Statement {
  readonly words: string;
  /** Of people by their letters, whatever their names. */
  readonly symbols: string;
  readonly holds: (roles: readonly boolean[]) => boolean;
}

export const knightsKnaves = defineTask({
  name: "knights-knaves",
  description: "Knights-and-knaves puzzles with one solution; verify with the reward logic-rl.",
  params,
  generate(random, { people, style, demonstrationSkill }) {
    const letters = [..."ABCDEFGH"].slice(0, people);
    const names = style === "compact" ? letters : sample(random, NAMES, people);
    const statements = names.map((_, speaker) => stateAbout(random, names, speaker));
    const [solution, ...others] = solutionsOf(statements);
    if (solution === undefined || others.length > 0) return null;
    const symbols = letters.map((letter, i) => `${letter}:${statements[i]!.symbols}`).join(" ");
    const roles = random.next() < demonstrationSkill ? solution : names.map(() => random.below(2) === 1);
    const thoughts = names.map((name, i) => `${name}=${roles[i] ? 1 : 0}`).join(" ");
    return {
      key: symbols,
      question: style === "compact" ? `${symbols}?` : tell(names, statements),
      answer: assignmentText(names, solution),
      fields: {
        names,
        solution,
        demonstration: `<think>${thoughts}</think><answer>${assignmentText(names, roles)}</answer>`,
      },
    };
  },
});

/** All assignments in which every knight's statement holds and every knave's does not. */
export function solutionsOf(statements: readonly Pick<Statement, "holds">[]): boolean[][] {
  const solutions: boolean[][] = [];
  for (let bits = 0; bits < 2 ** statements.length; bits++) {
    const roles = statements.map((_, i) => ((bits >> i) & 1) === 1);
    if (statements.every(({ holds }, i) => holds(roles) === roles[i])) solutions.push(roles);
  }
  return solutions;
}

function assignmentText(names: readonly string[], roles: readonly boolean[]): string {
  return names.map((name, i) => `(${i + 1}) ${name} is a ${roles[i] ? "knight" : "knave"}`).join("\n");
}

function tell(names: readonly string[], statements: readonly Statement[]): string {
  const list = `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
  const said = names.map((name, i) => `${name} says: "${statements[i]!.words}."`).join(" ");
  return `On an island live only knights, who always tell the truth, and knaves, who always lie. You meet ${names.length} of its people: ${list}. ${said} Who is a knight, and who is a knave?`;
}

/** A random statement of `speaker` about others, of one of six forms. */
function stateAbout(random: Random, names: readonly string[], speaker: number): Statement {
  const others = names.map((_, i) => i).filter((i) => i !== speaker);
  const a = atom(random, names, pick(random, others));
  // With two people the second half can only be about the speaker.
  const rest = others.filter((i) => i !== a.person);
  const b = atom(random, names, rest.length > 0 ? pick(random, rest) : speaker);
  switch (between(random, 0, 5)) {
    case 0:
      return a;
    case 1:
      return { words: `It is not true that ${a.words}`, symbols: `!${a.symbols}`, holds: (roles) => !a.holds(roles) };
    case 2:
      return {
        words: `${a.words} and ${b.words}`,
        symbols: `${a.symbols}&${b.symbols}`,
        holds: (roles) => a.holds(roles) && b.holds(roles),
      };
    case 3:
      return {
        words: `${a.words} or ${b.words}`,
        symbols: `${a.symbols}|${b.symbols}`,
        holds: (roles) => a.holds(roles) || b.holds(roles),
      };
    case 4:
      return {
        words: `If ${a.words} then ${b.words}`,
        symbols: `${a.symbols}>${b.symbols}`,
        holds: (roles) => !a.holds(roles) || b.holds(roles),
      };
    default:
      return {
        words: `${a.words} if and only if ${b.words}`,
        symbols: `${a.symbols}~${b.symbols}`,
        holds: (roles) => a.holds(roles) === b.holds(roles),
      };
  }
}

function atom(random: Random, names: readonly string[], person: number): Statement & { readonly person: number } {
  const knight = random.below(2) === 1;
  const name = names[person]!;
  return {
    person,
    words: `${name} is a ${knight ? "knight" : "knave"}`,
    symbols: `${"ABCDEFGH"[person]}${knight ? "1" : "0"}`,
    holds: (roles) => roles[person] === knight,
  };
}

/** `count` different items in random order. */
function sample<Item>(random: Random, items: readonly Item[], count: number): Item[] {
  const left = [...items];
  return Array.from({ length: count }, () => left.splice(random.below(left.length), 1)[0]!);
}
