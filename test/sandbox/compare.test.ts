/** Comparison of outputs and values: what is equal, and the traps of graders that were fooled. */
import { describe, expect, it } from "vitest";
import { sameText, sameValue } from "../../src/sandbox/compare.ts";
import { parseJson } from "../../src/sandbox/json.ts";

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
    [
      "[1,2]",
      [
        "set",
        [
          ["integer", "2"],
          ["integer", "1"],
        ],
      ],
      true,
    ],
    [
      "[1,1]",
      [
        "set",
        [
          ["integer", "1"],
          ["integer", "2"],
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
    ["0.3", ["number", "nan"], false],
    ["1", ["number", "inf"], false],
    ["100000000000000000001", ["integer", "100000000000000000001"], true],
    // Equal as doubles.
    ["100000000000000000001", ["integer", "100000000000000000000"], false],
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
