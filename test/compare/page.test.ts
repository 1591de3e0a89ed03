import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lineChart } from "../../src/compare/chart.ts";
import { html } from "../../src/compare/html.ts";
import { renderPage } from "../../src/compare/page.ts";
import { judge, type StudyRun } from "../../src/compare/result.ts";
import { tinyRecipe, tinyStages } from "../pipeline/tiny.ts";
import { Browser, chromium } from "./browser.ts";

const [sft, rl] = tinyStages;
const hostile = `</pre><script>document.title = "taken"</script><img src="https://example.invalid/x" onerror="document.title='taken'">&amp;'"`;
const labels = ["grpo", "dapo"];

/** Two recipes, three seeds, curves of forty steps; dapo's third run failed with an unkind reason. */
function study(): string {
  const runs = labels.flatMap((label, arm) =>
    [1, 2, 3].map((seed): StudyRun => {
      if (arm === 1 && seed === 3)
        return { label, seed, run: "/r", status: "failed", reason: `It said ${hostile}`, curves: null };
      const height = 0.5 + 0.1 * arm + 0.02 * seed;
      const evaluations = [0, 20, 40].map((step) => ({
        step,
        score: (height * step) / 40,
        cost: { samples: 16 * step, tokens: 160 * step, seconds: step },
      }));
      const steps = Array.from({ length: 40 }, (_, i) => ({
        step: i + 1,
        values: { reward: (height * i) / 40, entropy: 1 - i / 80, grad_norm: 0.5, num_samples: 16 * (i + 1) },
      }));
      const cost = { samples: 640, tokens: 6400, seconds: 40 };
      const curves = { finalScore: height, bestScore: height, area: height / 2, evaluations, steps, cost };
      return { label, seed, run: "/r", status: "complete", reason: null, curves };
    }),
  );
  const arms = [
    { label: "grpo", recipe: tinyRecipe() },
    { label: "dapo", recipe: tinyRecipe({ stages: [sft!, { ...rl!, algorithm: { type: "dapo" } } as never] }) },
  ];
  const side = (text: string, correct: boolean | null) => ({ text, correct, numTokens: 9, truncated: false });
  return renderPage({
    study: {
      dir: "/runs/compare-x",
      arms,
      seeds: [1, 2, 3],
      extendedFrom: [],
      numThreads: 1,
      expectation: "With 3 seeds a difference of 10.0 points is found.",
      provenance: { commit: "abc" },
    },
    numJobs: 2,
    warnings: ["dapo gets more samples."],
    result: judge(labels, [1, 2, 3], runs),
    samples: [
      { prompt: `1+1= ${hostile}`, answer: "2", completions: [side(hostile, false), side("x".repeat(500), true)] },
    ],
    sampleSeed: 1,
  });
}

describe("the page", () => {
  const page = study();

  it("says the verdict before anything else, and what was said before the start", () => {
    const places = [
      "No difference shown between dapo and grpo",
      "Said before the start: With 3 seeds",
      "Scores and costs",
    ].map((text) => page.indexOf(text));
    expect(places.every((place) => place > 0)).toBe(true);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
  });

  it("names the failed run, the recipes' difference and what was not equal", () => {
    expect(page).toContain("Failed, and left out with its pairs: dapo, seed 3.");
    expect(page).toMatch(
      /rl\.algorithm\.type<\/td><td class="key">&quot;grpo&quot;<\/td><td class="key">&quot;dapo&quot;/,
    );
    expect(page).toContain("<li>dapo gets more samples.</li>");
  });

  it("escapes what models and machines said", () => {
    expect(page).not.toContain("<script");
    expect(page).not.toContain("<img");
    expect(page.match(/&lt;script&gt;document\.title/g)?.length).toBe(3);
  });

  it("names no address that a browser would load", () => {
    expect(page.replaceAll("https://example.invalid/x", "")).not.toMatch(/https?:|\/\/[a-z]|url\(|@import|<link/);
  });
});

describe("insertions into HTML", () => {
  it("never open a tag or leave an attribute, whatever they are (seed 7)", () => {
    const anything = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom(hostile, "<", "&lt;", '"', "'>"));
    fc.assert(
      fc.property(anything, (text) => {
        const inside = html`<p title="${text}">${[text, null]}</p>`.text;
        expect(inside.match(/[<>"']/g)).toEqual(["<", '"', '"', ">", "<", ">"]);
      }),
      { seed: 7, numRuns: 500 },
    );
  });

  it("keep what is markup already", () => {
    expect(html`<b>${html`<i>${"<"}</i>`}</b>`.text).toBe("<b><i>&lt;</i></b>");
  });
});

describe("a chart", () => {
  const format = (y: number) => y.toFixed(2);

  it("draws the mean between its seeds, and says first and last value to who cannot see it", () => {
    const seeds = [0, 1].map((offset) => [0, 10].map((x) => ({ x, y: offset + x / 10 })));
    const chart = lineChart({ title: "T", xLabel: "step", format, series: [{ label: "a", seeds }] })!.text;
    expect(chart).toContain('aria-label="T: a from 0.50 to 1.50"');
    expect(chart).toMatch(/<th scope="row">10<\/th><td>1\.50<\/td>/);
    // Both seeds and the mean, and a band around it.
    expect(chart.match(/<polyline/g)?.length).toBe(3);
    expect(chart.match(/<polygon/g)?.length).toBe(1);
  });

  it("averages neighbours of a long curve, so that its mean stays", () => {
    const seed = Array.from({ length: 1000 }, (_, i) => ({ x: i, y: i % 2 }));
    const chart = lineChart({ title: "T", xLabel: "step", format, series: [{ label: "a", seeds: [seed] }] })!.text;
    const points = /class="mean" points="([^"]*)"/.exec(chart)![1]!.split(" ");
    expect(points.length).toBeLessThanOrEqual(150);
    expect(chart.length).toBeLessThan(10_000);
  });

  it("keeps the band of a share within 0 and 1, and the lines where they are", () => {
    const seeds = [0, 1].map((y) => [0, 1].map((x) => ({ x, y })));
    const options = { title: "T", xLabel: "step", format, series: [{ label: "a", seeds }] };
    const labels = (text: string) =>
      [...text.matchAll(/text-anchor="end">([^<]*)</g)].map(([, label]) => Number(label));
    // Mean 0.5, standard deviation 0.71: without limits the band reaches from -0.21 to 1.21.
    expect(labels(lineChart({ ...options, limits: [0, 1] })!.text).every((y) => y >= 0 && y <= 1)).toBe(true);
    expect(labels(lineChart(options)!.text).some((y) => y < 0)).toBe(true);
    const oneSided = lineChart({ ...options, limits: [0, Number.POSITIVE_INFINITY] })!.text;
    expect(labels(oneSided).every((y) => y >= 0)).toBe(true);
    expect(labels(oneSided).some((y) => y > 1)).toBe(true);
    expect(oneSided).not.toMatch(/NaN|Infinity/);
  });

  it("of nothing is none; of one value it is finite", () => {
    expect(lineChart({ title: "T", xLabel: "step", format, series: [{ label: "a", seeds: [] }] })).toBeNull();
    const flat = lineChart({
      title: "T",
      xLabel: "step",
      format,
      series: [{ label: "a", seeds: [[{ x: 0, y: 0 }]] }],
    })!.text;
    expect(flat).not.toMatch(/NaN|Infinity/);
  });
});

describe.skipIf(chromium === null)(`the page in ${chromium ?? "a browser (chromium is not installed)"}`, () => {
  const path = join(mkdtempSync(join(tmpdir(), "grouper-page-")), "compare.html");
  const url = pathToFileURL(path).href;
  let browser: Browser;
  beforeAll(() => {
    writeFileSync(path, study());
    browser = new Browser(chromium!);
  });
  afterAll(() => browser[Symbol.asyncDispose]());

  it("shows hostile completions as text, runs nothing and loads nothing", async () => {
    const page = await browser.open(url, { width: 1200 });
    expect(await page.evaluate("document.title")).toBe("grpo against dapo, 3 seeds");
    expect(await page.evaluate("document.querySelectorAll('script, img, iframe, link').length")).toBe(0);
    expect(await page.evaluate("document.querySelector('.side pre').textContent")).toBe(hostile);
    expect(page.requests).toEqual([]);
    expect(page.complaints).toEqual([]);
  });

  it("draws four charts with a line for each recipe", async () => {
    const page = await browser.open(url, { width: 1200 });
    expect(await page.evaluate("document.querySelectorAll('figure svg').length")).toBe(4);
    const drawn = "[...document.querySelectorAll('figure .mean')].filter((line) => line.getBBox().width > 100).length";
    expect(await page.evaluate(drawn)).toBe(8);
  });

  it.each([400, 1200])("at %i pixels nothing but tables is wider than the window", async (width) => {
    const page = await browser.open(url, { width });
    expect(await page.evaluate("innerWidth")).toBe(width);
    // What its scroll bar leaves of it.
    const { clientWidth, scrollWidth } = (await page.evaluate(
      "(({ clientWidth, scrollWidth }) => ({ clientWidth, scrollWidth }))(document.documentElement)",
    )) as { clientWidth: number; scrollWidth: number };
    expect(scrollWidth).toBeLessThanOrEqual(clientWidth);
    // A table scrolls in its own box, and text stays large enough to read.
    const small =
      "Math.min(...[...document.querySelectorAll('svg text')].map((t) => t.getBoundingClientRect().height))";
    expect(Number(await page.evaluate(small))).toBeGreaterThan(9);
  });

  it.each([true, false])(
    "text and lines stand out from the paper, dark: %s (WCAG: 4.5 for text, 3 for lines)",
    async (dark) => {
      const page = await browser.open(url, { width: 1200, dark });
      const contrast = `(() => {
      const light = (colour) => {
        const [r, g, b] = colour.match(/[\\d.]+/g).map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const against = (colour, paper) => {
        const [high, low] = [light(colour), light(paper)].sort((a, b) => b - a);
        return (high + 0.05) / (low + 0.05);
      };
      const paper = getComputedStyle(document.body).backgroundColor;
      const raised = getComputedStyle(document.querySelector('.verdict')).backgroundColor;
      const text = ['p', '.soft', 'th', '.right', '.wrong', '.failed', '.verdict'].map((one) => getComputedStyle(document.querySelector(one)).color);
      const lines = [...document.querySelectorAll('figure .mean')].map((line) => getComputedStyle(line).stroke);
      return [Math.min(...text.flatMap((c) => [against(c, paper), against(c, raised)])), Math.min(...lines.map((c) => against(c, paper))), paper];
    })()`;
      const [text, lines, paper] = (await page.evaluate(contrast)) as [number, number, string];
      expect(text).toBeGreaterThan(4.5);
      expect(lines).toBeGreaterThan(3);
      expect(paper).toBe(dark ? "rgb(21, 23, 26)" : "rgb(255, 255, 255)");
    },
  );
});
