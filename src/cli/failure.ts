/** What a command that failed tells its caller: an exit code, and a sentence or, for a bug of ours, a stack. */
import { EngineError } from "../engine/engine.ts";
import { messageOf, RecipeError, UsageError } from "../errors.ts";
import { ServerError } from "../server/server.ts";

export interface CommandFailure {
  readonly exitCode: 1 | 2 | 70;
  readonly text: string;
}

/** `help` is what shows how the command is used. */
export function describeFailure(error: unknown, help = "grouper --help"): CommandFailure {
  if (error instanceof UsageError) return { exitCode: 2, text: `${error.message}\nTry: ${help}` };
  // A recipe's error may begin with the name of a file, which is said as it is written.
  if (error instanceof RecipeError) return { exitCode: 1, text: error.message };
  if (error instanceof ServerError || error instanceof EngineError) {
    return { exitCode: 1, text: error.message.charAt(0).toUpperCase() + error.message.slice(1) };
  }
  const ofSystem = systemFailure(error);
  if (ofSystem !== null) return { exitCode: 1, text: ofSystem };
  const stack = error instanceof Error ? (error.stack ?? error.message) : messageOf(error);
  return { exitCode: 70, text: `This is a bug in Grouper: ${stack}` };
}

/** What the machine refuses that no code of ours can mend, by the name of its error. */
const REMEDIES: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full. Free some space",
  EDQUOT: "the disk quota is used up. Free some space",
  EROFS: "the file system is read-only. Choose another place",
  EACCES: "permission is denied. Choose another place, or change its permissions",
  EPERM: "permission is denied. Choose another place, or change its permissions",
  EIO: "the disk failed. Look at the system's log",
  EMFILE: "too many files are open. Raise the limit with: ulimit -n 4096",
  ENFILE: "too many files are open on this machine. Close some programs",
  ENOMEM: "there is no memory left. Close some programs",
  EADDRINUSE: "another program listens there. Choose another port, e.g. --port 0 for a free one",
  EADDRNOTAVAIL: "this machine does not have that address. Use 127.0.0.1 or 0.0.0.0",
};

function systemFailure(error: unknown): string | null {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string") return null;
  const remedy = REMEDIES[error.code];
  if (remedy === undefined) return null;
  const { syscall = "access", path, address, port } = error as Error & Record<string, string | number | undefined>;
  const where = path ?? (address === undefined ? "a file" : `${address}:${port}`);
  return `Could not ${syscall} ${where}: ${remedy}.`;
}
