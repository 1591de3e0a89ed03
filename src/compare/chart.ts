/** A line chart as inline SVG: per recipe the mean over seeds, a band of one standard deviation, and a thin line for each seed. */
import { mean, sampleStd } from "../math/statistics.ts";
import { type Html, html } from "./html.ts";

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Series {
  readonly label: string;
  /** One list of points per seed; the n-th points of all are of one step. */
  readonly seeds: readonly (readonly Point[])[];
}

export interface ChartOptions {
  readonly title: string;
  readonly xLabel: string;
  readonly series: readonly Series[];
  readonly format: (y: number) => string;
  /** What y can be: a band of deviations does not leave it. */
  readonly limits?: readonly [number, number] | undefined;
}

const WIDTH = 480;
const HEIGHT = 260;
const LEFT = 52;
const RIGHT = 12;
const TOP = 12;
const BOTTOM = 40;
/** More points than pixels only make the page large. */
const MAX_POINTS = 150;

/** The chart with its title, and its numbers as a table; null where no series has a point. */
export function lineChart({ title, xLabel, series, format, limits }: ChartOptions): Html | null {
  const thinned = series.map(({ label, seeds }) => ({ label, seeds: seeds.map(thin) }));
  const bands = thinned.map(({ seeds }) => bandOf(seeds, limits));
  const points = thinned.flatMap(({ seeds }) => seeds.flat());
  if (points.length === 0) return null;
  const xs = points.map(({ x }) => x);
  const ys = [...points.map(({ y }) => y), ...bands.flat().flatMap(({ low, high }) => [low, high])];
  const xTicks = ticks(xs.reduce(lower), xs.reduce(higher));
  const yTicks = ticks(ys.reduce(lower), ys.reduce(higher));
  const [x0, x1] = [xs.reduce(lower), xs.reduce(higher)];
  const [y0, y1] = [yTicks[0]!, yTicks.at(-1)!];
  const toX = (x: number) => LEFT + ((x - x0) / (x1 - x0 || 1)) * (WIDTH - LEFT - RIGHT);
  const toY = (y: number) => HEIGHT - BOTTOM - ((y - y0) / (y1 - y0 || 1)) * (HEIGHT - TOP - BOTTOM);
  const path = (line: readonly Point[]) =>
    line.map(({ x, y }) => `${toX(x).toFixed(1)},${toY(y).toFixed(1)}`).join(" ");
  const grid = yTicks.map(
    (y) => html`<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${toY(y)}" y2="${toY(y)}"/>
      <text x="${LEFT - 6}" y="${toY(y) + 4}" text-anchor="end">${format(y)}</text>`,
  );
  const xs2 = xTicks.filter((x) => x >= x0 && x <= x1);
  const axis = xs2.map(
    (x) => html`<text x="${toX(x)}" y="${HEIGHT - BOTTOM + 17}" text-anchor="middle">${count(x)}</text>`,
  );
  const drawn = thinned.map(({ label, seeds }, i) => {
    const band = bands[i]!;
    const around = [
      ...band.map(({ x, high }) => ({ x, y: high })),
      ...band.toReversed().map(({ x, low }) => ({ x, y: low })),
    ];
    const isAlone = seeds.length === 1;
    return html`<g class="arm arm-${i % 6}"><title>${label}</title>${isAlone ? null : html`<polygon class="band" points="${path(around)}"/>`}
      ${isAlone ? null : seeds.map((seed) => html`<polyline class="seed" points="${path(seed)}"/>`)}
      <polyline class="mean" points="${path(band.map(({ x, middle }) => ({ x, y: middle })))}"/></g>`;
  });
  return html`<figure><figcaption>${title}</figcaption>
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}: ${summary(thinned, bands, format)}">
    ${grid}${axis}<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 6}" text-anchor="middle">${xLabel}</text>${drawn}</svg>
    ${numbers(thinned, bands, xLabel, format)}</figure>`;
}

interface BandPoint {
  readonly x: number;
  readonly middle: number;
  readonly low: number;
  readonly high: number;
}

/** As long as the shortest seed. */
function bandOf(
  seeds: readonly (readonly Point[])[],
  [least, most]: readonly [number, number] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
): BandPoint[] {
  const length = seeds.length === 0 ? 0 : Math.min(...seeds.map((seed) => seed.length));
  return Array.from({ length }, (_, i) => {
    const ys = seeds.map((seed) => seed[i]!.y);
    const [middle, std] = [mean(ys), sampleStd(ys)];
    return {
      x: mean(seeds.map((seed) => seed[i]!.x)),
      middle,
      low: Math.max(least, middle - std),
      high: Math.min(most, middle + std),
    };
  });
}

/** Means of neighbours, so that noise is averaged and not sampled; short lines stay as they are. */
function thin(points: readonly Point[]): Point[] {
  const size = Math.ceil(points.length / MAX_POINTS);
  if (size <= 1) return [...points];
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const bucket = points.slice(i * size, (i + 1) * size);
    return { x: mean(bucket.map(({ x }) => x)), y: mean(bucket.map(({ y }) => y)) };
  });
}

function summary(series: readonly Series[], bands: readonly BandPoint[][], format: (y: number) => string): string {
  return series
    .flatMap(({ label }, i) => {
      const [first, last] = [bands[i]![0], bands[i]!.at(-1)];
      return first === undefined || last === undefined
        ? []
        : [`${label} from ${format(first.middle)} to ${format(last.middle)}`];
    })
    .join("; ");
}

const MAX_ROWS = 12;

function numbers(
  series: readonly Series[],
  bands: readonly BandPoint[][],
  xLabel: string,
  format: (y: number) => string,
): Html {
  const length = Math.max(...bands.map((band) => band.length));
  const every = Math.max(1, Math.ceil((length - 1) / (MAX_ROWS - 1)));
  const rows = Array.from({ length }, (_, i) => i).filter((i) => i % every === 0 || i === length - 1);
  const first = bands.find((band) => band.length === length)!;
  return html`<details><summary>Numbers (mean of seeds)</summary><div class="scroll"><table>
    <thead><tr><th scope="col">${xLabel}</th>${series.map(({ label }) => html`<th scope="col">${label}</th>`)}</tr></thead>
    <tbody>${rows.map(
      (i) =>
        html`<tr><th scope="row">${count(first[i]!.x)}</th>${bands.map((band) => {
          const point = band[i];
          return html`<td>${point === undefined ? "–" : format(point.middle)}</td>`;
        })}</tr>`,
    )}</tbody></table></div></details>`;
}

/** Four to eight round numbers that enclose the range. */
function ticks(low: number, high: number): number[] {
  const span = high - low || Math.abs(high) || 1;
  const power = 10 ** Math.floor(Math.log10(span / 4));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => span / size <= 6)!;
  const first = Math.floor(low / step + 1e-9);
  const last = Math.max(Math.ceil(high / step - 1e-9), first + 1);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/** 12,800 as 12.8K. */
export function count(value: number): string {
  return new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(value);
}

const lower = (a: number, b: number) => Math.min(a, b);
const higher = (a: number, b: number) => Math.max(a, b);
