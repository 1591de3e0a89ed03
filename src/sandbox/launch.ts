/**
 * How an interpreter is started: inside bubblewrap, which gives it namespaces of its own (user, process, network, mount, IPC, UTS,
 * cgroup), a read-only /usr and nothing else of the machine; or, where the recipe asks for it by name, as a plain process.
 *
 * Started by root, the interpreter runs as nobody: the kernel does not hold root to its limits.
 */
import { spawnSync } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  lstatSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { RecipeError } from "../errors.ts";
import { packageRoot } from "../paths.ts";

export const ISOLATIONS = ["bubblewrap", "limits-only"] as const;

/**
 * bubblewrap    the program sees no file, process, network or memory but its own
 * limits-only   the program can read what this user (as root: nobody) can read, and may leave files behind; limits of time, memory, processes
 *               and output hold, and it gets no sockets but between its own processes. For programs that are trusted not to look for a way out.
 */
export type Isolation = (typeof ISOLATIONS)[number];

/** A command for child_process.spawn, and what to write to its standard input first. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Set when we are root. */
  readonly uid?: number;
  readonly gid?: number;
  readonly preamble: Buffer;
}

const NOBODY = 65_534;
/** Of the interpreter alone. LD_BIND_NOW: what libraries call is looked up once, and not in every program's process. */
const ENV = { PATH: "/usr/bin:/bin", LANG: "C.UTF-8", PYTHONHASHSEED: "0", MALLOC_ARENA_MAX: "2", LD_BIND_NOW: "1" };
const SOURCES = ["confine", "program", "interpreter"];

/** Reads its own modules from standard input, so that no file of ours has to be visible to the user it runs as. */
const BOOTSTRAP = `
import json, os, sys, types
data = b""
while len(data) < int(sys.argv[1]):
    data += os.read(0, int(sys.argv[1]) - len(data)) or sys.exit(1)
for name, source in json.loads(data):
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(source, name + ".py", "exec"), module.__dict__)
`;

/** Where a machine has what the sandbox is made of. */
const MACHINE = {
  python: ["/usr/bin/python3", "/usr/local/bin/python3"],
  bubblewrap: ["/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap"],
  /** For JavaScript, where the node that we run in is out of the sandbox's reach. */
  node: ["/usr/bin/node", "/usr/local/bin/node"],
};

const SYSTEM = ["bin", "sbin", "lib", "lib32", "lib64", "libexec", "local/bin", "local/lib"].map(
  (name) => `/usr/${name}`,
);

/** Throws a RecipeError that says what the machine lacks. `project` are folders of ours: what of them is in /usr is not shown. */
export function planLaunch(
  isolation: Isolation,
  machine = MACHINE,
  project: readonly string[] = [process.cwd(), packageRoot],
): Launch {
  const python = machine.python.find((path) => existsSync(path));
  if (python === undefined) {
    throw new RecipeError(
      "Running programs needs the system's Python at /usr/bin/python3, and there is none. Install it (apt-get install python3).",
    );
  }
  const modules = SOURCES.map((name) => [
    name,
    readFileSync(join(packageRoot, "src", "sandbox", "python", `${name}.py`), "utf8"),
  ]);
  const preamble = Buffer.from(JSON.stringify(modules));
  const node =
    [process.execPath, ...machine.node].find((path) => existsSync(path) && isReadable(path)) ?? process.execPath;
  const settings = JSON.stringify({ isolation, node });
  // -S: no site-packages. -B: nothing is written. Not -I, which would ignore the fixed hash seed; the environment is ours anyway.
  const interpreter = [python, "-s", "-S", "-B", "-c", BOOTSTRAP, String(preamble.length), settings];
  const identity = becomesNobody() ? { uid: NOBODY, gid: NOBODY } : {};
  if (isolation === "limits-only") {
    return { command: python, args: interpreter.slice(1), env: ENV, ...identity, preamble };
  }
  const bubblewrap = machine.bubblewrap.find((path) => existsSync(path));
  if (bubblewrap === undefined) {
    throw new RecipeError(`Running programs needs bubblewrap, and there is no /usr/bin/bwrap. ${howToMend}`);
  }
  const hidden = ["/usr/src", "/usr/local/src", ...project].filter((path) =>
    isHideable(path, [realpathSync(python), node]),
  );
  const args = [...bubblewrapArgs(node, hidden, lateOptionsOf(bubblewrap)), ...interpreter];
  return { command: bubblewrap, args, env: {}, ...identity, preamble };
}

/** The end of every message about a sandbox that cannot be had. */
export const howToMend =
  "It needs bubblewrap (apt-get install bubblewrap) and user namespaces (default containers forbid them); " +
  "or ask for the weaker isolation: limits-only, which hides no file.";

/** A project in /usr, as /usr/src/app of many containers, may hold the answers of its tests. What programs need stays in sight. */
function isHideable(path: string, needed: readonly string[]): boolean {
  const holds = (file: string) => file === path || file.startsWith(`${path}/`);
  return path.startsWith("/usr/") && existsSync(path) && ![...SYSTEM, ...needed].some(holds);
}

/** Options that bubblewrap has from 0.5 and 0.8 on, and each of which is a second wall behind one of ours. */
const LATE_OPTIONS = ["--clearenv", "--disable-userns"];
const lateOptions = new Map<string, readonly string[]>();

function lateOptionsOf(bubblewrap: string): readonly string[] {
  const known = lateOptions.get(bubblewrap);
  if (known !== undefined) return known;
  const { stdout } = spawnSync(bubblewrap, ["--help"], { encoding: "utf8" });
  // null where it cannot be started, which the start itself will say.
  const had = LATE_OPTIONS.filter((option) => stdout?.includes(option));
  lateOptions.set(bubblewrap, had);
  return had;
}

function bubblewrapArgs(node: string, hidden: readonly string[], more: readonly string[]): string[] {
  return [
    ...["--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", ...more],
    ...["--uid", "1000", "--gid", "1000", "--hostname", "sandbox"],
    // For the namespaces of each program; given up before a program's first line.
    ...["--cap-add", "CAP_SYS_ADMIN"],
    ...Object.entries(ENV).flatMap(([name, value]) => ["--setenv", name, value]),
    ...["--ro-bind", "/usr", "/usr"],
    ...["/bin", "/lib", "/lib32", "/lib64"].flatMap(systemFolder),
    ...hidden.flatMap((path) => ["--tmpfs", path, "--remount-ro", path]),
    ...(node.startsWith("/usr/") || !isReadable(node) ? [] : ["--ro-bind", node, node]),
    // A page of /dev/zero that is shared is memory of no process; /dev/full reads the same and cannot be mapped.
    ...["--proc", "/proc", "--dev", "/dev", "--dev-bind", "/dev/full", "/dev/zero", "--dir", "/tmp"],
    ...["--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/", "--"],
  ];
}

/** The root of a user namespace that maps no nobody is no root to the kernel, which holds it to its limits as it is. */
function becomesNobody(): boolean {
  return process.getuid?.() === 0 && ["uid_map", "gid_map"].every((name) => mapsNobody(`/proc/self/${name}`));
}

function mapsNobody(path: string): boolean {
  if (!existsSync(path)) return true;
  const ranges = readFileSync(path, "utf8").trim().split("\n");
  return ranges.some((range) => {
    const [first, , count] = range.trim().split(/\s+/).map(Number);
    return first! <= NOBODY && NOBODY < first! + count!;
  });
}

function isOpenToOthers(path: string): boolean {
  const isOpen = (statSync(path).mode & constants.S_IXOTH) !== 0;
  return isOpen && (dirname(path) === path || isOpenToOthers(dirname(path)));
}

function systemFolder(path: string): string[] {
  if (!existsSync(path)) return [];
  return lstatSync(path).isSymbolicLink() ? ["--symlink", readlinkSync(path), path] : ["--ro-bind", path, path];
}

/** As root we become nobody, who needs the right of others to pass every folder on the way, as through no private home. */
function isReadable(path: string): boolean {
  if (becomesNobody()) return isOpenToOthers(path);
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
