/** A file is the old one or the new one, whoever writes it at the same time. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { Worker } from "node:worker_threads";
import { afterAll, describe, expect, it } from "vitest";
import { isTemporaryFile, writeFileAtomic } from "../src/files.ts";

const folder = mkdtempSync(join(tmpdir(), "grouper-files-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("writeFileAtomic", () => {
  it("threads that write one path do not get into each other's way", async () => {
    const path = join(folder, "shared.json");
    const code = `
      const { workerData } = require("node:worker_threads");
      import(workerData.module).then(async ({ writeFileAtomic }) => {
        for (let i = 0; i < 50; i++) await writeFileAtomic(workerData.path, "x".repeat(10_000));
      });`;
    const module = resolve(import.meta.dirname, "../dist/src/files.js");
    const ends = Array.from({ length: 4 }, () => {
      const worker = new Worker(code, { eval: true, workerData: { module, path } });
      return new Promise<void>((done, fail) => {
        worker.on("error", fail);
        worker.on("exit", () => done());
      });
    });
    await Promise.all(ends);
    expect(readFileSync(path, "utf8")).toBe("x".repeat(10_000));
    expect(readdirSync(folder)).toEqual(["shared.json"]);
  });

  it("leaves nothing behind where it cannot put the file, and its names are known as temporary", async () => {
    const taken = join(folder, "taken");
    await writeFileAtomic(join(folder, "file"), "1");
    await expect(writeFileAtomic(folder, "1")).rejects.toThrow();
    await expect(writeFileAtomic(join(taken, "file"), "1")).rejects.toThrow("ENOENT");
    expect(readdirSync(folder).filter(isTemporaryFile)).toEqual([]);
    expect(isTemporaryFile("progress.json.tmp-4711-0000000012")).toBe(true);
    expect(isTemporaryFile("progress.json")).toBe(false);
  });
});
