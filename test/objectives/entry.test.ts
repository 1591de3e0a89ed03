/** `grouper/objectives` as a program outside uses it: the built package, by its name. */
import { execFileSync } from "node:child_process";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";

const root = resolve(import.meta.dirname, "../..");

describe("import { createObjective } from 'grouper/objectives'", () => {
  it("makes an objective with nothing loaded but the objectives, their statistics and zod", () => {
    const program = `
      import { register } from "node:module";
      const loaded = [];
      const hooks = "export async function load(url, context, next) { console.log('loaded ' + url); return next(url, context); }";
      register("data:text/javascript," + encodeURIComponent(hooks));
      const { createObjective } = await import("grouper/objectives");
      const { name, formula } = createObjective({ type: "dapo", clipHigh: 0.3 });
      console.log("made " + name + " " + formula.length);
    `;
    const output = execFileSync(process.execPath, ["--input-type=module", "-e", program], {
      cwd: root,
      encoding: "utf8",
    });
    expect(output).toContain("made dapo");
    const files = [...output.matchAll(/^loaded .*\/dist\/src\/(.*)$/gm)].map((match) => match[1]!);
    expect(files).toContain("objectives/create.js");
    expect(files.filter((file) => !/^(objectives|math)\/|^(errors|types|random)\.js$/.test(file))).toEqual([]);
  });
});
