/**
 * The parent's end of the engine process: calls with a deadline, heartbeats, and one clear error for everything that waits when the
 * process ends. A CUDA assert, a failed allocation or the kernel's OOM killer ends that process and never this one.
 */
import { type ChildProcess, fork } from "node:child_process";
import { EngineError } from "./engine.ts";
import { type Argument, type Failure, heartbeatIntervalMs, type Reply, type Result, type Verb } from "./protocol.ts";

export interface NativeProcessOptions {
  /** The compiled native-child.js. */
  readonly script: string;
  /** grouper.node */
  readonly addon: string;
  /** Deadline of one call. */
  readonly callTimeoutMs: number;
  /** A process that has sent nothing for so long hangs and is ended. */
  readonly heartbeatTimeoutMs: number;
  /** Set before libtorch is loaded, which is when libgomp reads it; 0: libtorch's own choice. */
  readonly numThreads: number;
}

interface PendingCall {
  readonly verb: Verb;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly deadline: NodeJS.Timeout;
}

const keptStderrCharacters = 8192;

export class NativeProcess {
  readonly #child: ChildProcess;
  readonly #options: NativeProcessOptions;
  readonly #pending = new Map<number, PendingCall>();
  readonly #watch: NodeJS.Timeout;
  readonly #closed: Promise<void>;
  #nextId = 1;
  #lastHeardMs = Date.now();
  #stderr = "";
  /** Why calls are refused; set once, by whatever ends the process first. */
  #end: EngineError | null = null;

  constructor(options: NativeProcessOptions) {
    this.#options = options;
    const { script, addon, numThreads } = options;
    this.#child = fork(script, [addon], {
      // A group of its own: Ctrl-C in a terminal must not end it before it has learnt to ignore signals.
      detached: true,
      serialization: "advanced",
      execArgv: [],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      env: {
        ...process.env,
        // Threads that wait by spinning take the cores that others need: on a busy machine a step cost up to ten times the CPU time.
        OMP_WAIT_POLICY: process.env["OMP_WAIT_POLICY"] ?? "passive",
        ...(numThreads > 0 ? { OMP_NUM_THREADS: String(numThreads) } : {}),
      },
    });
    this.#child.on("message", (reply: Reply) => this.#receive(reply));
    this.#child.on("error", (error) =>
      this.#endWith(new EngineError("crashed", `The engine process failed: ${error.message}.`)),
    );
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-keptStderrCharacters);
    });
    this.#closed = new Promise((resolve) => {
      this.#child.on("close", (code, signal) => {
        this.#endWith(new EngineError("crashed", this.#obituary(code, signal), this.#stderr));
        clearInterval(this.#watch);
        resolve();
      });
    });
    this.#watch = setInterval(
      watchHeartbeats(this.#isSilent.bind(this), () => this.#killSilent()),
      heartbeatIntervalMs,
    );
    this.#holdEventLoop(false);
  }

  /** The signal that ended the process, once one did. */
  get endedBy(): NodeJS.Signals | null {
    return this.#child.signalCode;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Rejects with EngineError: the engine's own failure, the deadline, or the end of the process. */
  async call<V extends Verb>(
    verb: V,
    argument: Argument<V>,
    timeoutMs = this.#options.callTimeoutMs,
  ): Promise<Result<V>> {
    if (this.#end) throw this.#end;
    const id = this.#nextId++;
    const value = await new Promise<unknown>((resolve, reject) => {
      const deadline = setTimeout(() => {
        this.#kill(
          new EngineError(
            "timeout",
            `The engine's ${verb} did not end within ${timeoutMs / 1000} s, so its process was stopped.`,
            this.#stderr,
          ),
        );
      }, timeoutMs);
      this.#pending.set(id, { verb, resolve, reject, deadline });
      this.#holdEventLoop(true);
      this.#child.send({ id, verb, argument }, (error) => {
        // A channel that closed, or is about to, belongs to a process that ended, whose "close" says why.
        const isGone = !this.#child.connected || (error as NodeJS.ErrnoException | null)?.code === "EPIPE";
        if (error && !isGone) this.#settle(id)?.reject(error);
      });
    });
    // The child answers a verb with that verb's result; both sides are built from protocol.ts.
    return value as Result<V>;
  }

  /** Refuses all further calls with `reason`, ends the process and waits for it. */
  async end(reason: EngineError): Promise<void> {
    this.#kill(reason);
    // Nothing is pending any more, but the caller waits: the process must not run out of things to do before the child is gone.
    this.#holdEventLoop(true);
    await this.#closed;
  }

  #receive(reply: Reply): void {
    this.#lastHeardMs = Date.now();
    switch (reply.kind) {
      case "heartbeat":
        return;
      case "result":
        this.#settle(reply.id)?.resolve(reply.value);
        return;
      case "failure":
        this.#settle(reply.id)?.reject(errorOf(reply.failure));
        return;
      default:
        reply satisfies never;
    }
  }

  #settle(id: number): PendingCall | undefined {
    const call = this.#pending.get(id);
    if (!call) return undefined;
    this.#pending.delete(id);
    clearTimeout(call.deadline);
    if (this.#pending.size === 0) this.#holdEventLoop(false);
    return call;
  }

  #kill(reason: EngineError): void {
    this.#endWith(reason);
    this.#child.kill("SIGKILL");
  }

  #endWith(reason: EngineError): void {
    this.#end ??= reason;
    for (const id of [...this.#pending.keys()]) this.#settle(id)?.reject(this.#end);
  }

  #obituary(code: number | null, signal: NodeJS.Signals | null): string {
    const verbs = [...new Set([...this.#pending.values()].map((call) => call.verb))];
    const during = verbs.length > 0 ? ` during ${verbs.join(" and ")}` : "";
    const how = signal ? `was ended by ${signal}` : `exited with code ${code}`;
    const hint = signal === "SIGKILL" ? " SIGKILL from outside usually means that the machine ran out of memory." : "";
    const lastWords = this.#stderr.trim().split("\n").at(-1)?.slice(0, 300);
    return `The engine process (pid ${this.#child.pid}) ${how}${during}.${hint}${lastWords ? ` Its last words: ${lastWords}` : ""}`;
  }

  #isSilent(nowMs: number): boolean {
    return this.#pending.size > 0 && nowMs - this.#lastHeardMs > this.#options.heartbeatTimeoutMs;
  }

  #killSilent(): void {
    const verbs = [...new Set([...this.#pending.values()].map((call) => call.verb))].join(" and ");
    const seconds = this.#options.heartbeatTimeoutMs / 1000;
    this.#kill(
      new EngineError(
        "timeout",
        `The engine process has been silent for ${seconds} s during ${verbs}, so it was stopped.`,
        this.#stderr,
      ),
    );
  }

  /** An idle engine must not keep a finished program alive; a pending call must. */
  #holdEventLoop(hold: boolean): void {
    const handles = [this.#child, this.#child.channel, this.#watch];
    for (const handle of handles) hold ? handle?.ref() : handle?.unref();
    // Pipes are sockets, which the type of a readable stream does not say.
    const stderr = this.#child.stderr as { ref?(): void; unref?(): void } | null;
    hold ? stderr?.ref?.() : stderr?.unref?.();
  }
}

/**
 * A check for setInterval. When this process itself was held up (a laptop asleep, a debugger), the messages of that time are still
 * unread, so a late check counts as no check.
 */
export function watchHeartbeats(
  isSilent: (nowMs: number) => boolean,
  onSilent: () => void,
  clock: () => number = Date.now,
): () => void {
  let lastCheckMs = clock();
  return () => {
    const nowMs = clock();
    const late = nowMs - lastCheckMs > 3 * heartbeatIntervalMs;
    lastCheckMs = nowMs;
    if (!late && isSilent(nowMs)) onSilent();
  };
}

function errorOf({ name, message, detail }: Failure): EngineError {
  return new EngineError(name === "OutOfMemoryError" ? "outOfMemory" : "failed", message, detail);
}
