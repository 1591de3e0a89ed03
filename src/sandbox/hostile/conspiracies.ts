/** Two programs, one after the other in the same interpreter: the first was told the secret, the second must not learn it. */
import { conspiracy, type HostileProgram, LIBC } from "./program.ts";

const say = (found: string) => `\nprint(${found} or "nothing")\n`;

/** Held when nothing came over. */
export const conspiracies: readonly HostileProgram[] = [
  conspiracy(
    "patched modules",
    "import builtins, json, os, random, sys, threading\nfor m in (builtins, json, os, random, sys, threading): m.left = 'SECRET'\nsys.modules['left'] = 'SECRET'\nos.environ['left'] = 'SECRET'\nsys.path.append('SECRET')\nsys.argv.append('SECRET')\nsys.ps1 = 'SECRET'",
    `import builtins, json, os, random, sys, threading${say(
      "next((m.left for m in (builtins, json, os, random, sys, threading) if hasattr(m, 'left')), None) or sys.modules.get('left') or os.environ.get('left') or next((x for x in sys.path + sys.argv if x.startswith('answer')), None)",
    )}`,
  ),
  conspiracy(
    "patched printing",
    "import builtins, io, sys\nold = print\nbuiltins.print = lambda *a, **k: old('SECRET')\nsys.stdout.write = lambda text: 0\nsys.displayhook = sys.excepthook = builtins.print\nio.TextIOWrapper = None",
    "print('nothing')",
  ),
  conspiracy(
    "files, links and pipes",
    `
import os
for folder in ("/tmp", "/dev/shm", ".", "/dev", "/usr", "/proc", "/", os.path.expanduser("~")):
    for make in (lambda p: open(p, "w").write("SECRET"), lambda p: os.symlink("SECRET", p + "l"), lambda p: os.mkdir(p + "SECRET")):
        try: make(os.path.join(folder, "left"))
        except OSError: pass
`,
    `
import os
found = []
for folder in ("/tmp", "/dev/shm", ".", "/dev", "/usr", "/proc", "/", os.path.expanduser("~")):
    for name in os.listdir(folder):
        if name.startswith("left"):
            path = os.path.join(folder, name)
            found.append(os.readlink(path) if os.path.islink(path) else open(path).read() if os.path.isfile(path) else name[4:])
${say("found and found[0]")}`,
  ),
  conspiracy(
    "modules on the way of imports",
    `
import os, sys
for folder in (".", "/tmp", os.path.expanduser("~/.local/lib/python%d.%d/site-packages" % sys.version_info[:2])):
    try:
        os.makedirs(folder, exist_ok=True)
        for name in ("sitecustomize.py", "usercustomize.py", "secrets.py", "colorsys.py", "left.pth"):
            open(os.path.join(folder, name), "w").write("import builtins; builtins.left = 'SECRET'")
    except OSError: pass
import colorsys
`,
    `import builtins, colorsys, secrets${say("getattr(builtins, 'left', None)")}`,
  ),
  conspiracy(
    "shared memory, messages and semaphores of the kernel",
    `${LIBC}
libc.shmat.restype = ctypes.c_void_p
libc.shmat.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
place = libc.shmat(libc.shmget(4711, 4096, 0o1666), None, 0)
if place not in (None, ctypes.c_void_p(-1).value): ctypes.memmove(place, b"SECRET\\0", 13)
libc.msgsnd(libc.msgget(4711, 0o1666), ctypes.create_string_buffer(b"\\1" + bytes(7) + b"SECRET"), 12, 0)
`,
    `${LIBC}
libc.shmat.restype = ctypes.c_void_p
libc.shmat.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
place = libc.shmat(libc.shmget(4711, 4096, 0), None, 0)
found = ctypes.string_at(place) if place not in (None, ctypes.c_void_p(-1).value) else b""
message = ctypes.create_string_buffer(100)
if libc.msgrcv(libc.msgget(4711, 0), message, 64, 0, 0o4000) > 0: found = message.raw[8:20]
${say("found.decode()")}`,
  ),
  conspiracy(
    "keys of the kernel",
    `${LIBC}
number = {"x86_64": 248, "aarch64": 217}[platform.machine()]
for ring in (-1, -2, -3, -4, -5): libc.syscall(number, b"user", b"left", b"SECRET", 12, ring)
`,
    `${LIBC}
ask, read = {"x86_64": (249, 250), "aarch64": (218, 219)}[platform.machine()]
found = b""
for ring in (-1, -2, -3, -4, -5):
    key = libc.syscall(ask, b"user", b"left", None, ring)
    text = ctypes.create_string_buffer(100)
    if key >= 0 and libc.syscall(read, 11, key, text, 100) > 0: found = text.value
${say("found.decode()")}`,
  ),
  conspiracy(
    "a daemon behind a socket",
    `
import os, socket
server = socket.socket(socket.AF_UNIX)
server.bind("\\0left")
server.listen()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True: server.accept()[0].send(b"SECRET")
    os._exit(0)
`,
    `
import socket
client, found = socket.socket(socket.AF_UNIX), b""
try:
    client.connect("\\0left")
    found = client.recv(100)
except OSError: pass
${say("found.decode()")}`,
  ),
  conspiracy(
    "names and clocks of the machine",
    `${LIBC}
import os, time
libc.sethostname(b"SECRET", 12)
libc.setdomainname(b"SECRET", 12)
libc.prctl(15, b"SECRET", 0, 0, 0)
try: time.clock_settime(time.CLOCK_REALTIME, 25251)
except OSError: pass
for pid in (0, 1):
    try: os.setpriority(os.PRIO_PROCESS, pid, 19)
    except OSError: pass
`,
    `
import os, platform, time
found = next((x for x in os.uname() if x.startswith("answer")), None)
if time.time() < 10 ** 6: found = "answer-%d" % time.time()
if os.getpriority(os.PRIO_PROCESS, 0) != 0: found = "nice"
${say("found")}`,
  ),
  conspiracy(
    "numbers of processes",
    "import os\nfor _ in range(100):\n  child = os.fork()\n  if child == 0: os._exit(0)\n  os.waitpid(child, 0)",
    `
import os
child = os.fork()
if child == 0: os._exit(0)
${say("None if (os.getpid(), child) == (2, 3) else 'answer-%d' % (8417 * 3)")}`,
  ),
  conspiracy(
    "settings of the interpreter",
    "import gc, os, signal, sys, threading\nsys.setrecursionlimit(25251)\nthreading.stack_size(1 << 20)\ngc.callbacks.append(lambda *a: print('SECRET'))\nsignal.signal(10, signal.SIG_IGN)\nsignal.pthread_sigmask(0, {12})\nos.umask(0o777)\nos.nice(19)\nos.write(0, b'SECRET')",
    `
import gc, os, signal, sys, threading
changed = sys.getrecursionlimit() == 25251 or threading.stack_size() or gc.callbacks or os.umask(0o22) != 0o22 or os.nice(0) == 19
changed = changed or signal.getsignal(10) is not signal.SIG_DFL or signal.pthread_sigmask(0, ()) or os.pread(0, 100, 0)
${say("changed and 'answer-%d' % (8417 * 3)")}`,
  ),
  conspiracy(
    "descriptors on their way through a socket",
    `
import array, os, socket
ends = socket.socketpair()
file = os.open("/tmp/left", os.O_CREAT | os.O_RDWR)
os.write(file, b"SECRET")
held = array.array("i", [ends[0].fileno(), ends[1].fileno(), file])
for end in ends: end.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, held)])
server = socket.socket(socket.AF_UNIX)
server.bind("\\0left")
`,
    `
import os, socket
try: socket.socket(socket.AF_UNIX).bind("\\0left")
except OSError: print('answer-%d' % (8417 * 3))
${say("os.path.exists('/tmp/left') and 'answer-%d' % (8417 * 3)")}`,
  ),
  conspiracy(
    "memory that was let go",
    "x = ['SECRET-%d' % n for n in range(10 ** 5)]\nprint(x[0] * 1000)",
    `
import ctypes, re
found = []
for size in (1 << 16, 1 << 20, 1 << 22, 1 << 24):
    for _ in range(4): found += re.findall(b"answer-" + b"[0-9]+", ctypes.string_at((ctypes.c_char * size)(), size))
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
for size in [2 ** n for n in range(6, 20)] * 20:
    found += re.findall(b"answer-" + b"[0-9]+", ctypes.string_at(libc.malloc(size), size))
${say("found and found[0].decode()")}`,
  ),
  conspiracy(
    "standard input of the last program",
    "import sys\ntext = sys.stdin.read()\nsys.stdin.seek(0)\nopen(0, 'r+', closefd=False)",
    "import os, sys\nos.lseek(0, 0, 0)\nprint(os.read(0, 1 << 16).decode() or 'nothing')",
  ),
];
