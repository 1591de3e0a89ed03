/** The house's one import rule: a file imports only from rooms below its own, and inside a room there are no circles. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

/** Lowest first. A pattern ends with / for a folder; the longest matching pattern decides. */
const ROOMS: readonly (readonly string[])[] = [
  ["src/types.ts"],
  ["src/errors.ts"],
  ["src/math/", "src/random.ts", "src/files.ts", "src/paths.ts", "src/run-lock.ts"],
  ["src/verify/math/"],
  ["src/tokenizer/", "src/verify/"],
  ["src/sandbox/"],
  ["src/template/"],
  ["src/reward/reward.ts"],
  ["src/tasks/", "src/setup/"],
  ["src/objectives/objective.ts"],
  ["src/objectives/terms/"],
  ["src/objectives/"],
  ["src/objectives/create.ts"],
  ["src/objectives/control.ts"],
  ["src/engine/engine.ts"],
  ["src/engine/"],
  ["src/server/server.ts"],
  ["src/server/"],
  ["src/judge/"],
  ["src/recipe/"],
  ["src/import/"],
  ["src/progress.ts", "src/schedule.ts", "src/metrics.ts", "src/reward/", "src/checkpoint.ts", "src/run-directory.ts"],
  [
    "src/dataset/",
    "src/context-schedule.ts",
    "src/diagnosis.ts",
    "src/rollout-log.ts",
    "src/score.ts",
    "src/assemble.ts",
  ],
  ["src/critic.ts", "src/audit/"],
  ["src/rollout.ts", "src/update.ts", "src/measured.ts"],
  ["src/evaluate.ts"],
  ["src/train.ts", "src/sft.ts"],
  ["src/stages/"],
  ["src/pipeline.ts"],
  ["src/compare/"],
  ["src/replay/"],
  ["src/workbench/"],
  ["src/explain/"],
  ["src/cli/"],
  ["src/index.ts"],
];

/** Folders in which no file may import a sibling: a variant is read, and diffed, on its own. */
const NO_SIBLINGS = ["src/objectives/"];

const root = resolve(import.meta.dirname, "..");
const files = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path) => `src/${path.replaceAll("\\", "/")}`)
  .sort();

describe("layers", () => {
  it("every file belongs to a room", () => {
    expect(files.filter((file) => roomOf(file) === undefined)).toEqual([]);
    expect(files.length).toBeGreaterThan(40);
  });

  it("a file imports only from rooms below its own", () => {
    const upward = edges().filter(({ from, to }) => {
      const [a, b] = [roomOf(from), roomOf(to)];
      return a === undefined || b === undefined || b.rank > a.rank || (b.rank === a.rank && b.pattern !== a.pattern);
    });
    expect(upward.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
  });

  it("no variant of an objective imports another", () => {
    const sideways = edges().filter(({ from, to }) => {
      const [a, b] = [roomOf(from), roomOf(to)];
      return a?.pattern === b?.pattern && NO_SIBLINGS.includes(a?.pattern ?? "");
    });
    expect(sideways.map(({ from, to }) => `${from} imports ${to}`)).toEqual([]);
  });

  it("there are no circles", () => {
    expect(findCircle()).toBeNull();
  });

  it("rewards import only the reward interface, the verifiers, the sandbox, judges, zod and mathjs", () => {
    const allowed =
      /^(zod|mathjs\/number|\.\.\/src\/reward\/reward\.ts|\.\.\/src\/(verify|math|sandbox|judge)\/[a-z-]+\.ts)$/;
    const rewards = readdirSync(join(root, "rewards")).filter((file) => file.endsWith(".ts"));
    const wrong = rewards.flatMap((file) =>
      specifiersOf(join(root, "rewards", file))
        .filter((specifier) => !allowed.test(specifier))
        .map((specifier) => `rewards/${file} imports ${specifier}`),
    );
    expect(wrong).toEqual([]);
    expect(rewards.length).toBeGreaterThan(5);
  });

  it("src never imports rewards or recipes", () => {
    const outside = files.flatMap((file) =>
      specifiersOf(join(root, file)).filter((s) => /(^|\/)(rewards|recipes)\//.test(s)),
    );
    expect(outside).toEqual([]);
  });
});

function roomOf(file: string): { rank: number; pattern: string } | undefined {
  let best: { rank: number; pattern: string } | undefined;
  ROOMS.forEach((patterns, rank) => {
    for (const pattern of patterns) {
      const fits = pattern.endsWith("/") ? file.startsWith(pattern) : file === pattern;
      if (fits && pattern.length > (best?.pattern.length ?? 0)) best = { rank, pattern };
    }
  });
  return best;
}

function edges(): { from: string; to: string }[] {
  return files.flatMap((from) =>
    specifiersOf(join(root, from))
      .filter((specifier) => specifier.startsWith("."))
      .map((specifier) => ({
        from,
        to: relative(root, resolve(root, dirname(from), specifier)).replaceAll("\\", "/"),
      })),
  );
}

function specifiersOf(path: string): string[] {
  const text = readFileSync(path, "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
  const found = text.matchAll(
    /(?:^|\n)\s*(?:import|export)\s[^"';]*?from\s*"([^"]+)"|import\(\s*"([^"]+)"\s*\)|(?:^|\n)import\s*"([^"]+)"/g,
  );
  return [...found].map((match) => match[1] ?? match[2] ?? match[3] ?? "");
}

function findCircle(): string[] | null {
  const next = groupEdges();
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): string[] | null => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return null;
    for (const { to } of next.get(file) ?? []) {
      const circle = visit(to, [...path, file]);
      if (circle !== null) return circle;
    }
    done.add(file);
    return null;
  };
  for (const file of files) {
    const circle = visit(file, []);
    if (circle !== null) return circle;
  }
  return null;
}

function groupEdges(): Map<string, { from: string; to: string }[]> {
  const grouped = new Map<string, { from: string; to: string }[]>();
  for (const edge of edges()) grouped.set(edge.from, [...(grouped.get(edge.from) ?? []), edge]);
  return grouped;
}
