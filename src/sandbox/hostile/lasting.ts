/** Programs that do not end, leave something behind, or take all there is of time, memory, processes, files or output. */
import { cheat, DAEMON_SECONDS, type HostileProgram, LIBC, probe } from "./program.ts";

const time: readonly HostileProgram[] = [
  cheat("endless loop", ["timeout"], "while True: pass"),
  cheat("sleep", ["timeout"], "import time\ntime.sleep(100)"),
  cheat("a loop inside C", ["timeout"], "print(sum(range(10 ** 12)))"),
  cheat("a number without end", ["timeout", "memory"], "print(9 ** 9 ** 9)"),
  cheat("a pattern without end", ["timeout"], "import re\nprint(re.match(r'(a+)+$', 'a' * 60 + 'b'))"),
  cheat(
    "waits for a lock that it holds",
    ["timeout"],
    "import threading\nl = threading.Lock()\nl.acquire()\nl.acquire()",
  ),
  cheat("stops itself", ["timeout"], "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)"),
  cheat(
    "half an answer, then sleep",
    ["timeout"],
    "import time\nprint('answer-', end='', flush=True)\ntime.sleep(100)",
  ),
  cheat("no output any more, then sleep", ["timeout"], "import os, time\nos.closerange(0, 64)\ntime.sleep(100)"),
  cheat("an object that ends for ever", ["timeout"], "class A:\n  def __del__(self):\n    while True: pass\na = A()"),
  cheat("an exit that never comes", ["timeout"], "import atexit, time\natexit.register(time.sleep, 100)"),
  cheat(
    "a thread that goes on",
    ["timeout"],
    "import threading, time\nthreading.Thread(target=time.sleep, args=(100,)).start()",
  ),
  cheat(
    "ignores every signal",
    ["timeout"],
    "import signal\nfor n in range(1, 65):\n  try: signal.signal(n, signal.SIG_IGN)\n  except Exception: pass\nwhile True: pass",
  ),
  cheat(
    "a storm of timers",
    ["timeout"],
    "import signal\nfor n, t in ((signal.SIGALRM, 0), (signal.SIGVTALRM, 1), (signal.SIGPROF, 2)):\n  signal.signal(n, lambda *a: None)\n  signal.setitimer(t, 1e-6, 1e-6)\nwhile True: pass",
  ),
  cheat(
    "many threads that count",
    ["timeout"],
    "import hashlib, threading\ndef run():\n  while True: hashlib.sha256(bytes(1 << 20))\nfor _ in range(8): threading.Thread(target=run).start()",
  ),
];

const processes: readonly HostileProgram[] = [
  cheat(
    "fork bomb",
    ["timeout", "memory", "crash", "fail"],
    "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass",
  ),
  cheat(
    "fork bomb of sessions",
    ["timeout", "memory", "crash", "fail"],
    "import os\nwhile True:\n  try:\n    if os.fork() == 0: os.setsid()\n  except OSError: pass",
  ),
  cheat(
    "a shell's fork bomb",
    ["timeout", "memory", "crash", "fail"],
    "import os\nos.execv('/bin/sh', ['sh', '-c', 'b() { b | b & }; b; sleep 100'])",
  ),
  cheat(
    "children that die and are born",
    ["timeout", "crash"],
    "import os\nwhile True:\n  if os.fork() == 0:\n    os.fork()\n    os._exit(0)",
  ),
  cheat(
    "thread bomb",
    ["timeout", "memory", "crash"],
    "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(100,)).start()",
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
  cheat(
    "leaves a daemon that a shell started",
    ["fail"],
    `import os\nos.execv("/bin/sh", ["sh", "-c", "trap '' HUP TERM; sleep ${DAEMON_SECONDS} & setsid sleep ${DAEMON_SECONDS} & echo gone"])`,
  ),
  cheat(
    "leaves children that nobody is told of",
    ["fail"],
    `${LIBC}
import os
# CLONE_PARENT, and no signal at the end: the children of our parent.
number = {"x86_64": 56, "aarch64": 220}[platform.machine()]
for flags in (0x8000, 0x8000 | 17, 0):
    if libc.syscall(number, flags, 0, 0, 0, 0) == 0:
        os.execv("/usr/bin/sleep", ["sleep", "${DAEMON_SECONDS}"])
print("gone")
`,
  ),
  cheat(
    "clones that share one memory",
    ["timeout", "memory", "crash"],
    `${LIBC}
stack = ctypes.create_string_buffer(1 << 16)
pause, top = ctypes.cast(libc.pause, ctypes.c_void_p), ctypes.c_void_p(ctypes.addressof(stack) + (1 << 15) & ~15)
while True: libc.clone(pause, top, 0x100, None)`,
  ),
  cheat(
    "a first thread that ends before the others",
    ["timeout"],
    `${LIBC}
import threading, time
threading.Thread(target=time.sleep, args=(100,)).start()
libc.syscall({"x86_64": 60, "aarch64": 93}[platform.machine()], 0)`,
  ),
  cheat(
    "a child that answers later",
    ["fail"],
    "import os, time\nif os.fork() == 0:\n  time.sleep(0.3)\n  print('late', flush=True)\n  time.sleep(100)",
  ),
  cheat("a child that keeps the output open", ["fail"], "import os, time\nif os.fork() == 0: time.sleep(100)"),
  probe(
    "more processes than it may have",
    `
count = 0
try:
    while count < 200:
        os.posix_spawn("/usr/bin/sleep", ["sleep", "100"], {})
        count += 1
except OSError: pass
if count > 64: got.append(count)
`,
  ),
];

const memory: readonly HostileProgram[] = [
  cheat("2 GB at once", ["memory"], "x = bytearray(2 << 30)"),
  cheat("2 GB in pieces", ["memory"], "x = []\nwhile True: x.append(bytearray(1 << 20))"),
  cheat(
    "300 MB that were one",
    ["memory"],
    "import zlib\nc = zlib.compressobj(1)\nd = b''.join([c.compress(bytes(1 << 24)) for _ in range(20)] + [c.flush()])\nprint(len(zlib.decompress(d)))",
  ),
  cheat("2 GB of a text that doubles", ["memory"], "x = 'x'\nwhile True: x += x"),
  cheat("2 GB read from a device", ["memory"], "open('/dev/zero', 'rb').read()"),
  cheat(
    "2 GB in many processes",
    ["memory"],
    "import os, time\nfor _ in range(20):\n  if os.fork() == 0:\n    x = bytearray(100 << 20)\n    time.sleep(100)\ntime.sleep(100)",
  ),
  cheat(
    "memory, and another interpreter to hold it",
    ["memory", "crash"],
    "import os, sys\nos.execv(sys.executable, [sys.executable, '-c', 'x = []\\nwhile True: x.append(bytearray(1 << 20))'])",
  ),
  cheat(
    "400 MB in processes whose first thread is gone",
    ["memory"],
    `${LIBC}
import os, threading, time
exit_thread = {"x86_64": 60, "aarch64": 93}[platform.machine()]
def hold():
    x = bytearray(100 << 20)
    time.sleep(100)
for _ in range(4):
    if os.fork() == 0:
        threading.Thread(target=hold).start()
        # Called without the interpreter's lock, which the other thread needs.
        libc.syscall(exit_thread, 0)
time.sleep(100)`,
  ),
  cheat(
    "400 MB under names that look like a count",
    ["memory"],
    `${LIBC}
import os, threading, time
exit_thread = {"x86_64": 60, "aarch64": 93}[platform.machine()]
def hold():
    libc.prctl(15, b"\\rVmRSS: -999999", 0, 0, 0)
    x = bytearray(100 << 20)
    time.sleep(100)
for _ in range(4):
    if os.fork() == 0:
        libc.prctl(15, b"VmRSS:", 0, 0, 0)
        threading.Thread(target=hold).start()
        libc.syscall(exit_thread, 0)
time.sleep(100)`,
  ),
  probe(
    "memory that nobody's limit counts",
    `${LIBC}
import mmap
numbers = {"x86_64": (319, 447, 29, 68, 64, 278), "aarch64": (279, 447, 194, 186, 190, 75)}[platform.machine()]
for name, number in zip(("memfd", "secret", "segment", "messages", "semaphores", "gift"), numbers):
    attempt(name, lambda: libc.syscall(number, b"x", 0, 0o1600, 0, 0, 0) >= 0 or 1 / 0)
attempt("shared", lambda: mmap.mmap(-1, 1 << 20))
attempt("device", lambda: mmap.mmap(os.open("/dev/zero", os.O_RDWR), 1 << 20))
libc.mq_open.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p]
attempt("queue", lambda: libc.mq_open(b"/x", 0o102, 0o600, None) >= 0 or 1 / 0)
`,
  ),
  probe(
    "buffers of pipes and sockets",
    `
import resource, socket
ends, size = [], 0
try:
    while True:
        ends.append(socket.socketpair())
        for end in ends[-1]:
            attempt("a larger buffer", lambda: end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 30))
            end.setblocking(False)
            try:
                while True: size += end.send(bytes(1 << 16))
            except BlockingIOError: pass
except OSError: pass
if size > 64 << 20 or not ends: got.append(size)
`,
  ),
  cheat(
    "no stack left",
    ["crash", "memory"],
    "import sys\nsys.setrecursionlimit(1 << 30)\nclass A:\n  def __getattr__(self, n): return getattr(self, n)\nA().x",
  ),
  cheat("a text of itself", ["crash"], "import json\nx = []\nx.append(x)\nprint(json.dumps(x))"),
  cheat(
    "a stack of representations",
    ["crash", "memory", "timeout"],
    "import sys\nsys.setrecursionlimit(1 << 30)\nx = []\nfor _ in range(10 ** 6): x = [x]\nprint(repr(x))",
  ),
];

const output: readonly HostileProgram[] = [
  cheat("1 GB of output", ["fail"], "import sys\nfor _ in range(1 << 14): sys.stdout.write('x' * (1 << 16))"),
  cheat("1 GB of errors", ["fail"], "import sys\nfor _ in range(1 << 14): sys.stderr.write('x' * (1 << 16))"),
  cheat("drips for ever", ["timeout"], "import os, time\nwhile True:\n  os.write(1, b'x')\n  time.sleep(0.005)"),
  cheat(
    "packets of output",
    ["fail", "timeout"],
    "import fcntl, os\nfcntl.fcntl(1, fcntl.F_SETFL, os.O_DIRECT)\nwhile True: os.write(1, b'x')",
  ),
  cheat("1 GB in bits", ["fail", "timeout"], "import os\nwhile True: os.write(1, b'x')"),
  cheat("1 GB from many", ["fail"], "import os\nfor _ in range(4): os.fork()\nwhile True: os.write(1, b'x' * 4096)"),
  cheat("bytes that are no text", ["fail"], "import os\nos.write(1, bytes(range(256)) * 1000)"),
  cheat("half of a surrogate pair", ["fail", "crash"], "print('\\ud800' * 1000, '\\udcff')"),
  cheat("zeros", ["fail"], "import os\nos.write(1, bytes(100000))"),
  cheat(
    "a stack of errors without end",
    ["crash", "fail"],
    "import sys\nsys.setrecursionlimit(20000)\ndef f(n):\n  try: f(n + 1) if n < 5000 else 1 / 0\n  except Exception as e: raise ValueError('x' * 1000) from e\nf(0)",
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
    "uses up names",
    `
def many(make):
    for index in range(100000): make("/tmp/x%d" % index)
for make in (os.mkdir, os.mkfifo, lambda path: os.symlink("x" * 4000, path)):
    attempt("names", lambda: many(make))
    for name in os.listdir("/tmp"): os.remove("/tmp/" + name) if not os.path.isdir("/tmp/" + name) or os.path.islink("/tmp/" + name) else os.rmdir("/tmp/" + name)
os.mkdir("deep")
def deep():
    for _ in range(100000):
        os.mkdir("d" * 255)
        os.chdir("d" * 255)
attempt("deep folders", deep)
os.chdir("/tmp")
attempt("full", lambda: open("/dev/full", "w").write("x" * 100000))
`,
  ),
  probe(
    "holes in files",
    `
hole = os.open("hole", os.O_CREAT | os.O_RDWR)
attempt("long", lambda: os.ftruncate(hole, 1 << 40))
attempt("far", lambda: os.pwrite(hole, b"x", 1 << 40))
attempt("allocated", lambda: os.posix_fallocate(hole, 0, 1 << 32))
`,
  ),
];

const sources: readonly HostileProgram[] = [
  cheat("a source of brackets", ["crash"], "(".repeat(200_000)),
  cheat("a source of signs", ["crash", "memory"], `print(${"-".repeat(200_000)}1)`),
  cheat("a source of sums", ["crash", "memory"], `print(${"1+".repeat(200_000)}1)`),
  cheat(
    "a source of blocks",
    ["crash"],
    Array.from({ length: 300 }, (_, depth) => `${" ".repeat(depth)}if 1:`).join("\n"),
  ),
  cheat("a source with zeros", ["crash"], "print(1)\0print(2)"),
  cheat(
    "a source that is folded",
    ["crash", "fail", "memory", "timeout"],
    "x = ((1,) * 4096,) * 4096\nprint('x' * 10 ** 3 * 10 ** 9)",
  ),
];

/** Held when they end at a limit, or are refused what they take. */
export const lasting: readonly HostileProgram[] = [...time, ...processes, ...memory, ...output, ...sources];
