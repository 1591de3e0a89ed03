/** The shapes of tests that public data sets use. */
import { describe, expect, it } from "vitest";
import { readTests } from "../../src/sandbox/tests.ts";

describe("tests of a row", () => {
  it("are read in Open-R1's shape, as an object and as its text", () => {
    const info = {
      language: "python",
      test_cases: [
        { fn_name: null, input: "1 2", output: "3", type: "stdin_stdout" },
        { fn_name: "add", input: "[1, 2]", output: "3", type: "function_call" },
      ],
    };
    const read = {
      language: "python",
      checker: null,
      cases: [
        { kind: "stdin", input: "1 2", outputs: ["3"] },
        { kind: "function", function: "add", input: "[1, 2]", outputs: [3] },
      ],
    };
    expect(readTests({ verification_info: info })).toEqual(read);
    expect(readTests({ verification_info: JSON.stringify(info) })).toEqual(read);
    expect(readTests({ other: info }, "other")).toEqual(read);
  });

  it("are read in the shape of APPS and TACO", () => {
    const cases = [
      { kind: "stdin", input: "1\n2", outputs: ["3"] },
      { kind: "stdin", input: "4", outputs: ["5"] },
    ];
    expect(readTests({ input_output: { inputs: [["1", "2"], "4"], outputs: ["3", "5"] } })?.cases).toEqual(cases);
    const call = { inputs: [[1, [2]]], outputs: [{ a: null }], fn_name: "Solution.f" };
    expect(readTests({ input_output: call })?.cases).toEqual([
      { kind: "function", function: "Solution.f", input: "[1,[2]]", outputs: [{ a: null }] },
    ]);
  });

  it("may have the value of a function in a list of one, as APPS and TACO do", () => {
    const call = { inputs: [[1], [2], [3]], outputs: [["a"], [[5]], [6, 7]], fn_name: "f" };
    const outputs = readTests({ input_output: call })?.cases.map((test) => test.kind === "function" && test.outputs);
    expect(outputs).toEqual([[["a"], "a"], [[[5]], [5]], [[6, 7]]]);
    expect(readTests({ tests: [{ fn_name: "f", input: [1], output: ["a"] }] })?.cases[0]).toMatchObject({
      outputs: [["a"]],
    });
  });

  it("have one argument per line where the input is several JSON texts", () => {
    const tests = [{ fn_name: "f", input: '[1, 2]\n"x"', output: "null" }];
    expect(readTests({ tests })?.cases).toEqual([
      { kind: "function", function: "f", input: '[[1, 2],"x"]', outputs: [null] },
    ]);
  });

  it("keep integers that a double cannot hold when they come as text, and refuse them rounded", () => {
    const text = '[{"fn_name": "f", "input": [9007199254740993], "output": 9007199254740995}]';
    expect(readTests({ tests: text })?.cases[0]).toMatchObject({
      input: "[9007199254740993]",
      outputs: [9007199254740995n],
    });
    expect(() => readTests({ tests: JSON.parse(text) })).toThrow(/case 0.*rounded.*JSON text/);
  });

  it("may allow several outputs, or bring a checker of their own", () => {
    const tests = [
      { input: "1", outputs: ["a", "b"] },
      { fn_name: "f", input: [], outputs: [1, "2"] },
    ];
    expect(readTests({ tests, checker: "print(1)" })).toEqual({
      language: null,
      checker: "print(1)",
      cases: [
        { kind: "stdin", input: "1", outputs: ["a", "b"] },
        { kind: "function", function: "f", input: "[]", outputs: [1, 2] },
      ],
    });
    const official = { official_tests: [{ input: "1", output: "a" }], generated_checker: "print(0)" };
    expect(readTests(official)).toMatchObject({ checker: "print(0)", cases: [{ outputs: ["a"] }] });
    expect(() => readTests({ tests: [{ input: "1", outputs: [] }] })).toThrow(/case 0 has no output/);
  });

  it("are none where the row has none, and an error where they cannot be read", () => {
    expect(readTests({})).toBeNull();
    expect(readTests({ tests: [] })).toBeNull();
    expect(readTests({ verification_info: null })).toBeNull();
    expect(() => readTests({ tests: "{" })).toThrow(/^Expected tests in column "tests"/);
    expect(() => readTests({ tests: [{ input: "1" }] })).toThrow(/case 0 has no output/);
    expect(() => readTests({ tests: [{ fn_name: "f(); g", input: [], output: 1 }] })).toThrow(/names the function/);
    expect(() => readTests({ input_output: { inputs: [1], outputs: [] } })).toThrow(/as many outputs as inputs/);
    expect(() => readTests({ verification_info: { language: "cpp", test_cases: [] } })).toThrow(/python or javascript/);
  });
});
