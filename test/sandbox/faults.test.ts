/** Machines that lack something, and processes that are killed: one sentence, and nothing left behind. */
import { type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { packageRoot } from "../../src/paths.ts";
import { openSandbox } from "../../src/sandbox/sandbox.ts";
import { canConfine, processesOf } from "./machine.ts";

const folder = mkdtempSync(join(tmpdir(), "grouper-faults-"));
afterAll(() => rmSync(folder, { recursive: true }));
const grouper = join(packageRoot, "bin", "grouper.js");
const rows = join(folder, "rows.jsonl");
writeFileSync(
  rows,
  `${JSON.stringify({ program: "print(int(input()) + 1)", tests: [{ input: "1", output: "2" }] })}\n`,
);

/** The command as root of a user namespace of its own, in which `first` was done before; null where there can be none. */
function inNamespace(first: string, ...args: readonly string[]): SpawnSyncReturns<string> | null {
  const script = `${first} || exit 99; exec "$0" "$@"`;
  const whole = ["-U", "-r", "-m", "sh", "-c", script, process.execPath, grouper, "sandbox", ...args];
  const result = spawnSync("unshare", whole, { encoding: "utf8" });
  if (result.error === undefined && result.status !== 99 && !/^unshare:/m.test(result.stderr)) return result;
  process.stderr.write(`no user namespace for this test: ${result.error?.message ?? result.stderr}\n`);
  return null;
}

describe.skipIf(!canConfine)("a machine", () => {
  it("that forbids user namespaces is told so in one sentence, and can ask for less", (context) => {
    const forbid = "echo 0 > /proc/sys/user/max_user_namespaces";
    const refused = inNamespace(forbid);
    if (refused === null) return context.skip();
    expect(refused).toMatchObject({ status: 1, stdout: "" });
    expect(refused.stderr).toMatch(/^The sandbox ended: bwrap: .*namespace.* limits-only, which hides no file\.\n$/);
    const output = join(folder, "limited.jsonl");
    const limited = inNamespace(forbid, rows, "--output", output, "--isolation", "limits-only");
    expect(limited).toMatchObject({ status: 0, stdout: expect.stringContaining("1 of 1 tests passed") });
  });

  it("whose root is no other user's, as in containers without root, runs programs all the same", (context) => {
    const result = inNamespace("true", rows, "--output", join(folder, "rootless.jsonl"));
    if (result === null) return context.skip();
    expect(result).toMatchObject({ status: 0, stdout: expect.stringContaining("1 of 1 tests passed") });
  });

  it("with a full /tmp runs programs all the same", (context) => {
    const fill = "mount -t tmpfs -o size=4k,nr_inodes=2 tmpfs /tmp && head -c 4096 /dev/zero > /tmp/x";
    // The project may lie in /tmp, as its copies for tests do.
    if (packageRoot.startsWith("/tmp/") || process.execPath.startsWith("/tmp/")) return context.skip();
    const hold = join(packageRoot, "build", "faults-test.jsonl");
    const inside = `cp ${rows} ${hold} && ${fill}`;
    const result = inNamespace(inside, hold, "--output", `${hold}.out`);
    for (const path of [hold, `${hold}.out`]) rmSync(path, { force: true });
    if (result === null) return context.skip();
    expect(result).toMatchObject({ status: 0, stdout: expect.stringContaining("1 of 1 tests passed") });
  });
});

describe.skipIf(!canConfine)("a command that is killed", () => {
  for (const signal of ["SIGINT", "SIGKILL"] as const) {
    it(`by ${signal} leaves no process, and its results to the next one`, async () => {
      const marker = `9${process.pid}.${signal.length}`;
      const sleeper = {
        program: `import os\nos.execv("/usr/bin/sleep", ["sleep", "${marker}"])`,
        tests: [{ output: "" }],
      };
      const quick = JSON.parse(readFileSync(rows, "utf8")) as unknown;
      const [file, output] = [join(folder, `${signal}.jsonl`), join(folder, `${signal}.out.jsonl`)];
      writeFileSync(file, [quick, quick, quick, sleeper].map((row) => `${JSON.stringify(row)}\n`).join(""));
      const args = [grouper, "sandbox", file, "--output", output, "--parallel", "1", "--timeout-seconds", "3"];
      const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
      let said = "";
      child.stderr.on("data", (text) => {
        said += String(text);
      });
      const ended = new Promise((done) => child.on("close", done));
      await waitFor(() => processesOf(`sleep\0${marker}`).length > 0);
      child.kill(signal);
      expect(await ended).toBe(signal === "SIGINT" ? 130 : null);
      expect(said).toBe(signal === "SIGINT" ? "\nStopped. What was run is kept; the same command goes on.\n" : "");
      await waitFor(() => processesOf(`sleep\0${marker}`).length === 0);
      expect(existsSync(output)).toBe(false);
      const again = spawnSync(process.execPath, args, { encoding: "utf8" });
      expect(again).toMatchObject({ status: 0, stdout: expect.stringContaining("4 rows, 3 of them taken over") });
    });
  }
});

describe.skipIf(!canConfine)("an interpreter that is killed under a program", () => {
  it("is replaced, the program runs again, and the other lane goes on", async () => {
    await using sandbox = openSandbox({ parallel: 2 });
    const seconds = `2.${process.pid}`;
    const asleep = {
      language: "python",
      source: `import os\nos.execv("/usr/bin/sleep", ["sleep", "${seconds}"])`,
    } as const;
    const slow = sandbox.run({ ...asleep, input: "" });
    await waitFor(() => processesOf(`sleep\0${seconds}`).length > 0);
    const neighbour = sandbox.run({ language: "python", source: "import time\ntime.sleep(0.5)\nprint(1)", input: "" });
    // The program's parent watches it; that one's parent is the interpreter.
    const [first] = processesOf(`sleep\0${seconds}`);
    process.kill(Number(parentOf(parentOf(first!))), "SIGKILL");
    await waitFor(() => processesOf(`sleep\0${seconds}`).some((pid) => pid !== first));
    expect(await neighbour).toMatchObject({ ended: "left", exit: 0, stdout: "1\n" });
    expect(await slow).toMatchObject({ ended: "left", exit: 0 });
  });
});

function parentOf(pid: string): string {
  return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)!.split(" ")[1]!;
}

async function waitFor(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1000 && !condition(); tries++) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(condition()).toBe(true);
}
