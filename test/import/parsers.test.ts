/** Reading other trainers' files: shell words, Hydra values and flags; nothing in them is run. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: text of shells and of Hydra
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RecipeError } from "../../src/errors.ts";
import { parseFlags } from "../../src/import/flags.ts";
import { parseHydraValue, parseOverride } from "../../src/import/hydra.ts";
import { parseShell } from "../../src/import/shell.ts";

const seed = 20_261_121;
const texts = (source: string) => parseShell(source).map((words) => words.map(({ text }) => text));

/** One word as a careful person quotes it, in one of three ways. */
function quoted(word: string, way: number): string {
  if (way === 0) return `'${word.replaceAll("'", "'\\''")}'`;
  if (way === 1) return `"${word.replace(/[\\"$`]/g, "\\$&")}"`;
  return word.replace(/[^A-Za-z0-9_./-]/gu, (character) => (character === "\n" ? "'\n'" : `\\${character}`)) || "''";
}

describe("shell", () => {
  it("words end at spaces, commands at line ends and operators; comments and redirections are not words", () => {
    expect(texts("a b # c\nd; e && f | g > out.txt 2>&1\n")).toEqual([["a", "b"], ["d"], ["e"], ["f"], ["g", "2"]]);
    expect(texts("a#b '#c' x=#d")).toEqual([["a#b", "#c", "x=#d"]]);
  });

  it("a backslash at the end of a line goes on with the command", () => {
    expect(texts("run \\\n  a=1 \\\r\n  b=2\nnext")).toEqual([["run", "a=1", "b=2"], ["next"]]);
  });

  it("variables of the file are filled in, with and without braces, quotes and defaults", () => {
    const source = 'n=16\nname=\'a b\'\nrun $n ${n}x "$name" $name ${unset:-seven} ${unset:-"e f"}';
    expect(texts(source)).toEqual([["run", "16", "16x", "a b", "a", "b", "seven", "e f"]]);
  });

  it("arrays are spread", () => {
    expect(texts('A=(\n  x=1 # one\n  "y=2 3"\n)\nA+=(z=4)\nrun "${A[@]}" end')).toEqual([
      ["run", "x=1", "y=2 3", "z=4", "end"],
    ]);
  });

  it.each([
    ["run $((1024 * 4))", /arithmetic, which is not computed/],
    ["n=$((2 * 3))\nrun ${n}", /arithmetic, which is not computed/],
    ["run $(rm -rf /)", /a command, which is not run/],
    ["run `date`", /a command, which is not run/],
    ["run $HOME", /not set in this file/],
    ["run ${A:-$HOME/x}", /depends on the environment/],
    ["run $@", /given when the script is run/],
    ["if x; then n=1; else n=2; fi\nrun $n", /set more than once/],
    ["n=a.b\nrun ${n%.b}", /changes the value/],
  ])("%s: kept as it stands, with the reason", (source, reason) => {
    const word = parseShell(source).findLast((words) => words[0]!.text === "run")![1]!;
    expect(word.unreadable).toMatch(reason);
  });

  it("lines are counted through continuations, quotes and here-documents", () => {
    const commands = parseShell("cat <<'END'\nnot a command\nEND\na \\\n b 'x\ny' c");
    expect(commands.at(-1)!.map(({ text, line }) => [text, line])).toEqual([
      ["a", 4],
      ["b", 5],
      ["x\ny", 5],
      ["c", 6],
    ]);
  });

  it.each(["run 'a", 'run "a', "run ${a", "run $(a", "A=(a", "run `a"])("%s is refused with its line", (source) => {
    expect(() => parseShell(source)).toThrow(/^Line 1: .* never closed/);
  });

  it("any words come back, however they are quoted and laid out", () => {
    const word = fc.tuple(fc.string({ unit: "grapheme", maxLength: 12 }), fc.nat(2));
    const gap = fc.constantFrom(" ", "  ", "\t", " \\\n   ");
    fc.assert(
      fc.property(fc.array(fc.tuple(word, gap), { minLength: 1, maxLength: 8 }), (items) => {
        const words = items.map(([[text]]) => text.replaceAll("\r", ""));
        const source = `run${items.map(([[, way], space], i) => space + quoted(words[i]!, way)).join("")}\n`;
        expect(texts(source)).toEqual([["run", ...words]]);
      }),
      { seed, numRuns: 500 },
    );
  });

  it("any text is words or a RecipeError", () => {
    const piece = fc.constantFrom(
      "a",
      "=",
      "$",
      "{",
      "}",
      "(",
      ")",
      "'",
      '"',
      "\\",
      "\n",
      " ",
      "`",
      "#",
      "<<",
      "$((",
      ";",
      "x=1",
      "@",
      "[",
      "]",
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        try {
          for (const { text, line } of parseShell(pieces.join("")).flat()) {
            expect(typeof text).toBe("string");
            expect(line).toBeGreaterThan(0);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(RecipeError);
        }
      }),
      { seed, numRuns: 2000 },
    );
  });
});

/** A value as Hydra writes it. */
function written(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(written).join(",")}]`;
  if (typeof value === "object" && value !== null)
    return `{${Object.entries(value)
      .map(([key, inner]) => `${key}:${written(inner)}`)
      .join(", ")}}`;
  return typeof value === "string" ? `'${value.replace(/['\\]/g, "\\$&")}'` : String(value);
}

describe("Hydra", () => {
  const override = (text: string) => parseOverride({ text, line: 3 }, "run.sh");

  it.each([
    ["a.b=1e-6", "a.b", 1e-6],
    ["+a.b=True", "a.b", true],
    ["++a=null", "a", null],
    ["a=[console,'wandb x']", "a", ["console", "wandb x"]],
    ["a={b: [1, 2], c: d}", "a", { b: [1, 2], c: "d" }],
    ["a=", "a", ""],
    ["a=Qwen/Qwen2.5-7B", "a", "Qwen/Qwen2.5-7B"],
    ["a=0.", "a", 0],
    ["a=100_000", "a", 100_000],
    ["a=0.5_5.0", "a", "0.5_5.0"],
    ["a=x=y", "a", "x=y"],
    ["actor@actor_rollout_ref.actor=dp_actor", "actor@actor_rollout_ref.actor", "dp_actor"],
    ["a=[1, 2", "a", "[1, 2"],
  ])("%s", (text, key, value) => {
    expect(override(text)).toEqual({ key, value, place: "run.sh:3" });
  });

  it("an interpolation is text, with the reason", () => {
    expect(override("a=${b.c}")).toMatchObject({ value: "${b.c}", unreadable: expect.stringMatching(/interpolation/) });
  });

  it("a word that is no override is none", () => {
    expect(override("--config-name=x")).toBeNull();
    expect(override("word")).toBeNull();
    expect(override("~a.b")).toMatchObject({ key: "a.b", unreadable: "it removes the key" });
  });

  it("any value comes back", () => {
    const key = fc
      .stringMatching(/^[a-z_]{1,8}$/)
      .filter((name) => !["true", "false", "null", "inf", "nan", "__proto__"].includes(name));
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.string({ maxLength: 10 }),
        fc.integer(),
        fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (Object.is(number, -0) ? 0 : number)),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie("value"), { maxLength: 4 }),
        fc.dictionary(key, tie("value"), { maxKeys: 4, noNullPrototype: true }),
      ),
    }));
    fc.assert(
      fc.property(value, (expected) => {
        expect(parseHydraValue(written(expected))).toEqual(expected);
      }),
      { seed, numRuns: 1000 },
    );
  });

  it("any text is a value", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."[]{}:,'\"\\a1 .$"), maxLength: 40 }), (text) => {
        expect(parseHydraValue(text)).not.toBeUndefined();
      }),
      { seed, numRuns: 2000 },
    );
  });
});

describe("flags", () => {
  it("take no value, one, several, or one behind an equals sign; dashes count as underscores", () => {
    const words = ["ignored", "--use_kl_loss", "--eps-clip", "0.2", "--range", "0", "-1", "--lr=1e-6", "--name", "x"];
    const settings = parseFlags(
      words.map((text, i) => ({ text, line: i + 1 })),
      "run.sh",
    );
    expect(settings.map(({ key, value }) => [key, value])).toEqual([
      ["use_kl_loss", true],
      ["eps_clip", 0.2],
      ["range", [0, -1]],
      ["lr", 1e-6],
      ["name", "x"],
    ]);
    expect(settings[3]!.place).toBe("run.sh:8");
  });
});
