/** What a reader of a result needs to repeat it. */
import { spawnSync } from "node:child_process";
import { packageRoot, packageVersion } from "../paths.ts";

/** Versions, commit, platform and the time; to be kept beside a recipe. */
export function provenance(): Record<string, unknown> {
  const commit = spawnSync("git", ["-C", packageRoot, "rev-parse", "HEAD"], { encoding: "utf8" });
  const changed = spawnSync("git", ["-C", packageRoot, "status", "--porcelain"], { encoding: "utf8" });
  return {
    grouper: packageVersion(),
    commit: commit.status === 0 ? commit.stdout.trim() : null,
    uncommittedChanges: changed.status === 0 ? changed.stdout.trim() !== "" : null,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    startedAt: new Date().toISOString(),
  };
}
