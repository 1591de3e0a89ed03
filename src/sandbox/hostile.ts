/**
 * Programs that try to get out, to last, or to pass without the answer; what `grouper sandbox` and the tests run.
 *
 * Cheats are tested against a secret that no program was told: the only way to pass is to find it. Probes try what must be refused, and say
 * "held", or what was not.
 */
import { userInfo } from "node:os";
import type { Language } from "./protocol.ts";
import { defaultLimits, type Sandbox } from "./sandbox.ts";
import type { TestCase } from "./tests.ts";
import { judgeProgram, type TestResult, type Verdict } from "./verdict.ts";

export interface HostileProgram {
  readonly name: string;
  readonly language: Language;
  readonly source: string;
  readonly test: TestCase;
  /** What a sound sandbox makes of it. */
  readonly expected: readonly Verdict[];
}

export interface HostileResult extends TestResult {
  readonly name: string;
  readonly isHeld: boolean;
}

/** In no source below. */
export const SECRET = `answer-${8417 * 3}`;
/** How a process that should not be left can be known. */
export const DAEMON_SECONDS = "98765.4321";

/**
 * Runs them in order: two seconds for what is meant to last, ten for the rest, so that a busy machine is no verdict.
 * Throws a SandboxError where the sandbox itself fails.
 */
export async function runHostile(
  sandbox: Sandbox,
  programs: readonly HostileProgram[] = hostilePrograms,
): Promise<HostileResult[]> {
  const results: HostileResult[] = [];
  for (const { name, test, expected, ...program } of programs) {
    const limits = {
      ...defaultLimits,
      timeoutMs: expected.includes("timeout") ? 2000 : 10_000,
      memoryBytes: 256 * 2 ** 20,
    };
    const { tests } = await judgeProgram(sandbox, program, [test], { limits });
    const result = tests[0]!;
    results.push({ name, ...result, isHeld: expected.includes(result.verdict) });
  }
  return results;
}

function cheat(name: string, expected: readonly Verdict[], source: string, language: Language = "python") {
  return { name, language, source, expected, test: { kind: "stdin", input: "", output: SECRET } as const };
}

function cheatCall(name: string, expected: readonly Verdict[], source: string, language: Language = "python") {
  const test = { kind: "function", function: "solve", input: "[1]", outputs: [SECRET] } as const;
  return { name, language, source, expected, test };
}

/** `source` fills the list `got` with what was not refused. */
function probe(name: string, source: string): HostileProgram {
  const framed = `
import os, sys
got = []
def attempt(what, action):
    try:
        action()
        got.append(what)
    except BaseException:
        pass
${source}
print(got or "held")
`;
  return {
    name,
    language: "python",
    source: framed,
    expected: ["pass"],
    test: { kind: "stdin", input: "", output: "held" },
  };
}

/** Of whoever runs us, as a Python string. */
const HOME = JSON.stringify(userInfo().homedir);

const LIBC = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n";

export const hostilePrograms: readonly HostileProgram[] = [
  cheat("endless loop", ["timeout"], "while True: pass"),
  cheat("sleep", ["timeout"], "import time\ntime.sleep(100)"),
  cheat(
    "ignores every signal",
    ["timeout"],
    "import signal\nfor n in range(1, 65):\n  try: signal.signal(n, signal.SIG_IGN)\n  except Exception: pass\nwhile True: pass",
  ),
  cheat(
    "fork bomb",
    ["timeout", "memory", "crash", "fail"],
    "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass",
  ),
  cheat(
    "thread bomb",
    ["timeout", "memory", "crash"],
    "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(100,)).start()",
  ),
  cheat("2 GB at once", ["memory"], "x = bytearray(2 << 30)"),
  cheat("2 GB in pieces", ["memory"], "x = []\nwhile True: x.append(bytearray(1 << 20))"),
  cheat(
    "2 GB in many processes",
    ["memory"],
    "import os, time\nfor _ in range(20):\n  if os.fork() == 0:\n    x = bytearray(100 << 20)\n    time.sleep(100)\ntime.sleep(100)",
  ),
  cheat("1 GB of output", ["fail"], "import sys\nfor _ in range(1 << 14): sys.stdout.write('x' * (1 << 16))"),
  cheat("1 GB of errors", ["fail"], "import sys\nfor _ in range(1 << 14): sys.stderr.write('x' * (1 << 16))"),
  cheat("sys.exit(0)", ["fail"], "import sys\nsys.exit(0)"),
  cheat("os._exit(0)", ["fail"], "import os\nos._exit(0)"),
  cheat("exit in a finaliser", ["fail"], "import atexit, os\natexit.register(os._exit, 0)\n1 / 0"),
  cheat(
    "no stack left",
    ["crash", "memory"],
    "import sys\nsys.setrecursionlimit(1 << 30)\nclass A:\n  def __getattr__(self, n): return getattr(self, n)\nA().x",
  ),
  cheat(
    "kills its parents",
    ["crash", "fail"],
    "import os\nfor p in (1, os.getppid(), -1):\n  try: os.kill(p, 9)\n  except OSError: pass",
  ),
  cheat(
    "stops its parents",
    ["timeout", "crash", "fail"],
    "import os\nfor p in (1, os.getppid(), 0):\n  try: os.kill(p, 19)\n  except OSError: pass",
  ),
  cheat("closes everything", ["crash", "fail"], "import os\nos.closerange(0, 65536)"),
  cheatCall("exits before its value", ["crash"], "import sys\nsys.exit(0)"),
  cheatCall("os._exit(0) in the function", ["crash"], "import os\ndef solve(n): os._exit(0)"),
  cheatCall(
    "an object equal to everything",
    ["crash", "fail"],
    "class E:\n  def __eq__(s, o): return True\n  def __ne__(s, o): return False\n  def __hash__(s): return 0\ndef solve(n): return E()",
  ),
  cheatCall(
    "a text equal to everything",
    ["fail"],
    "class E(str):\n  def __eq__(s, o): return True\n  def __hash__(s): return 0\ndef solve(n): return E('x')",
  ),
  cheatCall(
    "patched comparison",
    ["fail", "crash"],
    "import builtins, json, operator, sys\njson.dumps = lambda *a, **k: '[\"string\", true]'\noperator.eq = lambda a, b: True\nbuiltins.all = builtins.any = lambda *a: True\nbuiltins.isinstance = lambda *a: True\ndef solve(n): return 1",
  ),
  cheatCall(
    "writes its own verdict",
    ["fail", "crash"],
    'import os\nfor fd in range(3, 64):\n  try: os.write(fd, b\'{"exit": 0, "ended": "left"}\\n["pass"]\')\n  except OSError: pass\ndef solve(n): return None',
  ),
  cheat(
    "looks for the tests",
    ["fail"],
    `
import gc, os, re, sys
found = []
def look(text):
    found.extend(re.findall(r"answer-" + r"[0-9]+", text))
look(repr(dict(os.environ)) + repr(sys.argv))
for folder, folders, files in os.walk("/"):
    if folder == "/": folders[:] = [f for f in folders if f not in ("usr", "dev", "proc", "sys")]
    for name in files:
        try: look(open(os.path.join(folder, name), errors="ignore").read(1 << 20))
        except OSError: pass
for item in gc.get_objects():
    try: look(repr(item)[:100000])
    except BaseException: pass
frame = sys._getframe()
while frame:
    look(repr(frame.f_locals)[:100000] + repr(frame.f_globals)[:100000])
    frame = frame.f_back
print(found[0] if found else "nothing")
`,
  ),
  cheat(
    "leaves a daemon",
    ["fail"],
    `
import os
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execv("/usr/bin/sleep", ["sleep", "${DAEMON_SECONDS}"])
    os._exit(0)
print("gone")
`,
  ),
  probe(
    "network",
    `
import socket
for place in (("1.1.1.1", 53), ("8.8.8.8", 443), ("169.254.169.254", 80)):
    attempt(place, lambda: socket.create_connection(place, 1))
attempt("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("1.1.1.1", 53)))
attempt("name", lambda: socket.getaddrinfo("example.com", 80))
attempt("raw", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
`,
  ),
  probe(
    "reads files of the machine",
    `
through = [os.path.join("/proc", process, link, "etc/passwd") for process in ("self", "1") for link in ("root", "cwd")]
for path in ("/etc/passwd", "/etc/shadow", "/etc/hostname", ${HOME}, "/home", "/var", "/mnt", "/sys/kernel", "/proc/1/environ",
             "/proc/self/environ", "/run", "/boot", "/dev/sda", "/dev/vda", "/dev/mem", *through):
    attempt(path, lambda: os.listdir(path) if os.path.isdir(path) else open(path, "rb").read(1) or 1 / 0)
`,
  ),
  probe(
    "writes outside",
    `
for path in ("/x", "/usr/x", "/usr/bin/x", "/etc/x", "/dev/x", "/bin/x", "/lib/x", "/proc/x", "/tmp/../x", "/var/x", ${HOME} + "/x", "/home/x"):
    attempt(path, lambda: open(path, "w"))
attempt("rename", lambda: os.rename("/usr/bin/env", "/tmp/env"))
attempt("hard link", lambda: os.link("/usr/bin/env", "/tmp/link"))
attempt("chmod", lambda: os.chmod("/usr/bin/env", 0o777))
`,
  ),
  probe(
    "symbolic links",
    `
for name, target in (("a", "/etc/passwd"), ("b", "/usr/lib/os-release-x"), ("c", "../../../../etc/passwd"), ("d", os.path.join("/proc/1", "root", "etc/passwd")), ("e", "/dev/../x")):
    os.symlink(target, name)
    attempt(("read", target), lambda: open(name).read())
    attempt(("write", target), lambda: open(name, "w"))
`,
  ),
  probe(
    "fills the disk",
    `
def fill(folder):
    for index in range(200):
        with open(folder + "/f%d" % index, "wb") as file:
            for _ in range(16): file.write(bytes(1 << 20))
for folder in ("/tmp", "/dev/shm"): attempt(folder, lambda: fill(folder))
def many():
    for index in range(100000): open("/tmp/n%d" % index, "w").close()
attempt("files without end", many)
`,
  ),
  probe(
    "other processes",
    `${LIBC}
for pid in (1, os.getppid()):
    attempt(("ptrace", pid), lambda: libc.ptrace(16, pid, 0, 0) == 0 or 1 / 0)
    attempt(("memory", pid), lambda: open("/proc/%d/mem" % pid, "rb"))
attempt("sees others", lambda: [p for p in os.listdir("/proc") if p.isdigit()][0])
attempt("nice", lambda: os.nice(-5))
`,
  ),
  probe(
    "rights",
    `${LIBC}
for name, call in (("user namespace", lambda: libc.unshare(0x10000000)), ("mount namespace", lambda: libc.unshare(0x20000)),
                   ("mount", lambda: libc.mount(b"none", b"/tmp", b"tmpfs", 0, b"")), ("umount", lambda: libc.umount2(b"/proc", 2)),
                   ("chroot", lambda: libc.chroot(b"/tmp")), ("host name", lambda: libc.sethostname(b"x", 1)),
                   ("keyring", lambda: libc.syscall(250, 0, -4, 1)), ("bpf", lambda: libc.syscall(321, 0, 0, 0)),
                   ("io_uring", lambda: libc.syscall(425, 1, 0))):
    attempt(name, lambda: call() >= 0 or 1 / 0)
attempt("uid 0", lambda: os.setuid(0))
attempt("clone", lambda: libc.syscall(56, 0x10000011, 0, 0, 0, 0) >= 0 or 1 / 0)
`,
  ),
  probe(
    "raises its limits",
    `
import resource
for name in ("CPU", "AS", "FSIZE", "NPROC", "NOFILE", "CORE"):
    which = getattr(resource, "RLIMIT_" + name)
    attempt(name, lambda: resource.setrlimit(which, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)))
`,
  ),
  cheat("node: endless loop", ["timeout"], "for (;;);", "javascript"),
  cheat("node: exit 0", ["fail"], "process.exit(0)", "javascript"),
  cheat(
    "node: 2 GB",
    ["memory", "crash"],
    "const x = []; for (;;) x.push(new Array(1 << 20).fill(x.length));",
    "javascript",
  ),
  cheat(
    "node: 2 GB of buffers",
    ["memory", "crash"],
    "const x = []; for (;;) x.push(Buffer.alloc(1 << 24, 1));",
    "javascript",
  ),
  cheat(
    "node: reads the machine",
    ["fail", "crash"],
    "const fs = require('fs'); for (const p of ['/etc/passwd', '/proc/1/environ']) try { console.log(fs.readFileSync(p, 'utf8')) } catch {}\nconsole.log(process.env, require('os').userInfo)",
    "javascript",
  ),
  cheat(
    "node: a shell",
    ["fail", "crash"],
    "console.log(require('child_process').execSync('cat /etc/passwd; id; ls /home /var /srv 2>&1; true').toString())",
    "javascript",
  ),
  cheatCall(
    "node: an object equal to everything",
    ["fail", "crash"],
    "const solve = () => new Proxy({}, { get: () => () => true })",
    "javascript",
  ),
];
