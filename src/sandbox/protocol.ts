/** What the host and an interpreter say to each other: a JSON header with the lengths of what follows it as bytes. */

export const LANGUAGES = ["python", "javascript"] as const;
export type Language = (typeof LANGUAGES)[number];

/** Bounds of one run. Past any of them the program and all its processes are ended. */
export interface Limits {
  /** Wall time. */
  readonly timeoutMs: number;
  /** Address space of a Python process, and resident memory of all the program's processes together. */
  readonly memoryBytes: number;
  /** Of standard output, of standard error and of a returned value, each; at most 16 MiB. Past it no more than the first 16 KiB are told. */
  readonly outputBytes: number;
  /** Of /tmp and of /dev/shm, each, and of any file. */
  readonly scratchBytes: number;
  /** Processes and threads at a time. More than 24 share one core. */
  readonly processes: number;
}

/** One run of one program on one input. */
export interface RunRequest {
  readonly language: Language;
  readonly source: string;
  /** null: the program is run, and `input` is its standard input. Else `f` or `Class.method`, and `input` is a JSON list of arguments. */
  readonly function: string | null;
  readonly input: string;
  readonly limits: Limits;
}

/** How a run ended, as seen from outside the program. */
export interface RunReply {
  /**
   * left: by itself, with an exit code or a signal; timeout, memory, output: ended by us at that limit;
   * error: the sandbox could not be set up; lost: the process that watches the program vanished.
   */
  readonly ended: "left" | "timeout" | "memory" | "output" | "error" | "lost";
  readonly exit?: number;
  readonly signal?: number;
  /** It does not compile. */
  readonly syntax?: boolean;
  readonly error?: string;
  readonly wallMs: number;
  readonly cpuMs?: number;
  /** Largest resident set of a single process. */
  readonly residentBytes?: number;
  readonly stdout: string;
  /** The first 16 KiB. */
  readonly stderr: string;
  /** The spelled value of a function call; empty where it did not get that far. */
  readonly result: string;
}

/** What an interpreter says first. */
export interface Greeting {
  readonly ready: true;
  readonly python: string;
}

export function encodeRequest({ source, input, ...rest }: RunRequest): Buffer {
  const bodies = [Buffer.from(source), Buffer.from(input)] as const;
  const header = Buffer.from(JSON.stringify({ ...rest, sourceBytes: bodies[0].length, inputBytes: bodies[1].length }));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(header.length);
  return Buffer.concat([length, header, ...bodies]);
}

const MAX_HEADER_BYTES = 65_536;
/** The most that a program can say, as in interpreter.py. */
export const MAX_OUTPUT_BYTES: number = 16 * 2 ** 20;

/** Collects bytes into replies. Throws where they cannot be one: then nothing that follows can be trusted. */
export class ReplyReader {
  private chunks: Buffer[] = [];
  private numBytes = 0;
  private needed = 4;

  /** The first complete reply, or null while it is incomplete. */
  push(chunk: Buffer): Greeting | RunReply | null {
    this.chunks.push(chunk);
    this.numBytes += chunk.length;
    // `needed` grows as lengths become known, so that a long output is joined once.
    while (this.numBytes >= this.needed) {
      const data = this.joined();
      const headerEnd = 4 + data.readUInt32BE();
      if (headerEnd > MAX_HEADER_BYTES) throw new Error("The interpreter sent a header that is too long.");
      if (data.length < headerEnd) {
        this.needed = headerEnd;
        continue;
      }
      const { stdoutBytes, stderrBytes, resultBytes, ...header } = parseHeader(data.subarray(4, headerEnd));
      const end = headerEnd + stdoutBytes + stderrBytes + resultBytes;
      if (data.length < end) {
        this.needed = end;
        continue;
      }
      if (data.length > end) throw new Error("The interpreter said more than it was asked.");
      this.chunks = [];
      this.numBytes = 0;
      this.needed = 4;
      const stderrStart = headerEnd + stdoutBytes;
      const resultStart = stderrStart + stderrBytes;
      return {
        ...header,
        stdout: data.toString("utf8", headerEnd, stderrStart),
        stderr: data.toString("utf8", stderrStart, resultStart),
        result: data.toString("utf8", resultStart, end),
      } as Greeting | RunReply;
    }
    return null;
  }

  private joined(): Buffer {
    if (this.chunks.length > 1) this.chunks = [Buffer.concat(this.chunks)];
    return this.chunks[0]!;
  }
}

interface Header {
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  readonly resultBytes: number;
}

function parseHeader(bytes: Buffer): Header {
  const header = JSON.parse(bytes.toString("utf8")) as Header & Partial<Greeting & RunReply>;
  const lengths = [header.stdoutBytes, header.stderrBytes, header.resultBytes];
  const isKnown = header.ready === true || typeof header.ended === "string";
  if (!isKnown || lengths.some((length) => !Number.isInteger(length) || length < 0 || length > MAX_OUTPUT_BYTES)) {
    throw new Error("The interpreter sent a header that cannot be read.");
  }
  return header;
}
