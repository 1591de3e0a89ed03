/**
 * Runs programs that nobody trusts, some at a time, each in a fresh process of a warm interpreter.
 *
 * A failure of the sandbox is an exception and never a verdict. A program cannot bring one about to escape its score: when an interpreter
 * ends under the same program twice, and a harmless program runs, the program is to blame ("broke").
 */
import { RecipeError } from "../errors.ts";
import { Interpreter, InterpreterError } from "./interpreter.ts";
import type { Isolation } from "./launch.ts";
import { type Language, type Limits, MAX_OUTPUT_BYTES, type RunReply, type RunRequest } from "./protocol.ts";

export interface SandboxOptions {
  /** Default bubblewrap; the weaker one must be asked for. */
  readonly isolation?: Isolation;
  /** Programs at a time, 1 or more. Default 1. */
  readonly parallel?: number;
  /** Bounds of a run that gives none of its own. */
  readonly limits?: Partial<Limits>;
}

/** One run of a program; limits that it does not give are the sandbox's. */
export interface Run {
  readonly language: Language;
  readonly source: string;
  /** Absent: the program is run with `input` as its standard input. Else called with the JSON list `input`. */
  readonly function?: string | null;
  readonly input: string;
  readonly limits?: Partial<Limits>;
}

/** How a run ended; broke: it ended its interpreter. */
export type RunResult = Omit<RunReply, "ended"> & {
  readonly ended: "left" | "timeout" | "memory" | "output" | "broke";
};

/** The sandbox, not the program, failed: no verdict can be given. */
export class SandboxError extends Error {
  override readonly name = "SandboxError";
}

export const defaultLimits: Limits = {
  timeoutMs: 10_000,
  memoryBytes: 1024 * 2 ** 20,
  outputBytes: 2 ** 20,
  scratchBytes: 64 * 2 ** 20,
  processes: 64,
};

/** A source or an input beyond this is no program of a model's. */
const MAX_TEXT_BYTES = 32 * 2 ** 20;
const NUM_TRIES = 2;

/** Throws a RecipeError where a limit is out of range; what the machine lacks is said by the first run, or by `check`. */
export function openSandbox(options: SandboxOptions = {}): Sandbox {
  return new Sandbox(options);
}

export class Sandbox implements AsyncDisposable {
  readonly isolation: Isolation;
  private readonly limits: Limits;
  private readonly numLanes: number;
  private readonly idle: Interpreter[] = [];
  private readonly all = new Set<Interpreter>();
  private readonly queue: (() => void)[] = [];
  private numRunning = 0;
  private closed = false;

  constructor({ isolation = "bubblewrap", parallel = 1, limits = {} }: SandboxOptions) {
    this.isolation = isolation;
    this.numLanes = parallel;
    this.limits = checkedLimits({ ...defaultLimits, ...limits });
  }

  /** Starts an interpreter and runs a harmless program. Throws a RecipeError that says why this machine does not let it. */
  async check(): Promise<void> {
    try {
      await this.inLane(() => this.probe());
    } catch (error) {
      if (error instanceof SandboxError) throw new RecipeError(error.message, { cause: error });
      throw error;
    }
  }

  /** Throws a SandboxError, or a RecipeError where the machine lacks what the isolation needs. */
  async run({ language, source, function: name = null, input, limits = {} }: Run): Promise<RunResult> {
    if (source.length > MAX_TEXT_BYTES || input.length > MAX_TEXT_BYTES) {
      throw new SandboxError(`Expected a program and an input of at most ${MAX_TEXT_BYTES} characters each.`);
    }
    const request: RunRequest = {
      language,
      source,
      function: name,
      input,
      limits: checkedLimits({ ...this.limits, ...limits }),
    };
    return await this.inLane(() => this.runBlamed(request));
  }

  /** Ends all interpreters and what runs in them; safe twice. */
  async close(): Promise<void> {
    this.closed = true;
    await Promise.all([...this.all].map((interpreter) => interpreter.close()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async inLane<T>(work: () => Promise<T>): Promise<T> {
    if (this.numRunning >= this.numLanes) await new Promise<void>((resolve) => this.queue.push(resolve));
    else this.numRunning++;
    try {
      return await work();
    } finally {
      // A lane goes from one run to the next without being free in between.
      const next = this.queue.shift();
      if (next === undefined) this.numRunning--;
      else next();
    }
  }

  private async runBlamed(request: RunRequest): Promise<RunResult> {
    let failure = "";
    const start = performance.now();
    for (let tries = 0; tries < NUM_TRIES; tries++) {
      const reply = await this.runOnce(request);
      if (typeof reply !== "string") return reply;
      failure = reply;
    }
    const wallMs = performance.now() - start;
    await this.probe();
    return { ended: "broke", error: failure, wallMs, stdout: "", stderr: "", result: "" };
  }

  /** The text of what went wrong with the sandbox, where something did. */
  private async runOnce(request: RunRequest): Promise<RunResult | string> {
    const interpreter = await this.takeInterpreter();
    try {
      const reply = await interpreter.run(request);
      const { ended } = reply;
      // Before a program's first line nothing is its fault.
      if (ended === "error") throw new SandboxError(`The sandbox could not begin the program: ${reply.error}`);
      if (ended !== "lost") return { ...reply, ended };
      return "The process that watches the program vanished.";
    } catch (error) {
      if (this.closed) throw new SandboxError("The sandbox was closed.");
      if (error instanceof InterpreterError) return error.message;
      throw error;
    } finally {
      this.giveBack(interpreter);
    }
  }

  private async probe(): Promise<void> {
    const limits = { ...defaultLimits, timeoutMs: 10_000 };
    const result = await this.runOnce({
      language: "python",
      source: "print(6 * 7)",
      function: null,
      input: "",
      limits,
    });
    if (typeof result === "string") throw new SandboxError(`The sandbox does not run a harmless program: ${result}`);
    if (result.ended !== "left" || result.stdout !== "42\n") {
      throw new SandboxError(`The sandbox does not run a harmless program: it said ${JSON.stringify(result)}.`);
    }
  }

  private async takeInterpreter(): Promise<Interpreter> {
    if (this.closed) throw new SandboxError("The sandbox was closed.");
    for (let kept = this.idle.pop(); kept !== undefined; kept = this.idle.pop()) {
      if (kept.isUsable) return kept;
      this.all.delete(kept);
    }
    try {
      const started = await Interpreter.start(this.isolation);
      this.all.add(started);
      return started;
    } catch (error) {
      if (error instanceof InterpreterError) throw new SandboxError(error.message, { cause: error });
      throw error;
    }
  }

  private giveBack(interpreter: Interpreter): void {
    if (interpreter.isUsable) this.idle.push(interpreter);
    else this.all.delete(interpreter);
  }
}

function checkedLimits(limits: Limits): Limits {
  const ranges: Readonly<Record<keyof Limits, readonly [number, number]>> = {
    timeoutMs: [1, 3_600_000],
    memoryBytes: [16 * 2 ** 20, 2 ** 40],
    outputBytes: [1, MAX_OUTPUT_BYTES],
    scratchBytes: [4096, 2 ** 40],
    processes: [1, 4096],
  };
  for (const [name, [low, high]] of Object.entries(ranges) as [keyof Limits, readonly [number, number]][]) {
    const value = limits[name];
    if (!(value >= low && value <= high)) {
      throw new RecipeError(`Expected the sandbox's ${name} to be from ${low} to ${high}, got ${value}.`);
    }
  }
  return limits;
}
