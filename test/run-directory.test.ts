import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { createRunDirectory, freeRunPath, resumeRunDirectory } from "../src/run-directory.ts";

let path: string;
beforeEach(async () => {
  path = join(await mkdtemp(join(tmpdir(), "grouper-run-")), "run");
});

const progress = { finished: [], checkpoint: null, kept: [], best: null, complete: false };

describe("run folders", () => {
  it("resuming cuts metrics.jsonl back to the pointer", async () => {
    {
      await using run = await createRunDirectory(path);
      await run.writeJson("recipe.json", {});
      await run.appendMetrics({ step: 1 });
      await run.setProgress(progress);
      await run.appendMetrics({ step: 2 });
    }
    expect(await readFile(join(path, "metrics.jsonl"), "utf8")).toBe('{"step":1}\n{"step":2}\n');
    {
      await using run = await resumeRunDirectory(path);
      await run.appendMetrics({ step: 2, again: true });
    }
    expect(await readFile(join(path, "metrics.jsonl"), "utf8")).toBe('{"step":1}\n{"step":2,"again":true}\n');
  });

  it("a second writer is refused by the process id of the first", async () => {
    await using run = await createRunDirectory(path);
    await run.writeJson("recipe.json", {});
    // Our own process id would count as a stale lock: write the parent's, which is alive and not us.
    const boot = JSON.parse(await readFile(join(path, "lock"), "utf8")).boot;
    await writeFile(join(path, "lock"), JSON.stringify({ pid: process.ppid, host: hostname(), boot }));
    await expect(resumeRunDirectory(path)).rejects.toThrow(new RegExp(`held by process ${process.ppid}`));
  });

  it("the lock of a dead process is taken over", async () => {
    {
      await using run = await createRunDirectory(path);
      await run.writeJson("recipe.json", {});
    }
    await writeFile(join(path, "lock"), JSON.stringify({ pid: 2 ** 22 + 1, host: hostname(), boot: "another boot" }));
    await using run = await resumeRunDirectory(path);
    expect(run.progress.complete).toBe(false);
  });

  it("a folder that is no run is refused with what to do", async () => {
    await expect(resumeRunDirectory(tmpdir())).rejects.toThrow(
      /Expected a run folder at .* Give the folder that train printed/,
    );
  });

  it("an existing run is never overwritten", async () => {
    {
      await using _run = await createRunDirectory(path);
    }
    await expect(createRunDirectory(path)).rejects.toThrow(/exists already/);
    expect(await freeRunPath(join(path, ".."), "run")).toBe(`${path}-2`);
  });
});
