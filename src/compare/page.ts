/**
 * The page of a study: one file that opens from a disk, without a network and without a script. The verdict stands first, in plain words;
 * everything that led to it follows.
 */
import { basename } from "node:path";
import { count, lineChart, type Point } from "./chart.ts";
import { Html, html } from "./html.ts";
import { pageStyle } from "./page-style.ts";
import type { PairedDifference } from "./paired.ts";
import type { Cost, EvaluationPoint, RunCurves } from "./read-run.ts";
import { diffRecipes } from "./recipe-diff.ts";
import { type Comparison, type MeanAndStd, points, type StudyResult, type Summary, shownP } from "./result.ts";
import type { SidedPrompt } from "./samples.ts";
import type { Study } from "./study.ts";

export interface PageContent {
  readonly study: Omit<Study, keyof AsyncDisposable | "continued">;
  readonly numJobs: number;
  readonly warnings: readonly string[];
  readonly result: StudyResult;
  readonly samples: readonly SidedPrompt[];
  /** Of the runs that the samples are of. */
  readonly sampleSeed: number;
}

export function renderPage(content: PageContent): string {
  const { study, result } = content;
  const title = `${result.labels.join(" against ")}, ${plural(study.seeds.length, "seed")}`;
  const page = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${title}</title><style>${new Html(pageStyle)}</style></head><body><main>
<p class="soft">${basename(study.dir)}</p><h1>${title}</h1>
${verdicts(content)}
${summaries(result)}
${comparisons(result)}
${curves(result)}
${finals(result)}
${recipeDiff(study)}
${sided(content)}
${method(content)}
</main></body></html>
`;
  return page.text;
}

const VERDICTS: Readonly<Record<Comparison["verdict"], string>> = {
  better: "Better",
  noDifferenceShown: "No difference shown",
  noVerdict: "No verdict",
};

function verdicts({ result, warnings, study }: PageContent): Html {
  const failed = result.runs.filter(({ status }) => status === "failed");
  return html`<section aria-label="Verdict">
    ${result.comparisons.map(({ verdict, sentence }) => html`<p class="verdict ${verdict}"><b>${VERDICTS[verdict]}</b>${sentence}</p>`)}
    <p class="soft">Said before the start: ${study.expectation}</p>
    ${
      study.extendedFrom.length === 0
        ? null
        : html`<p class="failed">Seeds were added after earlier ones had been seen (${[...study.extendedFrom, study.seeds.length].join(", then ")}): whoever looks more than once finds differences too easily.</p>`
    }
    ${failed.map(({ label, seed, reason }) => html`<p class="failed">Failed, and left out with its pairs: ${label}, seed ${seed}. ${reason}</p>`)}
    ${warnings.length === 0 ? null : html`<h2>What was not equal</h2><ul>${warnings.map((text) => html`<li>${text}</li>`)}</ul>`}
    </section>`;
}

function summaries({ summaries: all, target }: StudyResult): Html {
  const goal = target === null ? "target" : `${percent(target)}`;
  return html`<h2>Scores and costs</h2><div class="scroll"><table>
    <thead><tr><th scope="col">recipe</th><th scope="col">runs</th><th scope="col">final score</th><th scope="col">best</th><th scope="col">mean of curve</th>
    <th scope="col">samples</th><th scope="col">tokens</th><th scope="col">seconds</th>
    <th scope="col">reached ${goal}</th><th scope="col">after samples</th><th scope="col">tokens</th><th scope="col">seconds</th></tr></thead>
    <tbody>${all.map(summaryRow)}</tbody></table></div>
    <p class="soft">Scores are pass@1 on held-out prompts, mean ± standard deviation between seeds. Costs are means of a run of the rl stage: sampled completions, trained tokens, and seconds of its steps without evaluation. The target ${target === null ? "" : html`(${percent(target)}) `}counts at the first evaluation at or above it; runs that never reach it are counted and not averaged.</p>`;
}

function summaryRow({ label, numRuns, final, best, area, cost, toTarget }: Summary): Html {
  return html`<tr><th scope="row">${label}</th><td>${numRuns}</td><td>${spread(final)}</td><td>${spread(best)}</td><td>${spread(area)}</td>
    ${costCells(cost)}<td>${toTarget.numReached} of ${numRuns}</td>${costCells(toTarget.cost)}</tr>`;
}

function costCells(cost: Cost | null): Html {
  if (cost === null) return html`<td>–</td><td>–</td><td>–</td>`;
  const { samples, tokens, seconds } = cost;
  return html`<td>${count(samples)}</td><td>${count(tokens)}</td><td>${Number.isFinite(seconds) ? seconds.toFixed(0) : "–"}</td>`;
}

function comparisons({ comparisons: all }: StudyResult): Html {
  return html`<h2>Paired differences</h2><div class="scroll"><table>
    <thead><tr><th scope="col">first − second, in points</th><th scope="col">seeds</th><th scope="col">final [95 %]</th><th scope="col">p (t test)</th>${
      all.length > 1 ? html`<th scope="col">p after Holm</th>` : null
    }<th scope="col">p (sign flips)</th><th scope="col">could have seen</th><th scope="col">best [95 %]</th><th scope="col">mean of curve [95 %]</th></tr></thead>
    <tbody>${all.map(
      ({
        a,
        b,
        final,
        adjustedP,
        minimumDetectableEffect,
        best,
        area,
      }) => html`<tr><th scope="row">${a} − ${b}</th><td>${final?.numSeeds ?? 0}</td>
      <td>${interval(final)}</td><td>${final?.p == null ? "–" : shownP(final.p)}</td>${
        all.length > 1 ? html`<td>${adjustedP === null ? "–" : shownP(adjustedP)}</td>` : null
      }<td>${final?.signFlipP == null ? "–" : shownP(final.signFlipP)}</td>
      <td>${minimumDetectableEffect === null ? "–" : points(minimumDetectableEffect)}</td><td>${interval(best)}</td><td>${interval(area)}</td></tr>`,
    )}</tbody></table></div>`;
}

interface ChartSpec {
  readonly title: string;
  /** null: the evaluations. */
  readonly metric: string | null;
  readonly format: (y: number) => string;
  readonly limits?: readonly [number, number];
}

const NOT_NEGATIVE = [0, Number.POSITIVE_INFINITY] as const;

const CHARTS: readonly ChartSpec[] = [
  { title: "Held-out score (pass@1)", metric: null, format: (y) => `${Math.round(1000 * y) / 10} %`, limits: [0, 1] },
  { title: "Reward of the rollouts", metric: "reward", format: short },
  {
    title: "Completion length, tokens",
    metric: "completions/mean_length",
    format: short,
    limits: NOT_NEGATIVE,
  },
  { title: "Entropy, nats per token", metric: "entropy", format: short, limits: NOT_NEGATIVE },
  { title: "Gradient norm", metric: "grad_norm", format: short, limits: NOT_NEGATIVE },
];

function curves(result: StudyResult): Html {
  const { labels, runs } = result;
  const complete = (label: string) => runs.flatMap((run) => (run.label === label ? (run.curves ?? []) : []));
  // Steps of unlike size are no common measure.
  const perStep = labels.flatMap((label) => complete(label).map(({ cost, steps }) => cost.samples / steps.length));
  const bySamples = Math.max(...perStep) > 1.02 * Math.min(...perStep);
  const xLabel = bySamples ? "samples" : "step";
  const charts = CHARTS.map(({ title, metric, format, limits }) =>
    lineChart({
      title,
      xLabel,
      format,
      limits,
      series: labels.map((label) => ({
        label,
        seeds: complete(label).map((run) =>
          metric === null ? scorePoints(run, bySamples) : stepPoints(run, metric, bySamples),
        ),
      })),
    }),
  );
  return html`<h2>Curves</h2><ul class="legend">${labels.map(
    (label, i) =>
      html`<li class="arm-${i % 6}"><svg viewBox="0 0 34 12" aria-hidden="true"><line class="mean" x1="0" x2="34" y1="6" y2="6"/></svg>${label}</li>`,
  )}</ul><p class="soft">Thick: mean over seeds. Band: one standard deviation between seeds. Thin: each seed.</p><div class="charts">${charts}</div>`;
}

function scorePoints({ evaluations }: RunCurves, bySamples: boolean): Point[] {
  const x = ({ step, cost }: EvaluationPoint) => (bySamples ? cost.samples : step);
  return evaluations.map((point) => ({ x: x(point), y: point.score }));
}

function stepPoints({ steps }: RunCurves, metric: string, bySamples: boolean): Point[] {
  return steps.flatMap(({ step, values }) => {
    const [x, y] = [bySamples ? values["num_samples"] : step, values[metric]];
    return x === undefined || y === undefined ? [] : [{ x, y }];
  });
}

function finals({ labels, seeds, runs }: StudyResult): Html {
  const cell = (label: string, seed: number) => {
    const run = runs.find((other) => other.label === label && other.seed === seed);
    if (run?.curves == null) return html`<td class="failed">${run?.status ?? "–"}</td>`;
    return html`<td>${percent(run.curves.finalScore)}</td>`;
  };
  return html`<h2>Final score by seed</h2><div class="scroll"><table><thead><tr><th scope="col">seed</th>${labels.map(
    (label) => html`<th scope="col">${label}</th>`,
  )}</tr></thead><tbody>${seeds.map(
    (seed) => html`<tr><th scope="row">${seed}</th>${labels.map((label) => cell(label, seed))}</tr>`,
  )}</tbody></table></div>`;
}

function recipeDiff({ arms }: PageContent["study"]): Html {
  const rows = diffRecipes(arms.map(({ recipe }) => recipe));
  return html`<h2>What the recipes change</h2><div class="scroll"><table><thead><tr><th scope="col">key</th>${arms.map(
    ({ label }) => html`<th scope="col" style="text-align:left">${label}</th>`,
  )}</tr></thead><tbody>${rows.map(
    ({ key, values }) =>
      html`<tr><td class="key">${key}</td>${values.map((value) => html`<td class="key">${value ?? "–"}</td>`)}</tr>`,
  )}</tbody></table></div><p class="soft">Keys that are not here are equal. – : the recipe does not have the key.</p>`;
}

function sided({ result: { labels }, samples, sampleSeed }: PageContent): Html | null {
  if (samples.length === 0) return null;
  return html`<h2>The same prompts, side by side</h2><p class="soft">The first prompts of the held-out data, answered by the final models of seed ${sampleSeed}, with the same sampling seeds. They are examples: the verdict rests on all prompts and all seeds.</p>
    ${samples.map(
      ({
        prompt,
        answer,
        completions,
      }) => html`<div class="prompt"><strong>${prompt}</strong>${answer === null ? null : html`  <span class="soft">right: ${answer}</span>`}</div>
      <div class="sides">${completions.map((completion, i) => side(labels[i]!, i, completion))}</div>`,
    )}`;
}

function side(label: string, index: number, completion: SidedPrompt["completions"][number]): Html {
  const name = html`<strong>${label}</strong>`;
  if (completion === null)
    return html`<div class="side arm-${index % 6}">${name} <span class="soft">no answer: its run is not complete</span></div>`;
  const { text, correct, numTokens, truncated } = completion;
  const verdict =
    correct === null
      ? html`<span class="soft">not judged</span>`
      : html`<span class="${correct ? "right" : "wrong"}">${correct ? "✓ right" : "✗ wrong"}</span>`;
  return html`<div class="side arm-${index % 6}">${name} ${verdict} <span class="soft">${plural(numTokens, "token")}${truncated ? ", cut off" : ""}</span><pre>${text}</pre></div>`;
}

function method({ study, numJobs }: PageContent): Html {
  const { provenance, numThreads } = study;
  const facts = ["command", "grouper", "commit", "node", "platform", "cpu", "startedAt"].flatMap((key) =>
    provenance[key] == null
      ? []
      : [html`<tr><th scope="row">${key}</th><td class="text">${String(provenance[key])}</td></tr>`],
  );
  return html`<h2>How this was measured</h2>
    <p>Runs of one seed share initial weights, the order of the data, rollout seeds and evaluation prompts; stages that recipes have in common were trained once for each seed and continued by each. A difference is taken within each seed; the unit is the run, never the prompt. The final score decides, by a two-sided t test on the differences (which takes them for normal) at level 0.05, adjusted by Holm's method where there are several comparisons; each interval is 95 % for its own. The sign-flip test assumes nothing about their shape, but can show nothing with fewer than six seeds. “Could have seen” is the difference found four times out of five at the spread that was measured.</p>
    <p>${plural(numJobs, "run")} at a time${numThreads === null ? "" : `, ${plural(numThreads, "thread")} each`}; seconds depend on it.</p>
    <div class="scroll"><table><tbody>${facts}</tbody></table></div>`;
}

function interval(difference: PairedDifference | null): string {
  if (difference === null) return "–";
  const { mean, interval: bounds } = difference;
  return bounds === null ? points(mean) : `${points(mean)} [${points(bounds[0])}, ${points(bounds[1])}]`;
}

function spread(value: MeanAndStd | null): string {
  if (value === null) return "–";
  return value.std === null ? percent(value.mean) : `${percent(value.mean)} ± ${points(value.std)}`;
}

function percent(share: number): string {
  return `${points(share)} %`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function plural(number: number, noun: string): string {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}
