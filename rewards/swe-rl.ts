/**
 * SWE-RL: how alike are the model's patch and the real one? No test is run.
 *
 *   r = wrong (-1)   the form is not kept: <think> and <solution> exactly once and in order, a thought, edits that apply and change something
 *       mean over the files that either patch touches of ratio(diff of the model, diff of the oracle);   0 for a file that only one touches
 *
 *   ratio = 2 M / (|a| + |b|) of difflib's SequenceMatcher, autojunk off;   diffs are unified, 3 lines of context, autojunk on (difflib's own)
 *
 * Source: SWE-RL (Wei et al. 2025, arXiv 2502.18449), facebookresearch/swe-rl core/reward.py. Departures: the tags have to stand in order,
 * and patches too large to compare in `maxSteps` count as unlike (0).
 */
import { defineReward, z } from "../src/reward/reward.ts";
import { applyEdits, parseEdits } from "../src/verify/search-replace.ts";
import { similarity } from "../src/verify/sequence-matcher.ts";
import { unifiedDiff } from "../src/verify/unified-diff.ts";

const RESPONSE = ["<think>", "</think>", "<solution>", "</solution>"];

export default defineReward({
  description: "-1 for a bad form, else the mean similarity of the patches' diffs, 0 to 1.",
  source: "SWE-RL, arXiv 2502.18449",
  params: z.strictObject({
    contextField: z.string().default("code_context").describe("Column with the files before, {path: content}."),
    oracleField: z
      .string()
      .default("oracle_new_content")
      .describe("Column with the right files after, {path: content}."),
    wrong: z.number().default(-1).describe("For a response that does not keep the form."),
    maxSteps: z
      .number()
      .positive()
      .default(3e8)
      .describe("Comparisons for one file's diffs; past them they are unlike."),
  }),
  score({ response, fields }, { contextField, oracleField, wrong, maxSteps }) {
    const files = filesOf(fields[contextField]);
    const oracle = filesOf(fields[oracleField]);
    if (files === null || oracle === null || oracle.size === 0) return null;
    const solution = solutionOf(response);
    const edits = solution === null ? [] : parseEdits(solution);
    const changed = edits.length === 0 ? null : applyEdits(files, edits);
    if (changed === null) return wrong;
    const paths = [...new Set([...oracle.keys(), ...changed.keys()])];
    const similarities = paths.map((path) => {
      const [mine, right] = [changed.get(path), oracle.get(path)];
      if (mine === undefined || right === undefined) return 0;
      const [myDiff, rightDiff] = [mine, right].map((after) => unifiedDiff(files.get(path) ?? "", after, { maxSteps }));
      // No change on one side is no likeness, not even of two files that both stay as they were.
      return myDiff && rightDiff ? (similarity(myDiff, rightDiff, { autojunk: false, maxSteps }) ?? 0) : 0;
    });
    return similarities.reduce((sum, value) => sum + value, 0) / similarities.length;
  },
});

/** What stands between the solution tags; null unless every tag stands once, in order, with a thought. */
function solutionOf(response: string): string | null {
  const places = RESPONSE.map((tag) => (response.split(tag).length === 2 ? response.indexOf(tag) : -1));
  if (places.some((place, index) => place === -1 || (index > 0 && place < places[index - 1]!))) return null;
  const inside = (open: number) => response.slice(places[open]! + RESPONSE[open]!.length, places[open + 1]).trim();
  return inside(0) === "" ? null : inside(2);
}

function filesOf(value: unknown): Map<string, string> | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const files = new Map<string, string>();
  for (const [path, content] of Object.entries(value)) {
    if (typeof content !== "string") return null;
    files.set(path, content);
  }
  return files;
}
