/** What the README promises of files and objectives is there. */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { objectiveTypes } from "../src/objectives/create.ts";

const root = resolve(import.meta.dirname, "..");
const readme = readFileSync(join(root, "README.md"), "utf8");
/** The rows of the table of objectives: type, file and tests. */
const rows = [...readme.matchAll(/^\| \[`([^`]+)`\]\((src\/objectives\/[^)]+)\).*\| ([^|]+) \|$/gm)].map((match) => ({
  type: match[1]!,
  file: match[2]!,
  tests: [...match[3]!.matchAll(/\]\(([^)]+)\)/g)].map((link) => link[1]!),
}));

describe("the README", () => {
  it("lists every objective once", () => {
    expect(rows.map(({ type }) => type).sort()).toEqual([...objectiveTypes].sort());
  });

  it.each(rows)("$type: its file says the type, and each linked test speaks of it", ({ type, file, tests }) => {
    const spoken = `"${type}"`;
    expect(readFileSync(join(root, file), "utf8")).toContain(`z.literal(${spoken})`);
    expect(tests.length).toBeGreaterThan(0);
    for (const test of tests) expect(readFileSync(join(root, test), "utf8"), test).toContain(spoken);
  });

  it("links to files that exist", () => {
    const links = [...readme.matchAll(/\]\(([^)#\s]+)\)/g)].map((match) => match[1]!);
    const local = links.filter((link) => !/^[a-z]+:/.test(link));
    expect(local.length).toBeGreaterThan(30);
    expect(local.filter((link) => !existsSync(join(root, link)))).toEqual([]);
  });
});
