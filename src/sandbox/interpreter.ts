/**
 * One interpreter process: takes one run at a time, and is ended, with everything in it, the moment its answers cannot be trusted
 * or do not come.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { Writable } from "node:stream";
import { messageOf } from "../errors.ts";
import { howToMend, type Isolation, type Launch, planLaunch } from "./launch.ts";
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

/**
 * The command as the grandchild of this process. Node forgets the children of a worker thread that is terminated, and nobody would ever collect
 * them: as orphans they are the machine's. `:` keeps the inner shell as the command's parent, with which bubblewrap dies.
 */
const ORPHAN = '( "$@" <&3 3<&-; : ) &';

interface Waiting {
  readonly resolve: (reply: Greeting | RunReply) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export class Interpreter {
  private readonly isolation: Isolation;
  private readonly child: ChildProcess;
  private readonly input: Writable;
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
    const launch = planLaunch(isolation);
    this.child = spawnGroup(launch);
    const { stdio, stdout, stderr } = this.child;
    if (!(stdio[3] instanceof Writable)) throw new InterpreterError("The sandbox could not be started.");
    this.input = stdio[3];
    this.input.on("error", () => undefined);
    stdout!.on("data", (chunk: Buffer) => this.receive(chunk));
    stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.stderr = (this.stderr + text).slice(-KEPT_STDERR);
    });
    this.closed = new Promise((resolve) => {
      this.child.on("error", (error) => {
        this.endWith(`The sandbox could not be started: ${error.message}.`);
        resolve();
      });
      this.child.on("close", () => {
        const said = this.stderr.trim().replaceAll(/\s+/g, " ");
        this.endWith(`The sandbox ended${said === "" ? "." : `: ${said}.`}`);
        resolve();
      });
    });
    this.input.write(launch.preamble);
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
      if (message !== undefined) this.input.write(message);
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
    this.input.destroy();
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
    for (const pipe of [this.input, child.stdout, child.stderr] as (Refable | null)[]) {
      if (pipe?.destroyed === false) hold ? pipe.ref?.() : pipe.unref?.();
    }
  }
}

/** A process group of its own, so that all of it can be ended at once. */
function spawnGroup({ command, args, env, uid, gid }: Launch): ChildProcess {
  try {
    return spawn("/bin/sh", ["-c", ORPHAN, "sh", command, ...args], {
      detached: true,
      cwd: "/",
      env,
      // Node closes the standard input of a child that has exited, as the outer shell does at once; not its other pipes.
      stdio: ["ignore", "pipe", "pipe", "pipe"],
      ...(uid === undefined || gid === undefined ? {} : { uid, gid }),
    });
  } catch (error) {
    throw new InterpreterError(`The sandbox could not be started: ${messageOf(error)}.`, { cause: error });
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
