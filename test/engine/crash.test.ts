import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { EngineError } from "../../src/engine/engine.ts";
import { watchHeartbeats } from "../../src/engine/native-process.ts";
import { packageRoot } from "../../src/paths.ts";
import { hasNativeEngine, openTiny, requestOf, sequenceOf, tinyInit } from "./fixtures.ts";

/** Long enough to be caught in the middle. */
const manySequences = Array.from({ length: 3000 }, (_, i) => sequenceOf(120, i));

async function errorOf(call: Promise<unknown>): Promise<EngineError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof EngineError) return error;
  throw new Error(`Expected an EngineError, got ${error}.`);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function waitForEnd(pid: number): Promise<void> {
  for (let i = 0; i < 100 && isAlive(pid); i++) await sleep(50);
}

describe.skipIf(!hasNativeEngine)(
  hasNativeEngine ? "engine process" : "engine process (grouper setup has not been run)",
  () => {
    it.each(["SIGSEGV", "SIGKILL"] as const)(
      "turns %s into one error for everything that waits, and the parent lives",
      async (signal) => {
        await using engine = await openTiny();
        const forward = errorOf(engine.forward(manySequences));
        const sample = errorOf(engine.sample([requestOf({}, { maxTokens: 100 })]));
        await sleep(50);
        process.kill(engine.pid!, signal);
        const [first, second] = await Promise.all([forward, sample]);
        expect(first.fault).toBe("crashed");
        expect(first.message).toContain(`The engine process (pid ${engine.pid}) was ended by ${signal} during`);
        expect(first.message).toContain("forward");
        expect(second).toBe(first);
        expect(await errorOf(engine.weightsHash())).toBe(first);
        await using another = await openTiny();
        expect(await another.forward([sequenceOf(5, 1)])).toHaveLength(1);
      },
    );

    it("ends a call at its deadline, names it, and ends the process", async () => {
      await using engine = await openTiny({ callTimeoutMs: 8000 });
      process.kill(engine.pid!, "SIGSTOP");
      const error = await errorOf(engine.weightsHash());
      expect(error.fault).toBe("timeout");
      expect(error.message).toContain("weightsHash did not end within 8 s");
      await waitForEnd(engine.pid!);
      expect(isAlive(engine.pid!)).toBe(false);
    });

    it("ends a process whose heartbeat stops, long before the deadline", async () => {
      await using engine = await openTiny({ heartbeatTimeoutMs: 6000 });
      process.kill(engine.pid!, "SIGSTOP");
      const error = await errorOf(engine.forward([sequenceOf(5, 1)]));
      expect(error.fault).toBe("timeout");
      expect(error.message).toContain("silent for 6 s during forward");
    });

    it("ignores the signals of a terminal: the parent decides", async () => {
      await using engine = await openTiny();
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.kill(engine.pid!, signal);
      await sleep(100);
      expect(await engine.forward([sequenceOf(5, 1)])).toHaveLength(1);
    });

    it("ends when its parent is killed, even in the middle of a call", async () => {
      const script = `
      import { openNativeEngine } from ${JSON.stringify(join(packageRoot, "dist/src/engine/native.js"))};
      const engine = await openNativeEngine({ init: ${JSON.stringify(tinyInit)}, device: "cpu" });
      const tokenIds = new Int32Array(120), lossMask = new Uint8Array(120).fill(1, 1);
      const sequence = { tokenIds, lossMask, samplingLogprobs: new Float32Array(120) };
      engine.forward(new Array(30000).fill(sequence));
      console.log(engine.pid);
    `;
      const parent = spawn(process.execPath, ["--input-type=module", "-e", script], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const [line] = await once(parent.stdout.setEncoding("utf8"), "data");
      const pid = Number(line);
      expect(isAlive(pid)).toBe(true);
      parent.kill("SIGKILL");
      await waitForEnd(pid);
      expect(isAlive(pid)).toBe(false);
    });

    it("lets a program that forgot to dispose of it end", async () => {
      const script = `
      import { openNativeEngine } from ${JSON.stringify(join(packageRoot, "dist/src/engine/native.js"))};
      const engine = await openNativeEngine({ init: ${JSON.stringify(tinyInit)}, device: "cpu" });
      await engine.weightsHash();
      console.log(engine.pid);
    `;
      const parent = spawn(process.execPath, ["--input-type=module", "-e", script], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const exit = once(parent, "exit");
      const [line] = await once(parent.stdout.setEncoding("utf8"), "data");
      expect((await exit)[0]).toBe(0);
      await waitForEnd(Number(line));
      expect(isAlive(Number(line))).toBe(false);
    });
  },
);

describe("watchHeartbeats", () => {
  it("does not hold a pause of its own process against the child", async () => {
    let silent = 0;
    let nowMs = 0;
    const onSilent = () => {
      silent += 1;
    };
    const check = watchHeartbeats(
      () => true,
      onSilent,
      () => nowMs,
    );
    nowMs += 1000;
    check();
    expect(silent).toBe(1);
    nowMs += 60_000;
    check();
    expect(silent).toBe(1);
    nowMs += 1000;
    check();
    expect(silent).toBe(2);
  });
});
