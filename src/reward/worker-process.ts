/**
 * The pool's end of one reward worker, a process of its own: no end of it ends this one. V8 aborts a process for a single array or string
 * beyond its heap, and a reward may signal itself, close descriptors or load native code; in a thread each of these took the trainer.
 *
 * The worker leads a process group: signals of the terminal do not reach it, and what a reward started ends with it.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, existsSync, mkdtempSync, openSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex, Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { receiveFrames, sendFrame } from "./frames.ts";
import {
  type LoadRequest,
  TaskRecord,
  type ThreadReply,
  type WorkerReply,
  type WorkerSetup,
  type WorkerTask,
} from "./protocol.ts";

export interface WorkerProcessOptions {
  readonly requests: readonly LoadRequest[];
  /** JavaScript heap of its rewards, in MB. */
  readonly memoryMb: number;
  readonly env: NodeJS.ProcessEnv;
}

const keptStderrCharacters = 8192;
/** Last words may still be in the pipe when the process has ended; a grandchild may hold the pipe open for ever. */
const LAST_WORDS_MS = 200;

export class WorkerProcess {
  readonly record: TaskRecord;
  readonly #recordFd: number;
  readonly #child: ChildProcess;
  readonly #channel: Socket;
  readonly #ended: Promise<void>;
  #stderr = "";
  #hasExited = false;
  #isClosed = false;
  /** Why no reply will come any more. */
  #end: Error | undefined;
  #pending: { resolve: (reply: ThreadReply) => void; reject: (error: Error) => void } | undefined;

  constructor({ requests, memoryMb, env }: WorkerProcessOptions) {
    this.#recordFd = openNamelessFile();
    this.record = new TaskRecord(this.#recordFd);
    this.#child = spawn(process.execPath, [workerFile()], {
      detached: true,
      env,
      // What a reward prints is for people: its stdout is our stderr. On its own stderr come V8's last words.
      stdio: ["ignore", 2, "pipe", "pipe", this.#recordFd],
    });
    this.#ended = this.#watchEnd();
    // Where descriptors have run out, Node makes none of them and says why later.
    const [, , stderr, channel] = this.#child.stdio ?? [];
    if (!(stderr instanceof Readable) || !(channel instanceof Duplex)) {
      closeSync(this.#recordFd);
      throw new Error("the system gave no pipes to a process. Raise the limit of open files with: ulimit -n 4096");
    }
    stderr.setEncoding("utf8").on("data", (text: string) => this.#hear(text));
    // Both pipes are sockets, which their types do not say.
    this.#channel = channel as Socket;
    (stderr as Socket).unref();
    // A worker that is gone is told by its own end.
    this.#channel.on("error", () => undefined);
    receiveFrames(
      this.#channel,
      (reply) => this.#receive(reply as WorkerReply),
      () => this.kill("it wrote to the descriptors of its worker"),
    );
    sendFrame(this.#channel, { requests, memoryMb } satisfies WorkerSetup);
    this.#holdEventLoop(false);
  }

  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  /** One task at a time. Throws when the worker, or the thread in it, ends before it replies. */
  async run(task: WorkerTask, signal: AbortSignal): Promise<ThreadReply> {
    this.record.reset();
    const onAbort = () => this.kill("it was killed");
    signal.addEventListener("abort", onAbort);
    this.#holdEventLoop(true);
    try {
      return await new Promise<ThreadReply>((resolve, reject) => {
        if (this.#end !== undefined) throw this.#end;
        this.#pending = { resolve, reject };
        sendFrame(this.#channel, task);
      });
    } finally {
      this.#pending = undefined;
      signal.removeEventListener("abort", onAbort);
      this.#holdEventLoop(false);
    }
  }

  /** At once. The task that it runs throws `reason`. */
  kill(reason: string): void {
    this.#endWith(reason);
    if (!this.#hasExited) this.#killGroup();
  }

  /** Kills it, waits for its end and gives its record back; safe twice. */
  async close(): Promise<void> {
    this.kill("it was closed");
    this.#holdEventLoop(true);
    await this.#ended;
    this.#channel.destroy();
    if (!this.#isClosed) closeSync(this.#recordFd);
    this.#isClosed = true;
  }

  async #watchEnd(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#child.on("error", (error) => {
        this.#endWith(error.message);
        // Of a process that could not start, nothing else comes.
        if (this.#child.pid === undefined) resolve();
      });
      this.#child.on("exit", (code, signal) => {
        this.#hasExited = true;
        this.#killGroup();
        resolve();
        const closed = new Promise<void>((done) => this.#child.on("close", () => done()));
        void Promise.race([closed, sleep(LAST_WORDS_MS)]).then(() => this.#endWith(this.#obituary(code, signal)));
      });
    });
  }

  #receive(reply: WorkerReply): void {
    if (reply.status === "ended") this.#pending?.reject(new Error(reply.reason));
    else this.#pending?.resolve(reply);
  }

  #endWith(reason: string): void {
    this.#end ??= new Error(reason);
    this.#pending?.reject(this.#end);
  }

  /** With the worker, all that its rewards started. */
  #killGroup(): void {
    if (this.#child.pid === undefined) return;
    try {
      process.kill(-this.#child.pid, "SIGKILL");
    } catch {
      // Nobody is left.
    }
  }

  /** Passes on what comes, but not the pages that V8 prints when it gives up. */
  #hear(text: string): void {
    this.#stderr = (this.#stderr + text).slice(-keptStderrCharacters);
    if (!/<--- Last few GCs|fatal error/i.test(this.#stderr)) process.stderr.write(text);
  }

  #obituary(code: number | null, signal: NodeJS.Signals | null): string {
    const fatal = [...this.#stderr.matchAll(/^(?:# )?(fatal .*)$/gim)].at(-1)?.[1];
    if (fatal !== undefined) return fatal.trim().slice(0, 300);
    if (signal === null) return `its process exited with code ${code}`;
    const hint = signal === "SIGKILL" ? ", which usually means that the machine ran out of memory" : "";
    return `its process was ended by ${signal}${hint}`;
  }

  /** An idle worker must not keep a finished program alive; a task must. */
  #holdEventLoop(hold: boolean): void {
    for (const handle of [this.#child, this.#channel]) hold ? handle.ref() : handle.unref();
  }
}

/** Open for reading and writing; it is gone with the last process that holds it. */
function openNamelessFile(): number {
  const folder = mkdtempSync(join(tmpdir(), "grouper-worker-"));
  try {
    return openSync(join(folder, "record"), "wx+");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The compiled worker, from dist as well as from a test that runs the source: Node 20 cannot run TypeScript. */
function workerFile(): string {
  const compiled = import.meta.url.endsWith(".ts") ? "../../dist/src/reward/worker.js" : "./worker.js";
  const file = fileURLToPath(new URL(compiled, import.meta.url));
  if (!existsSync(file)) throw new Error(`Expected the compiled reward worker at ${file}. Run \`npm run build\`.`);
  return file;
}
