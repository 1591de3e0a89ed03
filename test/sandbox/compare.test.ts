/** Comparison of outputs and values: what is equal, and the traps of graders that were fooled. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Comparison, sameText, sameValue } from "../../src/sandbox/compare.ts";
import { type Json, parseJson } from "../../src/sandbox/json.ts";

describe("texts", () => {
  const rows: readonly [expected: string, actual: string, same: boolean][] = [
    ["1\n2\n3", "1\n2\n3\n", true],
    ["1 2 \n3", " 1 2\r\n3\n\n\n", true],
    // Open-R1's zip stops at the shorter list: a prefix passes.
    ["1\n2\n3", "1\n2", false],
    ["1\n2", "1\n2\n3", false],
    ["1\n2", "", false],
    ["", "", true],
    ["", "0", false],
    ["1\n\n2", "1\n2", false],
    ["1 2", "1  2", false],
    ["Yes", "YES", false],
    ["1.0", "1", false],
    ["\n\n1\n", "1", true],
    ["1\n2", "2\n1", false],
    ["1", "1\0", false],
    ["é", "e\u0301", false],
  ];
  for (const [expected, actual, same] of rows) {
    it(`${JSON.stringify(expected)} ${same ? "is" : "is not"} ${JSON.stringify(actual)}`, () => {
      expect(sameText(expected, actual)).toBe(same);
    });
  }
});

describe("values", () => {
  const rows: readonly [expected: string, actual: unknown, same: boolean][] = [
    ["1", ["integer", "1"], true],
    ["1", ["number", "1.0"], true],
    ["1", ["boolean", true], false],
    ["1", ["string", "1"], false],
    ["true", ["boolean", true], true],
    ["true", ["integer", "1"], false],
    ["null", ["null", null], true],
    ["null", ["boolean", false], false],
    ["null", "", false],
    ['""', ["null", null], false],
    ['""', ["string", ""], true],
    ["[]", ["list", []], true],
    ["[]", ["null", null], false],
    [
      "[1,2]",
      [
        "list",
        [
          ["integer", "1"],
          ["integer", "2"],
        ],
      ],
      true,
    ],
    ["[1,2]", ["list", [["integer", "1"]]], false],
    [
      "[1,2]",
      [
        "list",
        [
          ["integer", "2"],
          ["integer", "1"],
        ],
      ],
      false,
    ],
    // It would answer for every order: a set of what was to be sorted.
    [
      "[1,2]",
      [
        "set",
        [
          ["integer", "1"],
          ["integer", "2"],
        ],
      ],
      false,
    ],
    // {1: 5, "1": 5} of Python.
    [
      '{"1":5,"2":6}',
      [
        "map",
        [
          [
            ["integer", "1"],
            ["integer", "5"],
          ],
          [
            ["string", "1"],
            ["integer", "5"],
          ],
        ],
      ],
      false,
    ],
    [
      '{"a":1}',
      [
        "map",
        [
          [
            ["string", "a"],
            ["integer", "1"],
          ],
        ],
      ],
      true,
    ],
    ['{"a":1}', ["map", []], false],
    [
      '{"1":2}',
      [
        "map",
        [
          [
            ["integer", "1"],
            ["integer", "2"],
          ],
        ],
      ],
      true,
    ],
    [
      '{"a":1}',
      [
        "map",
        [
          [
            ["string", "toString"],
            ["integer", "1"],
          ],
        ],
      ],
      false,
    ],
    ["0.3", ["number", "0.30000000000000004"], true],
    ["0.3", ["number", "0.3001"], false],
    ["1e-10", ["integer", "0"], false],
    ["0", ["number", "5.551115123125783e-17"], true],
    ["1e300", ["number", "1.0000000000001e300"], true],
    ["0.3", ["number", "nan"], false],
    ["1", ["number", "inf"], false],
    ["100000000000000000001", ["integer", "100000000000000000001"], true],
    // Equal as doubles.
    ["100000000000000000001", ["integer", "100000000000000000000"], false],
    [`1${"0".repeat(350)}`, ["number", "0.5"], false],
    [`1${"0".repeat(350)}`, ["number", "inf"], false],
    ["1e999", ["number", "0.5"], false],
    // Nearer than 1e-9 of its size, and the answer of an error by one.
    ["2000000000", ["number", "2000000001.0"], false],
    ["2000000000", ["number", "2000000000.0000002"], true],
    ["1000000000000000000", ["number", "1e+18"], true],
    ["1", ["integer", "1e0"], false],
    ["1", ["integer", 1], false],
    ["1", ["pass"], false],
    ["1", { 0: "integer", 1: "1", length: 2 }, false],
  ];
  for (const [expected, actual, same] of rows) {
    it(`${expected} ${same ? "is" : "is not"} ${JSON.stringify(actual)}`, () => {
      expect(sameValue(parseJson(expected), actual)).toBe(same);
    });
  }
});

describe("texts by words and by numbers", () => {
  const words: Comparison = { by: "tokens", tolerance: 0 };
  const numbers: Comparison = { by: "numbers", tolerance: 1e-6 };
  const rows: readonly [expected: string, actual: string, byWords: boolean, byNumbers: boolean][] = [
    ["1 2\n3", "1\n2   3", true, true],
    ["1 2 3", "1 2", false, false],
    ["12", "1 2", false, false],
    ["0.5", "0.5000001", false, true],
    ["0.5", "0.50001", false, false],
    ["3", "3.0", false, true],
    ["1000000", "1000000.5", false, true],
    // Two integers are never near.
    ["1000000", "1000001", false, false],
    ["007", "+7", false, true],
    ["100000000000000000001", "100000000000000000000", false, false],
    ["1e3", "1000", false, true],
    // Too large for a double, to which every number would be near.
    [`1${"0".repeat(350)}`, "0.5", false, false],
    ["1e999", "0.5", false, false],
    ["nan", "nan", true, true],
    ["0.5", "nan", false, false],
    ["0.5", "inf", false, false],
    ["0x10", "16", false, false],
    ["1,5", "1.5", false, false],
    ["Yes", "YES", false, false],
    ["x 0.1", "y 0.1", false, false],
  ];
  for (const [expected, actual, byWords, byNumbers] of rows) {
    it(`${JSON.stringify(expected)} and ${JSON.stringify(actual)}`, () => {
      expect([sameText(expected, actual, words), sameText(expected, actual, numbers)]).toEqual([byWords, byNumbers]);
    });
  }
});

describe("properties", () => {
  const settings = { numRuns: 2000, seed: 4, verbose: true };
  const line = fc.string({ unit: fc.constantFrom("a", "b", "1", "-", ".", "é", "\0") });
  const lines = fc.array(line, { maxLength: 6 });
  const spaces = fc.string({ unit: fc.constantFrom(" ", "\t"), maxLength: 3 });
  const ways: readonly Comparison[] = [
    { by: "lines", tolerance: 0 },
    { by: "tokens", tolerance: 0 },
    { by: "numbers", tolerance: 1e-6 },
  ];

  it("white space at the ends of lines and of the text never counts", () => {
    fc.assert(
      fc.property(lines, spaces, spaces, fc.constantFrom("\n", "\r\n"), (texts, before, after, end) => {
        const spaced = `${end}${texts.map((text) => before + text + after).join(end)}${end}${end}`;
        for (const way of ways) expect(sameText(texts.join("\n"), spaced, way)).toBe(true);
      }),
      settings,
    );
  });

  it("a word more, less, or in another place always counts, in both directions", () => {
    const texts = fc.uniqueArray(
      fc.integer({ min: 0, max: 99 }).map((n) => `w${n}`),
      { minLength: 2, maxLength: 8 },
    );
    fc.assert(
      fc.property(texts, fc.nat(), fc.boolean(), (all, place, isDropped) => {
        const at = place % (all.length - 1);
        const changed = [...all];
        if (isDropped) changed.splice(at, 1);
        else changed.splice(at, 2, all[at + 1]!, all[at]!);
        for (const way of ways) {
          for (const end of [" ", "\n"]) {
            expect(sameText(all.join(end), changed.join(end), way)).toBe(false);
            expect(sameText(changed.join(end), all.join(end), way)).toBe(false);
          }
        }
      }),
      settings,
    );
  });

  it("what is equal by lines is equal by words, and what is equal by words is equal by numbers", () => {
    let numEqual = 0;
    fc.assert(
      fc.property(lines, lines, (a, b) => {
        const [byLines, byWords, byNumbers] = ways.map((way) => sameText(a.join("\n"), b.join("\n"), way));
        if (byLines) expect(byWords).toBe(true);
        if (byWords) expect(byNumbers).toBe(true);
        if (byNumbers) numEqual++;
      }),
      settings,
    );
    expect(numEqual).toBeGreaterThan(5);
  });

  const values = fc.letrec<{ value: Json }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constant(null),
      fc.boolean(),
      fc.integer(),
      fc.bigInt(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.string(),
      fc.array(tie("value"), { maxLength: 4 }),
      fc.dictionary(fc.string(), tie("value"), { maxKeys: 4 }),
    ),
  })).value;

  it("a value is equal to how it is spelled, and to no spelling of another kind", () => {
    fc.assert(
      fc.property(values, (value) => {
        const spelled = spell(value);
        expect(sameValue(value, spelled)).toBe(true);
        for (const kind of ["null", "boolean", "integer", "number", "string", "list", "set", "map"]) {
          const isNumber = typeof value === "number" || typeof value === "bigint";
          if (kind === spelled[0] || (isNumber && (kind === "integer" || kind === "number"))) continue;
          expect(sameValue(value, [kind, spelled[1]])).toBe(false);
        }
      }),
      settings,
    );
  });

  it("a list with one value changed, one more or one less is another", () => {
    fc.assert(
      fc.property(fc.array(values, { minLength: 1, maxLength: 5 }), fc.nat(), (list, place) => {
        const at = place % list.length;
        const other = typeof list[at] === "string" ? 1 : "another";
        expect(sameValue(list, spell(list.with(at, other)))).toBe(false);
        expect(sameValue(list, spell([...list, null]))).toBe(false);
        expect(sameValue(list, spell(list.slice(1)))).toBe(false);
      }),
      settings,
    );
  });
});

/** As src/sandbox/python/program.py spells. */
function spell(value: Json): readonly [string, unknown] {
  if (value === null) return ["null", null];
  if (typeof value === "boolean") return ["boolean", value];
  if (typeof value === "bigint" || Number.isInteger(value)) return ["integer", String(BigInt(value as number))];
  if (typeof value === "number") return ["number", String(value)];
  if (typeof value === "string") return ["string", value];
  if (Array.isArray(value)) return ["list", value.map(spell)];
  return ["map", Object.entries(value).map(([key, item]) => [spell(key), spell(item)])];
}
