/** Negative controls over processes: markers, crashes, the alarm for all; each Controls stands for a thread or a run of its own. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { cacheKey, openCache } from "../../src/judge/cache.ts";
import { Controls, JudgeAlarm } from "../../src/judge/controls.ts";
import { Endpoint } from "../../src/judge/endpoint.ts";
import { Judge } from "../../src/judge/judge.ts";
import { EMPTY_ANSWERS } from "../../src/judge/substance.ts";
import { scriptedServer } from "./scripted-server.ts";

const folders: string[] = [];
function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), "grouper-controls-"));
  folders.push(folder);
  return folder;
}
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

/** A judge whose word is `fault`: null passes. */
function scripted(fault: () => string | null) {
  let numTrials = 0;
  const trial = async () => {
    numTrials++;
    return fault();
  };
  return { trial, numTrials: () => numTrials };
}

const at = (folder: string, every = 4) => new Controls({ name: "judge", every, id: "id", cache: openCache(folder) });

/** As an Asker does it: believed first, then marked and kept. */
async function reply(controls: Controls, folder: string, key: string, trial: () => Promise<string | null>) {
  await controls.trust(trial);
  await controls.mark(key);
  await openCache(folder).write(key, "Verdict: EQUIVALENT");
}

const keys = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".json")).length;
const marked = (folder: string) => readdirSync(join(folder, "unproven", "id")).length;

describe("Controls", () => {
  it("several threads share the count: one control for every `every` replies, beside the first of each", async () => {
    const folder = scratch();
    const judge = scripted(() => null);
    const threads = [1, 2, 3, 4, 5].map(() => at(folder, 10));
    for (let index = 0; index < 40; index++) await reply(threads[index % 5]!, folder, `key${index}`, judge.trial);
    // Five first ones, before replies 0 to 4; then before 14, 24 and 34. No thread alone has ten.
    expect(judge.numTrials()).toBe(5 + 3);
    expect(keys(folder)).toBe(40);
  });

  it("counts a process alone where there is no cache", async () => {
    const judge = scripted(() => null);
    const controls = new Controls({ name: "judge", every: 3, id: "id", cache: undefined });
    for (let index = 0; index < 7; index++) {
      await controls.trust(judge.trial);
      await controls.mark(`key${index}`);
    }
    expect(judge.numTrials()).toBe(3);
    await controls.settle(judge.trial);
    await controls.settle(judge.trial);
    expect(judge.numTrials()).toBe(4);
  });

  it("a failed control is an alarm for every thread and every later run, until it is deleted", async () => {
    const folder = scratch();
    let fault: string | null = null;
    const judge = scripted(() => fault);
    const [one, other] = [at(folder), at(folder)];
    for (const key of ["a", "b"]) await reply(one, folder, key, judge.trial);
    await reply(other, folder, "c", judge.trial);
    // The first control of `other` vouched for a and b, and c came after it.
    expect([keys(folder), marked(folder)]).toEqual([3, 1]);
    fault = 'accepted ":"';
    await expect(one.settle(judge.trial)).rejects.toBeInstanceOf(JudgeAlarm);
    expect([keys(folder), marked(folder)]).toEqual([2, 0]);
    fault = null;
    const numBefore = judge.numTrials();
    for (const controls of [one, other, at(folder)]) {
      await expect(controls.check()).rejects.toThrow('judge accepted ":": its verdicts cannot be trusted');
      await expect(controls.trust(judge.trial)).rejects.toBeInstanceOf(JudgeAlarm);
    }
    await expect(at(folder).check()).rejects.toThrow(/delete (\S+\.alarm)\.$/);
    expect(judge.numTrials()).toBe(numBefore);
    rmSync(join(folder, "unproven", "id.alarm"));
    await at(folder).trust(judge.trial);
    expect(judge.numTrials()).toBe(numBefore + 1);
  });

  it("what a killed worker left without a control is not believed before one", async () => {
    const folder = scratch();
    const judge = scripted(() => null);
    await reply(at(folder), folder, "a", judge.trial);
    const next = at(folder);
    expect(await next.isMarked("a")).toBe(true);
    expect(await next.isMarked("b")).toBe(false);
    await next.trust(judge.trial);
    expect(await next.isMarked("a")).toBe(false);
    expect(keys(folder)).toBe(1);
  });

  it("a control without an answer proves nothing, and leaves the next one to be made at once", async () => {
    const folder = scratch();
    let isDown = true;
    const trial = async () => {
      if (isDown) throw new Error("down");
      return null;
    };
    const controls = at(folder, 2);
    await expect(controls.trust(trial)).rejects.toThrow("down");
    isDown = false;
    for (const key of ["a", "b"]) await reply(controls, folder, key, trial);
    isDown = true;
    for (let index = 0; index < 2; index++) await expect(controls.trust(trial)).rejects.toThrow("down");
    expect(marked(folder)).toBe(2);
    isDown = false;
    await controls.trust(trial);
    expect(marked(folder)).toBe(0);
  });

  it("the claim of a process that died is taken over", async () => {
    const folder = scratch();
    const judge = scripted(() => null);
    const controls = at(folder, 1);
    await reply(controls, folder, "a", judge.trial);
    const claim = join(folder, "unproven", "id.claim");
    mkdirSync(join(folder, "unproven"), { recursive: true });
    writeFileSync(claim, "");
    await controls.trust(judge.trial);
    expect(judge.numTrials()).toBe(1);
    utimesSync(claim, new Date(0), new Date(0));
    await controls.trust(judge.trial);
    expect([judge.numTrials(), marked(folder)]).toEqual([2, 0]);
  });

  it("questions that wait for the same control make one", async () => {
    const folder = scratch();
    let release = (): void => undefined;
    const held = new Promise<null>((resolve) => {
      release = () => resolve(null);
    });
    let numTrials = 0;
    const controls = at(folder);
    const waiting = Array.from({ length: 8 }, () =>
      controls.trust(() => {
        numTrials++;
        return held;
      }),
    );
    setTimeout(release, 20);
    await Promise.all(waiting);
    expect(numTrials).toBe(1);
  });
});

describe("a judge that is fooled", () => {
  const honestly = (user: string) => `Verdict: ${/5\n<\/judged/.test(user) ? "EQUIVALENT" : "DIFFERENT"}`;
  const CASE = { question: "What is 2 + 3?", reference: "5", solution: "It is 5" };
  const judgeAt = (url: string, cacheFolder: string) =>
    new Judge({
      endpoint: new Endpoint({ name: "judge", url, model: "m", deadlineMs: 5000, retryDelayMs: 5 }),
      protocol: "open-r1",
      controlEvery: 4,
      cache: openCache(cacheFolder),
    });

  it("is tried at its server, whatever the cache says of its controls", async () => {
    const folder = scratch();
    await using server = await scriptedServer(() => "Verdict: EQUIVALENT");
    const judge = judgeAt(server.url, folder);
    const cache = openCache(folder);
    for (const solution of EMPTY_ANSWERS) {
      const key = cacheKey(1, server.url, judge.bodyOf({ ...CASE, solution }));
      await cache.write(key, "Verdict: DIFFERENT");
    }
    await expect(judge.ask(CASE)).rejects.toBeInstanceOf(JudgeAlarm);
    expect(server.requests.some(({ user }) => />\n:\n<\/judged/.test(user))).toBe(true);
  });

  it("is not believed through a cache that answers known questions for it: each control asks about the question at hand", async () => {
    const folder = scratch();
    const said = new Map<string, string>();
    let isFooled = false;
    // A proxy that remembers, before a judge that changes.
    await using server = await scriptedServer(({ user }) => {
      const reply = said.get(user) ?? (isFooled ? "Verdict: EQUIVALENT" : honestly(user));
      said.set(user, reply);
      return reply;
    });
    const judge = judgeAt(server.url, folder);
    const ask = (number: number) =>
      judge.ask({ ...CASE, question: `What is ${number} + 3?`, solution: `Not ${number}` });
    for (let number = 0; number < 4; number++) await ask(number);
    isFooled = true;
    const ends = await Promise.allSettled([4, 5, 6, 7, 8, 9].map(ask));
    expect(ends.at(-1)).toMatchObject({ status: "rejected", reason: expect.any(JudgeAlarm) });
    await expect(ask(10)).rejects.toBeInstanceOf(JudgeAlarm);
  });
});

describe("the cache", () => {
  it("under many writers of one reply holds one of them, whole", async () => {
    const folder = scratch();
    const key = cacheKey("question");
    const texts = Array.from({ length: 40 }, (_, writer) => `${writer}`.repeat(5000));
    const read: (string | null)[] = [];
    await Promise.all(
      texts.map(async (text) => {
        // Caches of their own, as threads and processes have.
        await openCache(folder).write(key, text);
        read.push(await openCache(folder).read(key));
      }),
    );
    for (const text of read) expect(texts).toContain(text);
    const files = readdirSync(join(folder, key.slice(0, 2)));
    expect(files).toEqual([`${key}.json`]);
  });

  it("does not believe a file of another version, another question, or another shape", async () => {
    const folder = scratch();
    const cache = openCache(folder);
    const key = cacheKey("question");
    mkdirSync(join(folder, key.slice(0, 2)), { recursive: true });
    for (const content of [
      { version: 2, key, reply: { text: "Verdict: EQUIVALENT" } },
      { key: cacheKey("another"), text: "Verdict: EQUIVALENT" },
      { key, text: ["Verdict: EQUIVALENT"] },
      { text: "Verdict: EQUIVALENT" },
      null,
    ]) {
      writeFileSync(join(folder, key.slice(0, 2), `${key}.json`), JSON.stringify(content));
      expect(await cache.read(key)).toBeNull();
    }
    await cache.write(key, "Verdict: DIFFERENT");
    expect(await cache.read(key)).toBe("Verdict: DIFFERENT");
  });
});
