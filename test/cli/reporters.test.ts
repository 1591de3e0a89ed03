import { describe, expect, it } from "vitest";
import { createReporter, duration } from "../../src/cli/reporters.ts";
import type { StepReport } from "../../src/progress.ts";

interface Screen {
  readonly written: string[];
  text(): string;
}

function screen(): Screen {
  const written: string[] = [];
  return { written, text: () => written.join("") };
}

let seconds = 0;

function reporterOn(to: Screen, { isTty = false, hasColors = false, columns = 80, json = false } = {}) {
  seconds = 0;
  return createReporter(
    { write: (text) => to.written.push(text), isTty, hasColors, columns: () => columns, now: () => seconds },
    { json },
  );
}

function step(number: number, numSteps = 10): StepReport {
  const metrics = {
    reward: 0.5,
    "rewards/accuracy/mean": 0.25,
    "rewards/format/mean": 1,
    "completions/mean_length": 17.25,
    "clip_ratio/region_mean": 0.125,
    kl: 0.0123,
    entropy: 1.5,
    "time/tokens_per_second": 12_345,
  };
  return { stage: "rl", step: number, numSteps, metrics };
}

/** What a terminal of `columns` shows of text with carriage returns, erasures and line feeds; a line that is too long wraps. */
function render(text: string, columns: number): string[] {
  const rows = [""];
  let column = 0;
  for (const token of text.match(/\u001b\[K|[\s\S]/g) ?? []) {
    if (token === "\n") {
      rows.push("");
      column = 0;
    } else if (token === "\r") column = 0;
    else if (token === "\u001b[K") rows[rows.length - 1] = rows.at(-1)!.slice(0, column);
    else {
      if (column === columns) {
        rows.push("");
        column = 0;
      }
      const row = rows.at(-1)!;
      rows[rows.length - 1] = row.slice(0, column) + token + row.slice(column + 1);
      column++;
    }
  }
  return rows;
}

describe("on a terminal", () => {
  it.each([10, 40, 80, 200])("steps share one line that never wraps in %i columns", (columns) => {
    const to = screen();
    const reporter = reporterOn(to, { isTty: true, columns });
    reporter.stage({ name: "rl", type: "rl", index: 1, count: 1 });
    const before = render(to.text(), columns).length;
    for (let i = 1; i <= 9; i++) reporter.step(step(i));
    const rows = render(to.text(), columns);
    expect(rows.length).toBe(before);
    expect(rows.at(-1)).toBe(rows.at(-1)!.trimEnd());
    expect(rows.at(-1)!.startsWith("step  9/10".slice(0, columns - 1))).toBe(true);
    expect(rows.at(-1)!.length).toBeLessThan(columns);
  });

  it("a note stands above the live line, which comes back below it", () => {
    const to = screen();
    const reporter = reporterOn(to, { isTty: true, columns: 200 });
    reporter.step(step(1));
    reporter.note("careful");
    reporter.step(step(2));
    expect(render(to.text(), 200).map((row) => row.slice(0, 10))).toEqual(["careful", "step  2/10"]);
  });

  it("the last step stays, and closing ends the line once", () => {
    const to = screen();
    const reporter = reporterOn(to, { isTty: true, columns: 200 });
    reporter.step(step(10));
    reporter.close();
    reporter.close();
    expect(render(to.text(), 200).map((row) => row.slice(0, 10))).toEqual(["step 10/10", ""]);
  });

  it("without colours no colour is written, with colours notes have one", () => {
    const [plain, colored] = [screen(), screen()];
    reporterOn(plain, { isTty: true }).note("careful");
    reporterOn(colored, { isTty: true, hasColors: true }).note("careful");
    expect(plain.text()).toBe("careful\n");
    expect(colored.text()).toContain("\u001b[33m");
  });
});

describe("in a log", () => {
  it("writes whole lines without escapes: the first step, one every five seconds, and the last", () => {
    const to = screen();
    const reporter = reporterOn(to);
    reporter.stage({ name: "rl", type: "rl", index: 2, count: 2 });
    for (let i = 1; i <= 10; i++) {
      seconds = i * 1.5;
      reporter.step(step(i));
    }
    const lines = to.text().trimEnd().split("\n");
    expect(to.text()).not.toContain("\u001b");
    expect(lines[0]).toBe("stage 2 of 2: rl");
    expect(lines.slice(1).map((line) => line.slice(5, 7).trim())).toEqual(["1", "5", "9", "10"]);
  });

  it("a line has the step's numbers, and an ETA from the rate so far", () => {
    const to = screen();
    const reporter = reporterOn(to);
    reporter.step(step(1, 121));
    seconds = 6;
    reporter.step(step(3, 121));
    // 3 s a step, 118 steps to go
    expect(to.text().split("\n")[1]).toBe(
      "step   3/121  reward 0.500  accuracy 25.0%  format 100.0%  length 17.3  clip 12.5%  kl 0.0123  entropy 1.500  tok/s 12k  eta 5m54s",
    );
  });

  it("numbers that a step does not have are left out, and those that are not finite too", () => {
    const to = screen();
    reporterOn(to).step({ stage: "sft", step: 1, numSteps: 9, metrics: { loss: 1.25, kl: Number.NaN } });
    expect(to.text()).toBe("step 1/9  loss 1.2500\n");
  });
});

it("for machines every event is a line of JSON", () => {
  const to = screen();
  const reporter = reporterOn(to, { json: true, isTty: true });
  reporter.stage({ name: "rl", type: "rl", index: 1, count: 1 });
  reporter.step(step(1));
  reporter.evaluated({ stage: "rl", step: 1, numPrompts: 8, numSamples: 1, passAt1: 0.5, standardError: 0.1 });
  reporter.note("a\nb");
  const events = to
    .text()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(events.map(({ event }) => event)).toEqual(["stage", "step", "evaluated", "note"]);
  expect(events[1].metrics.reward).toBe(0.5);
});

it.each([
  [0.4, "0s"],
  [59.6, "1m00s"],
  [3599.4, "59m59s"],
  [7625, "2h07m"],
])("%f seconds are written %s", (value, text) => {
  expect(duration(value)).toBe(text);
});
