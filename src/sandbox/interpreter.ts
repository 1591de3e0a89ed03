/**
 * One interpreter process: takes one run at a time, and is ended, with everything in it, the moment its answers cannot be trusted
 * or do not come.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { messageOf } from "../errors.ts";
import { howToMend, type Isolation, planLaunch } from "./launch.ts";
import { encodeRequest, type Greeting, ReplyReader, type RunReply, type RunRequest } from "./protocol.ts";

/** The interpreter ended, or did not answer. Who is to blame is for the caller to find out. */
export class InterpreterError extends Error {
  override readonly name = "InterpreterError";
}

const START_MS = 30_000;
/** The interpreter keeps a run's own limit; this is for one that no longer can. */
const GRACE_MS = 5_000;
const CLEANUP_MS = 2_000;
const KEPT_STDERR = 2_000;

interface Waiting {
  readonly resolve: (reply: Greeting | RunReply) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export class Interpreter {
  private readonly isolation: Isolation;
  private readonly child: ChildProcess;
  private readonly reader = new ReplyReader();
  private readonly closed: Promise<void>;
  private waiting: Waiting | undefined;
  private stderr = "";
  private end: InterpreterError | undefined;

  /** Throws a RecipeError where the machine lacks what the isolation needs, an InterpreterError where it does not start. */
  static async start(isolation: Isolation): Promise<Interpreter> {
    const interpreter = new Interpreter(isolation);
    try {
      await interpreter.exchange(undefined, START_MS);
      return interpreter;
    } catch (error) {
      await interpreter.close();
      const what = messageOf(error);
      throw new InterpreterError(isolation === "bubblewrap" ? `${what} ${howToMend}` : what, { cause: error });
    }
  }

  private constructor(isolation: Isolation) {
    this.isolation = isolation;
    const { command, args, env, uid, gid, preamble } = planLaunch(isolation);
    this.child = spawn(command, args, {
      // A process group of its own, so that all of it can be ended at once.
      detached: true,
      cwd: "/",
      env,
      stdio: ["pipe", "pipe", "pipe"],
      ...(uid === undefined || gid === undefined ? {} : { uid, gid }),
    });
    const { stdin, stdout, stderr } = this.child;
    stdin!.on("error", () => undefined);
    stdout!.on("data", (chunk: Buffer) => this.receive(chunk));
    stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.stderr = (this.stderr + text).slice(-KEPT_STDERR);
    });
    this.closed = new Promise((resolve) => {
      this.child.on("error", (error) => {
        this.endWith(`The sandbox could not be started: ${error.message}.`);
        resolve();
      });
      this.child.on("close", (code, signal) => {
        const said = this.stderr.trim().replaceAll(/\s+/g, " ");
        this.endWith(`The sandbox ended (${signal ?? `exit code ${code}`})${said === "" ? "." : `: ${said}.`}`);
        resolve();
      });
    });
    stdin!.write(preamble);
    this.holdEventLoop(false);
  }

  get isUsable(): boolean {
    return this.end === undefined;
  }

  /** The process that everything of this interpreter descends from. */
  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Rejects with an InterpreterError, and is not usable afterwards. */
  async run(request: RunRequest): Promise<RunReply> {
    const reply = await this.exchange(encodeRequest(request), request.limits.timeoutMs + GRACE_MS);
    if ("ready" in reply) throw this.endWith("The interpreter answered out of turn.");
    return reply;
  }

  /** Ends the interpreter and all that runs in it; safe twice. */
  async close(): Promise<void> {
    this.endWith("The sandbox was closed.");
    this.holdEventLoop(true);
    await this.closed;
  }

  private exchange(message: Buffer | undefined, timeoutMs: number): Promise<Greeting | RunReply> {
    if (this.end !== undefined) return Promise.reject(this.end);
    if (this.waiting !== undefined) return Promise.reject(new Error("The interpreter runs one program at a time."));
    this.holdEventLoop(true);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.endWith(`The sandbox did not answer within ${timeoutMs} ms.`), timeoutMs);
      this.waiting = { resolve, reject, timer };
      if (message !== undefined) this.child.stdin!.write(message);
    });
  }

  private receive(chunk: Buffer): void {
    if (this.end !== undefined) return;
    try {
      const reply = this.reader.push(chunk);
      if (reply !== null) this.takeWaiting()?.resolve(reply);
    } catch (error) {
      this.endWith(messageOf(error));
    }
  }

  private takeWaiting(): Waiting | undefined {
    const { waiting } = this;
    this.waiting = undefined;
    if (waiting !== undefined) clearTimeout(waiting.timer);
    this.holdEventLoop(false);
    return waiting;
  }

  private endWith(reason: string): InterpreterError {
    if (this.end !== undefined) return this.end;
    this.end = new InterpreterError(reason);
    this.takeWaiting()?.reject(this.end);
    // An interpreter ends when its input does. Outside namespaces it must do so itself, for it alone knows the processes of a program.
    this.child.stdin?.destroy();
    const { pid } = this.child;
    if (pid === undefined) return this.end;
    if (this.isolation === "bubblewrap") killGroup(pid);
    else {
      const timer = setTimeout(() => killGroup(pid), CLEANUP_MS);
      this.child.on("close", () => clearTimeout(timer));
    }
    return this.end;
  }

  /** An idle interpreter does not keep this process alive; it ends with it. */
  private holdEventLoop(hold: boolean): void {
    const { child } = this;
    hold ? child.ref() : child.unref();
    // Pipes are sockets, which the types of streams do not say.
    for (const pipe of [child.stdin, child.stdout, child.stderr] as (Refable | null)[]) {
      if (pipe?.destroyed === false) hold ? pipe.ref?.() : pipe.unref?.();
    }
  }
}

interface Refable {
  readonly destroyed: boolean;
  ref?(): void;
  unref?(): void;
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It is gone already.
  }
}
