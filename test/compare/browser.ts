/**
 * A real browser over the Chrome DevTools Protocol on a pipe, without a dependency: enough to open a page at a size and a colour scheme,
 * ask it questions, and see what it tried to load.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

/** The command of a Chromium on this machine; null where there is none. */
export const chromium: string | null =
  [process.env["CHROMIUM"], "chromium", "chromium-browser", "google-chrome"].find(
    (command) => command !== undefined && spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0,
  ) ?? null;
if (chromium === null) console.warn("Skipped: pages in a real browser, because chromium is not installed.");

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--remote-debugging-pipe",
];

export interface PageOptions {
  readonly width: number;
  readonly dark?: boolean;
}

export interface OpenPage {
  /** The value of a JavaScript expression in the page. */
  evaluate(expression: string): Promise<unknown>;
  /** Addresses that the page asked for, itself apart. */
  readonly requests: readonly string[];
  /** Errors and warnings of its console. */
  readonly complaints: readonly string[];
}

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Readonly<Record<string, never>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

export class Browser implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #profile = mkdtempSync(join(tmpdir(), "grouper-browser-"));
  readonly #waiting = new Map<number, (message: Message) => void>();
  readonly #listeners = new Set<(message: Message) => void>();
  readonly #input: Writable;
  #nextId = 1;

  constructor(command: string) {
    this.#child = spawn(command, [...FLAGS, `--user-data-dir=${this.#profile}`], {
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
    });
    this.#input = this.#child.stdio[3] as Writable;
    this.#input.on("error", () => undefined);
    let rest = "";
    (this.#child.stdio[4] as Readable).setEncoding("utf8").on("data", (text: string) => {
      const messages = (rest + text).split("\0");
      rest = messages.pop() ?? "";
      for (const message of messages) this.#receive(JSON.parse(message) as Message);
    });
  }

  async open(url: string, { width, dark = false }: PageOptions): Promise<OpenPage> {
    const { targetId } = await this.#call("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.#call("Target.attachToTarget", { targetId, flatten: true });
    const call = (method: string, params: object = {}) => this.#call(method, params, String(sessionId));
    const requests: string[] = [];
    const complaints: string[] = [];
    const loaded = new Promise<void>((done) => {
      this.#listeners.add(({ method, params }) => {
        const fields = params as
          | Readonly<Record<string, { readonly url?: string; readonly text?: string }>>
          | undefined;
        if (method === "Network.requestWillBeSent") requests.push(fields?.["request"]?.url ?? "");
        if (method === "Log.entryAdded") complaints.push(fields?.["entry"]?.text ?? "");
        if (method === "Page.loadEventFired") done();
      });
    });
    for (const domain of ["Page", "Network", "Log", "Runtime"]) await call(`${domain}.enable`);
    await call("Emulation.setDeviceMetricsOverride", { width, height: 900, deviceScaleFactor: 1, mobile: false });
    const scheme = { name: "prefers-color-scheme", value: dark ? "dark" : "light" };
    await call("Emulation.setEmulatedMedia", { features: [scheme] });
    await call("Page.navigate", { url });
    await loaded;
    return {
      requests: requests.filter((address) => address !== url),
      complaints,
      evaluate: async (expression) => {
        const { result, exceptionDetails } = await call("Runtime.evaluate", { expression, returnByValue: true });
        if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
        return (result as { value?: unknown }).value;
      },
    };
  }

  #call(method: string, params: object, sessionId?: string): Promise<Readonly<Record<string, unknown>>> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result = {}, error }) =>
        error === undefined ? resolve(result) : reject(new Error(`${method}: ${error.message}`)),
      );
      this.#input.write(
        `${JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) })}\0`,
      );
    });
  }

  #receive(message: Message): void {
    if (message.id === undefined) for (const listen of this.#listeners) listen(message);
    else this.#waiting.get(message.id)?.(message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((done) => this.#child.on("close", done));
    this.#child.kill("SIGKILL");
    await closed;
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
