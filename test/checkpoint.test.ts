import { mkdtemp, readdir, readFile, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { pruneCheckpoints, readCheckpoint, writeCheckpoint } from "../src/checkpoint.ts";

let parent: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "grouper-checkpoint-"));
});

async function write(dir: string, content = "weights"): Promise<void> {
  await writeCheckpoint(dir, { step: 7 }, async ({ modelDir, stateDir }) => {
    await writeFile(join(modelDir, "model.safetensors"), content);
    await writeFile(join(stateDir, "moments.safetensors"), "moments");
  });
}

describe("checkpoints", () => {
  it("what was written comes back", async () => {
    const dir = join(parent, "step-000007");
    await write(dir);
    const { modelDir, loop } = await readCheckpoint(dir);
    expect(loop).toEqual({ step: 7 });
    expect(await readFile(join(modelDir, "model.safetensors"), "utf8")).toBe("weights");
  });

  it("a writer that fails leaves neither a checkpoint nor leftovers, and the previous one intact", async () => {
    await write(join(parent, "step-000001"));
    const failing = writeCheckpoint(join(parent, "step-000002"), {}, async ({ modelDir }) => {
      await writeFile(join(modelDir, "model.safetensors"), "half");
      throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
    });
    await expect(failing).rejects.toThrow(/Could not write checkpoint .*step-000002: no space left on device/);
    expect(await readdir(parent)).toEqual(["step-000001"]);
    await readCheckpoint(join(parent, "step-000001"));
  });

  it("a file that was cut is named", async () => {
    const dir = join(parent, "step-000001");
    await write(dir);
    await truncate(join(dir, "model", "model.safetensors"), 3);
    await expect(readCheckpoint(dir)).rejects.toThrow(/model\/model.safetensors has 3 bytes instead of 7/);
  });

  it("a flipped byte is found by its hash", async () => {
    const dir = join(parent, "step-000001");
    await write(dir);
    await writeFile(join(dir, "model", "model.safetensors"), "weighzs");
    await expect(readCheckpoint(dir)).rejects.toThrow(/model.safetensors does not have the content that was written/);
  });

  it("a folder without a manifest is no checkpoint", async () => {
    await expect(readCheckpoint(parent)).rejects.toThrow(/it has no manifest.json/);
  });

  it("leftovers of a killed writer are removed by the next one", async () => {
    await writeFile(join(parent, ".tmp-1-1"), "left over");
    await write(join(parent, "step-000001"));
    expect(await readdir(parent)).toEqual(["step-000001"]);
  });

  it("the newest k and the protected ones stay", async () => {
    const dirs = ["a", "b", "c", "d"].map((name) => join(parent, name));
    for (const dir of dirs) await write(dir);
    expect(await pruneCheckpoints(dirs, 2, [dirs[0]!])).toEqual([dirs[0], dirs[2], dirs[3]]);
    expect((await readdir(parent)).sort()).toEqual(["a", "c", "d"]);
  });
});
