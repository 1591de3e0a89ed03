/**
 * Rewards of code by the difficulty of its tests, as in MiMo (arXiv 2505.07608): tests are grouped into levels by how often the
 * rollouts of several models pass them; harder levels are passed more rarely.
 *
 *   strict = sum of points_k over the levels k of which, and of all easier levels of which, every test passes
 *   soft   = sum over passed tests of points_k / n_k              n_k: tests of the level that the test is in
 *
 * Levels stand from the easiest to the hardest. Thresholds cut the pass rates into levels, so that the level of a test is a function of its
 * own rate.
 */

/** Tests of like difficulty, and what passing all of them is worth. */
export interface TestLevel {
  /** Indices of its tests in the problem's list. */
  readonly tests: readonly number[];
  readonly points: number;
}

/** What one model's rollouts made of one problem: [rollouts][tests] true where the test passed. */
export type ModelVerdicts = readonly (readonly boolean[])[];

/** [tests] mean over models of the share of their rollouts that passed. Throws RangeError where a model has no rollout, or the numbers of tests differ. */
export function testPassRates(models: readonly ModelVerdicts[]): number[] {
  const numTests = models[0]?.[0]?.length;
  if (numTests === undefined) throw new RangeError("Expected verdicts of at least one rollout of one model.");
  const rates = models.map((rollouts, m) => {
    if (rollouts.length === 0) throw new RangeError(`Expected rollouts of every model, got none of model ${m}.`);
    const passes = new Array<number>(numTests).fill(0);
    for (const verdicts of rollouts) {
      if (verdicts.length !== numTests)
        throw new RangeError(`Expected ${numTests} verdicts in every rollout, got ${verdicts.length} in model ${m}.`);
      for (const [test, isPass] of verdicts.entries()) if (isPass) passes[test]!++;
    }
    return passes.map((count) => count / rollouts.length);
  });
  // Every model counts the same, however many rollouts it gave.
  return Array.from(
    { length: numTests },
    (_, test) => rates.reduce((sum, rate) => sum + rate[test]!, 0) / rates.length,
  );
}

/**
 * Levels of tests by their pass rates: level k takes rates of at least thresholds[k] and below thresholds[k-1], the last one the rest; a level
 * without tests is left out. `thresholds` fall strictly and are one fewer than `points`, which are of the levels from easiest to hardest.
 * Throws RangeError where they do not.
 */
export function testLevels(
  passRates: readonly number[],
  { thresholds, points }: { readonly thresholds: readonly number[]; readonly points: readonly number[] },
): TestLevel[] {
  if (points.length !== thresholds.length + 1)
    throw new RangeError(
      `Expected points of ${thresholds.length + 1} levels for ${thresholds.length} thresholds, got ${points.length}.`,
    );
  if (thresholds.some((threshold, i) => i > 0 && threshold >= thresholds[i - 1]!))
    throw new RangeError(`Expected thresholds that fall, got ${thresholds.join(", ")}.`);
  const levelOf = (rate: number) => {
    const level = thresholds.findIndex((threshold) => rate >= threshold);
    return level < 0 ? thresholds.length : level;
  };
  return points
    .map((worth, k) => ({
      tests: [...passRates.keys()].filter((test) => levelOf(passRates[test]!) === k),
      points: worth,
    }))
    .filter(({ tests }) => tests.length > 0);
}

/** Points of the levels passed whole, up to the first that is not; `passed` is [tests], levels from the easiest. */
export function strictScore(levels: readonly TestLevel[], passed: readonly boolean[]): number {
  let score = 0;
  for (const { tests, points } of levels) {
    if (!tests.every((test) => isPassed(passed, test))) break;
    score += points;
  }
  return score;
}

/** Each passed test's equal part of its level's points, added up. */
export function softScore(levels: readonly TestLevel[], passed: readonly boolean[]): number {
  let score = 0;
  for (const { tests, points } of levels) {
    const numPassed = tests.filter((test) => isPassed(passed, test)).length;
    // Before the division, so that a level passed whole gives its points exactly.
    score += (points * numPassed) / tests.length;
  }
  return score;
}

/** A test without a verdict must not count as a failed one: the reward would be wrong and learned. */
function isPassed(passed: readonly boolean[], test: number): boolean {
  const verdict = passed[test];
  if (verdict === undefined) throw new RangeError(`Expected a verdict of test ${test}, got ${passed.length} verdicts.`);
  return verdict;
}
