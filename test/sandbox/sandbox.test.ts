/** Runs as a user of the sandbox sees them: what comes back, what is refused, and whose fault an end is. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openRewardPool } from "../../src/reward/pool.ts";
import { type BatchLine, runBatch } from "../../src/sandbox/batch.ts";
import { planLaunch } from "../../src/sandbox/launch.ts";
import { openSandbox, type Run, SandboxError } from "../../src/sandbox/sandbox.ts";
import { judgeProgram } from "../../src/sandbox/verdict.ts";
import { canConfine, childrenOf, processesOf } from "./machine.ts";

const folder = mkdtempSync(join(tmpdir(), "grouper-sandbox-"));
afterAll(() => rmSync(folder, { recursive: true }));

const python = (source: string, input = ""): Run => ({ language: "python", source, input });
const limits = { timeoutMs: 5000 };

describe.skipIf(!canConfine)("a run", () => {
  it("says how the program ended and what it said", async () => {
    await using sandbox = openSandbox({ limits });
    const run = await sandbox.run(
      python("import sys\nprint(input())\nprint('no', file=sys.stderr)\nsys.exit(3)", "hé\n"),
    );
    expect(run).toMatchObject({ ended: "left", exit: 3, stdout: "hé\n", stderr: "no\n" });
    expect(run.wallMs).toBeGreaterThan(0);
    const crash = await sandbox.run(python("def f():\n  raise KeyError('k')\nf()"));
    expect(crash.stderr).toMatch(/File "program.py", line 3, in <module>\n {4}f\(\)\n[\s\S]*KeyError: 'k'\n$/);
    expect(await sandbox.run(python("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)"))).toMatchObject({
      signal: 11,
    });
  });

  it("waits for the threads of a program, and for what atexit holds", async () => {
    await using sandbox = openSandbox({ limits });
    const source = `
import atexit, threading, time
atexit.register(print, "exit")
threading.Thread(target=lambda: (time.sleep(0.1), print("thread"))).start()
print("main")`;
    expect((await sandbox.run(python(source))).stdout).toBe("main\nthread\nexit\n");
  });

  it("may end in every way that Python knows, and loses no output", async () => {
    await using sandbox = openSandbox({ limits });
    const ways: readonly [source: string, stdout: string, exit: number][] = [
      ["print(1)\nexit()", "1\n", 0],
      ["print(1)\nquit(3)", "1\n", 3],
      ["import os\nout = os.fdopen(1, 'w')\nout.write('kept')", "kept", 0],
      ["class Out: file = open(1, 'w')\nOut.file.write('kept')", "kept", 0],
      ["import sys\nprint(1)\nsys.stdout.close()", "1\n", 0],
      ["import io, sys\nold, sys.stdout = sys.stdout, io.StringIO()\nprint('no')\nold.write('yes')", "yes", 0],
      ["class A:\n  def __del__(self): print('end')\na = A()\nprint('go')", "go\nend\n", 0],
      ["import atexit\natexit.register(lambda: 1 / 0)\nprint(1)", "1\n", 0],
      ["import sys\nprint(1)\nsys.exit('why')", "1\n", 1],
      ["import os\nprint(1)\nos.close(1)", "", 120],
      ["\ufeffprint(__name__, __file__)", "__main__ program.py\n", 0],
    ];
    for (const [source, stdout, exit] of ways) {
      expect(await sandbox.run(python(source)), source).toMatchObject({ ended: "left", stdout, exit });
    }
  });

  it("finds its standard streams under their names, in both languages", async () => {
    await using sandbox = openSandbox({ limits });
    const copy = "open('/dev/stdout', 'w').write(open('/dev/stdin').read() + open('/dev/stdin').read())";
    expect((await sandbox.run(python(copy, "a\n"))).stdout).toBe("a\na\n");
    const source = "const fs = require('fs'); fs.writeFileSync('/dev/stdout', fs.readFileSync('/dev/stdin', 'utf8'))";
    expect((await sandbox.run({ language: "javascript", source, input: "a\n" })).stdout).toBe("a\n");
  });

  it("has a deep stack, many threads, children and a pool", async () => {
    await using sandbox = openSandbox({ limits: { timeoutMs: 10_000 } });
    const deep =
      "import functools, sys\nsys.setrecursionlimit(10 ** 6)\n@functools.lru_cache(None)\ndef f(n): return n and 1 + f(n - 1)\nprint(f(100000))";
    expect((await sandbox.run(python(deep))).stdout).toBe("100000\n");
    const threads =
      "import threading, time\nall = [threading.Thread(target=lambda: (list(range(10000)), time.sleep(0.2))) for _ in range(50)]\nfor t in all: t.start()\nprint(len(all))";
    expect((await sandbox.run(python(threads))).stdout).toBe("50\n");
    const pool =
      "import multiprocessing, subprocess\nwith multiprocessing.Pool(2) as pool: print(pool.map(abs, [-1, 2]))\nprint(subprocess.check_output(['echo', 'x'], text=True))";
    expect((await sandbox.run(python(pool))).stdout).toBe("[1, 2]\nx\n\n");
    const loop = "import asyncio\nasync def f(): return 7\nprint(asyncio.run(f()))";
    expect((await sandbox.run(python(loop))).stdout).toBe("7\n");
  });

  it("gets an input of megabytes whole, and gives an output up to its limit", async () => {
    await using sandbox = openSandbox({ limits });
    const input = `${"0123456789".repeat(100)}\n`.repeat(3000);
    const run = await sandbox.run(python("import sys\ntext = sys.stdin.read()\nprint(len(text), text[-6:-1])", input));
    expect(run.stdout).toBe("3003000 56789\n");
    const most = await sandbox.run(python("print('x' * (2 ** 20 - 1))"));
    expect(most).toMatchObject({ ended: "left", stdout: `${"x".repeat(2 ** 20 - 1)}\n` });
    // One byte too many, and nobody reads on.
    expect(await sandbox.run(python("print('x' * 2 ** 20)"))).toMatchObject({
      ended: "output",
      stdout: "x".repeat(2 ** 14),
    });
    expect((await sandbox.run({ ...python("print('x' * 100)"), limits: { outputBytes: 100 } })).ended).toBe("output");
  });

  it("has the same hash seed every time, and another random one", async () => {
    await using sandbox = openSandbox({ limits });
    const run = () => sandbox.run(python("import random\nprint(hash('a'), random.random())"));
    const [a, b] = [(await run()).stdout.split(" "), (await run()).stdout.split(" ")];
    expect(a[0]).toBe(b[0]);
    expect(a[1]).not.toBe(b[1]);
  });

  it("shares one core with all its processes and threads when they are a crowd, and yields to others", async () => {
    await using sandbox = openSandbox({ limits: { timeoutMs: 10_000 } });
    const crowd = (start: string) => `
import os, threading, time
for _ in range(30): ${start}
end = time.monotonic() + 5
while os.getpriority(os.PRIO_PROCESS, 0) < 19 and time.monotonic() < end: time.sleep(0.02)
for action in (lambda: os.sched_setaffinity(0, {0}), lambda: os.nice(-19)):
    try: print(action())
    except PermissionError: print("refused")
print(os.getpriority(os.PRIO_PROCESS, 0), len(os.sched_getaffinity(0)))`;
    const starts = [
      "os.fork() or time.sleep(20)",
      "threading.Thread(target=time.sleep, args=(20,), daemon=True).start()",
    ];
    for (const start of starts) {
      expect((await sandbox.run(python(crowd(start)))).stdout, start).toBe("refused\nrefused\n19 1\n");
    }
    const few =
      "import os, time\nfor _ in range(8): os.fork() or (time.sleep(9), os._exit(0))\ntime.sleep(0.3)\nprint(os.getpriority(0, 0) < 19)";
    expect((await sandbox.run(python(few))).stdout).toBe("True\n");
  });

  it("keeps to the number of programs at a time", async () => {
    await using sandbox = openSandbox({ parallel: 2, limits });
    // Both interpreters are there before the clock matters.
    await Promise.all([1, 2].map(() => sandbox.run(python("import time\ntime.sleep(0.5)"))));
    const spans = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const { stdout } = await sandbox.run(
          python("import time\na = time.monotonic()\ntime.sleep(0.4)\nprint(a, time.monotonic())"),
        );
        return stdout.split(" ").map(Number) as [number, number];
      }),
    );
    const most = Math.max(...spans.map(([at]) => spans.filter(([from, to]) => from <= at && at < to).length));
    expect(most).toBe(2);
  });

  it("that could not begin is the sandbox's failure and no verdict", async () => {
    await using sandbox = openSandbox({ limits });
    // A file system of a page cannot hold the program.
    const run = {
      language: "javascript",
      source: "1;".repeat(10_000),
      input: "",
      limits: { scratchBytes: 4096 },
    } as const;
    await expect(sandbox.run(run)).rejects.toThrow(/could not begin the program.*(space|large)/);
    await expect(sandbox.run(run)).rejects.toThrow(SandboxError);
  });

  it("is refused with limits out of range, and after the sandbox was closed", async () => {
    const sandbox = openSandbox({ limits });
    await expect(sandbox.run({ ...python(""), limits: { timeoutMs: 0 } })).rejects.toThrow(/timeoutMs to be from 1/);
    expect(() => openSandbox({ limits: { processes: 0 } })).toThrow(/processes to be from 1/);
    await sandbox.close();
    await sandbox.close();
    await expect(sandbox.run(python("print(1)"))).rejects.toThrow(SandboxError);
  });
});

describe("the weaker isolation", () => {
  it("is only had by name, and keeps limits but hides no file", async () => {
    await using sandbox = openSandbox({ isolation: "limits-only", limits: { timeoutMs: 3000 } });
    expect((await sandbox.run(python("print(int(input()) * 2)", "21"))).stdout).toBe("42\n");
    expect((await sandbox.run(python("print(open('/etc/passwd').read(5))"))).stdout).toBe("root:\n");
    expect((await sandbox.run({ ...python("while True: pass"), limits: { timeoutMs: 300 } })).ended).toBe("timeout");
    const network = await sandbox.run(python("import socket\nsocket.socket()"));
    expect(network.stderr).toMatch(/PermissionError/);
    expect(openSandbox().isolation).toBe("bubblewrap");
  });

  it("asks no package.json of the machine what kind of module a program is", async () => {
    await using sandbox = openSandbox({ isolation: "limits-only", limits: { timeoutMs: 10_000 } });
    const print = `console.log(fs.readFileSync("package.json", "utf8"), fs.readFileSync(0, "utf8"))`;
    for (const source of [`const fs = require("fs"); ${print}`, `import fs from "fs"; ${print}`]) {
      const run = await sandbox.run({ language: "javascript", source, input: "7" });
      expect(run.stdout, run.stderr).toBe("{} 7\n");
    }
  });

  it("ends what a program leaves behind, and a program whose sandbox is closed", async () => {
    const sandbox = openSandbox({ isolation: "limits-only", limits: { timeoutMs: 30_000 } });
    const marker = "93333.25";
    const daemon = `
import os
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: os.execv("/usr/bin/sleep", ["sleep", "${marker}"])
    os._exit(0)
`;
    expect((await sandbox.run(python(daemon))).ended).toBe("left");
    expect(processesOf(marker)).toEqual([]);
    const running = sandbox.run(python(`${daemon}\nimport time\ntime.sleep(60)`));
    const refused = expect(running).rejects.toThrow(/closed/);
    while (processesOf(marker).length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    await sandbox.close();
    await refused;
    expect(processesOf(marker)).toEqual([]);
  });

  it("runs a program again whose interpreter ended once: that may be the machine's fault", async () => {
    await using sandbox = openSandbox({ isolation: "limits-only", limits: { timeoutMs: 3000 } });
    const place = `/tmp/grouper-once-${process.pid}`;
    const once = `
import os, signal, time
if not os.path.exists("${place}"):
    open("${place}", "w").close()
    interpreter = open("/proc/%d/stat" % os.getppid()).read().rpartition(")")[2].split()[1]
    os.kill(int(interpreter), signal.SIGKILL)
    time.sleep(5)
os.remove("${place}")
print(1)`;
    expect(await sandbox.run(python(once))).toMatchObject({ ended: "left", stdout: "1\n" });
  });

  it("does not let a program end all processes of its user at once", async () => {
    await using sandbox = openSandbox({ isolation: "limits-only", limits: { timeoutMs: 3000 } });
    // 0 asks whether it would be allowed, and ends nothing.
    expect((await sandbox.run(python("import os\nos.kill(-1, 0)"))).stderr).toMatch(/PermissionError/);
    expect((await sandbox.run(python("import os\nos.kill(os.getpid(), 9)"))).signal).toBe(9);
  });

  it("blames the program that ends its interpreter, and goes on", async () => {
    await using sandbox = openSandbox({ isolation: "limits-only", limits: { timeoutMs: 3000 } });
    const killer = python("import os, signal, time\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(1)");
    const broke = await sandbox.run(killer);
    expect(broke.ended).toBe("broke");
    // Its time counts, so that many such tests do not last for ever.
    expect(broke.wallMs).toBeGreaterThan(1);
    const test = { kind: "stdin", input: "", outputs: ["1"] } as const;
    const { tests } = await judgeProgram(sandbox, killer, [test]);
    expect(tests[0]!.verdict).toBe("crash");
    expect((await sandbox.run(python("print(1)"))).stdout).toBe("1\n");
  });
});

describe.skipIf(!canConfine)("rewards of code in the reward pool", () => {
  const fields = {
    tests: [
      { input: "2", output: "4" },
      { input: "3", output: "6" },
    ],
  };
  const completion = (program: string) => ({
    text: `\`\`\`python\n${program}\n\`\`\``,
    numTokens: 1,
    finishReason: "stop" as const,
  });
  const group = { prompt: "", prefill: "", answer: null, fields, maxTokens: 1 };

  it("score in every thread, and a failure of the sandbox or of the row is no score", async () => {
    await using pool = await openRewardPool({ rewards: [{ name: "code", weight: 1 }], threads: 2 });
    const programs = ["print(2 * int(input()))", "print(4)", "print(", "import os\nos._exit(0)"];
    const completions = [...programs, ...programs].map(completion);
    const broken = { ...group, fields: { tests: "{" }, completions: [completion("print(1)")] };
    const [scored, failed] = await pool.score([{ ...group, completions }, broken]);
    const scores = scored!.map(({ outcomes }) => outcomes["code"]);
    expect(scores).toEqual([1, 0.5, 0, 0, 1, 0.5, 0, 0].map((score) => ({ status: "scored", score })));
    expect(failed![0]!.outcomes["code"]).toMatchObject({
      status: "failed",
      error: expect.stringMatching(/tests in column/),
    });
  });

  it("leave nothing behind when their thread is killed in the middle: no program, no interpreter, no zombie", async () => {
    const before = childrenOf(process.pid);
    const markers = { bubblewrap: "95555.125", "limits-only": "95555.25" };
    for (const [isolation, marker] of Object.entries(markers)) {
      const sleeper = completion(`import os\nos.execv("/usr/bin/sleep", ["sleep", "${marker}"])`);
      const rewards = [{ name: "code", weight: 1, params: { isolation, timeoutSeconds: 60, totalSeconds: 60 } }];
      const pool = await openRewardPool({ rewards, threads: 1, deadlineMs: 3000 });
      const scoring = pool.score([{ ...group, completions: [sleeper] }]);
      while (processesOf(marker).length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
      const [scored] = await scoring;
      expect(scored![0]!.outcomes["code"]).toMatchObject({ status: "failed", error: expect.stringMatching(/killed/) });
      await pool.close();
      for (let tries = 0; tries < 500 && processesOf(marker).length > 0; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      expect(processesOf(marker)).toEqual([]);
      expect(childrenOf(process.pid)).toEqual(before);
    }
  });
});

describe("a machine without what the sandbox needs", () => {
  it("is told what is missing, how to get it, and what the weaker way is", () => {
    const missing = { python: ["/nowhere/python3"], bubblewrap: ["/nowhere/bwrap"], node: [] };
    expect(() => planLaunch("bubblewrap", missing)).toThrow(/needs the system's Python.*apt-get install python3/);
    const python = { ...missing, python: [process.execPath] };
    expect(() => planLaunch("bubblewrap", python)).toThrow(
      /no \/usr\/bin\/bwrap.*apt-get install bubblewrap.*limits-only/,
    );
    expect(planLaunch("limits-only", python).command).toBe(process.execPath);
  });

  it("shows no project that lies in /usr, and all that Python and node need", () => {
    const machine = { python: ["/usr/bin/env"], bubblewrap: ["/usr/bin/env"], node: ["/usr/bin/env"] };
    const { args } = planLaunch("bubblewrap", machine, [
      "/usr/share",
      "/usr/bin",
      "/usr/lib",
      "/usr/local",
      "/usr",
      "/usr/nowhere",
      "/tmp",
    ]);
    const hidden = args.filter((_, index) => args[index - 1] === "--tmpfs");
    expect(hidden.filter((path) => !path.endsWith("/src"))).toEqual(["/usr/share"]);
  });

  it("learns it when the pool opens, not when a completion is scored", async () => {
    const file = join(folder, "needs.mjs");
    writeFileSync(
      file,
      `export default { description: "", prepare() { throw new Error("no disk"); }, score: () => 1 };`,
    );
    const opening = openRewardPool({ rewards: [{ file, weight: 1 }], threads: 1 });
    await expect(opening).rejects.toThrow(/Reward "needs" cannot work on this machine: no disk/);
  });

  it("lets a user's own reward run programs", async () => {
    const file = join(folder, "short.ts");
    const source = `
import { defineReward, z } from "grouper/reward";
import { codeParams, passedShare, runCode } from "grouper/sandbox";
export default defineReward({
  description: "Shorter programs that pass are better.",
  params: z.strictObject(codeParams.shape),
  async score(input, params) {
    const result = await runCode(input, params);
    return result.status === "run" && passedShare(result) === 1 ? 1 / input.completion.length : 0;
  },
});`;
    writeFileSync(file, source);
    const params = { isolation: "limits-only" };
    await using pool = await openRewardPool({ rewards: [{ file, weight: 1, params }], threads: 1 });
    const text = "```python\nprint(4)\n```";
    const completions = [{ text, numTokens: 1, finishReason: "stop" as const }];
    const tests = [{ input: "", output: "4" }];
    const rest = { prompt: "", prefill: "", answer: null, maxTokens: 1 };
    const [scored] = await pool.score([{ ...rest, fields: { tests }, completions }]);
    expect(scored![0]!.outcomes["short"]).toEqual({ status: "scored", score: 1 / text.length });
  });
});

describe.skipIf(!canConfine)("a batch", () => {
  const rows = Array.from({ length: 12 }, (_, n) => ({
    program: n % 3 === 0 ? "print('no')" : "print(int(input()) + 1)",
    tests: [{ input: `${n}`, output: `${n + 1}` }],
  }));
  const linesOf = (path: string) =>
    readFileSync(path, "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as BatchLine);
  const verdictsOf = (path: string) =>
    linesOf(path).map((line) => ({
      ...line,
      tests: line.status === "tested" && line.tests.map(({ verdict }) => verdict),
    }));

  it("ends with the same results after a crash, and runs only what was missing", async () => {
    const [whole, cut] = [join(folder, "whole.jsonl"), join(folder, "cut.jsonl")];
    const first = await runBatch(rows, { output: whole, parallel: 2, limits });
    expect(first).toMatchObject({ numRows: 12, numKept: 0, numTests: 12, numPassed: 8 });
    // What a crash leaves: some lines in another order, and a torn one.
    const lines = readFileSync(whole, "utf8").trimEnd().split("\n");
    writeFileSync(`${cut}.partial`, `${[lines[7], lines[2], lines[5]].join("\n")}\n${lines[9]!.slice(0, 40)}`);
    const second = await runBatch(rows, { output: cut, parallel: 2, limits });
    expect(second).toEqual({ ...first, numKept: 3 });
    expect(verdictsOf(cut)).toEqual(verdictsOf(whole));
    expect(() => readFileSync(`${cut}.partial`)).toThrow(/ENOENT/);
    expect(linesOf(cut).map(({ row }) => row)).toEqual(rows.map((_, row) => row));
    // Lines taken over are those of the first call, times and all.
    expect(linesOf(cut)[7]).toEqual(linesOf(whole)[7]);
  });

  it("leaves a file alone that is not its own, also one of half a line", async () => {
    for (const text of ["my notes", '{"mine": 1}\n', '{"row"']) {
      const output = join(folder, "notes.jsonl");
      writeFileSync(output, text);
      const running = runBatch(rows.slice(0, 1), { output, limits });
      if (text === '{"row"') {
        // What a crash leaves of a line of ours.
        await expect(running).resolves.toMatchObject({ numRows: 1 });
        continue;
      }
      await expect(running).rejects.toThrow(/Expected results of this command at .*notes\.jsonl:1, got another text/);
      expect(readFileSync(output, "utf8")).toBe(text);
    }
  });

  it("refuses an output that cannot be written, in a sentence", async () => {
    for (const output of [folder, join(folder, "absent", "out.jsonl")]) {
      await expect(runBatch(rows.slice(0, 1), { output, limits })).rejects.toMatchObject({
        name: "RecipeError",
        message: expect.stringMatching(/Name another output\.$/),
      });
    }
  });

  it("runs a changed row again, and says what is no program", async () => {
    const output = join(folder, "changed.jsonl");
    await runBatch(rows.slice(0, 3), { output, limits });
    const changed = [
      rows[0]!,
      { ...rows[1]!, program: "print(" },
      { tests: [] },
      { program: "print(input())", input: "7" },
    ];
    const summary = await runBatch(changed, { output, limits });
    expect(summary.numKept).toBe(1);
    const [, syntax, none, plain] = linesOf(output);
    expect(syntax).toMatchObject({ status: "tested", compiles: false, passed: 0 });
    expect(none).toMatchObject({ status: "unusable" });
    expect(plain).toMatchObject({ status: "run", ended: "left", exit: 0, stdout: "7\n" });
    await expect(runBatch(changed, { output: join(folder, "other.jsonl"), limits })).resolves.toMatchObject({
      numKept: 0,
    });
    writeFileSync(join(folder, "foreign.jsonl"), "{}\n");
    await expect(runBatch(changed, { output: join(folder, "foreign.jsonl"), limits })).rejects.toThrow(
      /foreign.jsonl:1/,
    );
  });
});
