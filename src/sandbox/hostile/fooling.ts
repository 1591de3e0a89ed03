/** Programs that would pass without the answer: by exit codes, by objects that lie, by what judges them, or by all answers at once. */
import { cheat, cheatCall, type HostileProgram } from "./program.ts";

const exits: readonly HostileProgram[] = [
  cheat("sys.exit(0)", ["fail"], "import sys\nsys.exit(0)"),
  cheat("os._exit(0)", ["fail"], "import os\nos._exit(0)"),
  cheat("exit in a finaliser", ["fail"], "import atexit, os\natexit.register(os._exit, 0)\n1 / 0"),
  cheat(
    "exit from another thread",
    ["fail"],
    "import os, threading, time\nthreading.Timer(0.1, os._exit, (0,)).start()\ntime.sleep(100)",
  ),
  cheat(
    "exit for a crash",
    ["fail"],
    "import os, signal\nsignal.signal(signal.SIGABRT, lambda *a: os._exit(0))\nos.kill(os.getpid(), signal.SIGABRT)",
  ),
  cheat(
    "no end where the end was",
    ["crash", "fail", "timeout"],
    "import os, sys\nos._exit = sys.exit = lambda *a: None",
  ),
  cheat(
    "nothing where anything was",
    ["crash", "fail", "timeout"],
    "import sys\nfor module in list(sys.modules.values()):\n  for name in list(vars(module)):\n    if callable(getattr(module, name)): setattr(module, name, lambda *a, **k: None)",
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
  cheat(
    "every signal to everybody",
    ["fail", "crash"],
    "import os, signal\nfor n in range(1, 65):\n  try: signal.signal(n, signal.SIG_IGN)\n  except Exception: pass\nfor p in (1, 0, -1):\n  for n in range(1, 65):\n    if n not in (9, 19):\n      try: os.kill(p, n)\n      except OSError: pass\nprint('here')",
  ),
  cheat("closes everything", ["crash", "fail"], "import os\nos.closerange(0, 65536)"),
  cheat(
    "every signal to itself",
    ["crash"],
    "import os, signal\nfor n in (10, 12, 13, 6, 11, 4, 8, 7, 31):\n  signal.signal(n, signal.SIG_DFL)\n  if os.fork() == 0: os.kill(os.getpid(), n)\nos.kill(os.getpid(), 11)",
  ),
  cheatCall("exits before its value", ["crash"], "import sys\nsys.exit(0)"),
  cheatCall("os._exit(0) in the function", ["crash"], "import os\ndef solve(n): os._exit(0)"),
  cheatCall("the value of a child", ["fail", "crash"], "import os\ndef solve(n): return os.fork()"),
];

const lies: readonly HostileProgram[] = [
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
    "an object that says it is a text",
    ["crash"],
    "class E:\n  __class__ = str\n  def __eq__(s, o): return True\n  def __str__(s): return 'x'\ndef solve(n): return E()",
  ),
  cheatCall(
    "a text whose methods lie",
    ["fail"],
    "class E(str):\n  __str__ = __repr__ = __format__ = lambda s, *a: s\n  def __len__(s): return 12\n  def __iter__(s): return iter('answer')\n  def encode(s, *a): return b'answer'\ndef solve(n): return E('x')",
  ),
  cheatCall(
    "a list whose members never end",
    ["fail", "crash"],
    "class E(list):\n  def __iter__(s):\n    while True: yield 1\n  def __len__(s): return 1\ndef solve(n): return E()",
  ),
  cheatCall(
    "a set whose members never end",
    ["fail"],
    "class E(set):\n  def __iter__(s):\n    while True: yield 1\ndef solve(n): return E()",
  ),
  cheatCall(
    "a map whose entries never end",
    ["fail", "crash"],
    "class E(dict):\n  def items(s):\n    while True: yield 'a', 1\n  __iter__ = keys = items\ndef solve(n): return E()",
  ),
  cheatCall("an iterator that explodes", ["crash"], "def solve(n):\n  yield 1\n  raise SystemExit(0)"),
  cheatCall("a list of itself", ["crash"], "def solve(n):\n  x = []\n  x.append(x)\n  return x"),
  cheatCall(
    "a list of itself, twice",
    ["crash", "timeout", "memory"],
    "def solve(n):\n  x = []\n  x += [x, x]\n  return x",
  ),
  cheatCall(
    "a list as deep as the sea",
    ["crash"],
    "def solve(n):\n  x = []\n  for _ in range(10 ** 6): x = [x]\n  return x",
  ),
  cheatCall("not a number, and infinity", ["fail"], "def solve(n): return [float('nan'), float('inf'), -float('inf')]"),
  cheatCall(
    "a number of 100,000 digits",
    ["crash", "fail"],
    "import sys\ndef solve(n):\n  sys.set_int_max_str_digits(0)\n  return 10 ** 100000",
  ),
  cheatCall("10 MB of value", ["fail"], "def solve(n): return 'x' * (10 << 20)"),
  cheatCall("a coroutine", ["crash"], "async def solve(n): return n"),
  cheatCall("a type", ["crash"], "def solve(n): return type"),
  cheatCall(
    "a value that ends the program when it is told",
    ["crash"],
    "import os\nclass E(list):\n  def __class_getitem__(c, k): os._exit(0)\n  @property\n  def __class__(s): os._exit(0)\nclass F:\n  __class__ = property(lambda s: os._exit(0))\ndef solve(n): return F()",
  ),
];

const judges: readonly HostileProgram[] = [
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
  cheatCall(
    "writes whole replies to every descriptor",
    ["fail", "crash"],
    `
import json, os, struct
head = json.dumps({"ended": "left", "exit": 0, "stdoutBytes": 2, "stderrBytes": 0, "resultBytes": 2, "pass": True}).encode()
for fd in range(0, 1024):
    try: os.write(fd, struct.pack(">I", len(head)) + head + b"{}{}")
    except OSError: pass
def solve(n): return None
`,
  ),
  cheatCall(
    "a value before the value",
    ["fail"],
    "import os\nos.write(3, b'[\"string\", \"x\"]')\ndef solve(n): return 'y'",
  ),
  cheatCall("shuts the way of the value", ["crash", "fail"], "import os\nos.close(3)\ndef solve(n): return 'x'"),
  cheatCall("keeps only half of the value", ["fail"], 'import os\nos.write(3, b\'["string", "answer-\')\nos._exit(0)'),
  cheatCall(
    "a value of another kind",
    ["fail"],
    'import os\nos.write(3, b\'{"0": "string", "length": 2, "toJSON": 1}\')\nos._exit(0)',
  ),
  cheatCall(
    "follows the harness line by line",
    ["fail", "crash"],
    `
import re, sys
found = []
def look(frame, event, argument):
    found.extend(re.findall("answer-" + "[0-9]+", repr(frame.f_locals)[:10000] + repr(argument)[:1000]))
    return look
frame = sys._getframe()
while frame:
    frame.f_trace = look
    frame = frame.f_back
sys.settrace(look)
sys.setprofile(look)
class Late(str):
    def __str__(self): return found[0] if found else "nothing"
def solve(n): return Late("nothing")
`,
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
  cheatCall(
    "looks for the tests from its function",
    ["fail"],
    `
import gc, inspect, re, sys
def solve(n):
    found = []
    frames = [x for f in inspect.stack() for x in (f.frame.f_locals, f.frame.f_globals)]
    for item in gc.get_objects() + frames:
        try: found += re.findall("answer-" + "[0-9]+", repr(item)[:10000])
        except BaseException: pass
    return found[0] if found else "nothing"
`,
  ),
  cheat(
    "reads what others were asked",
    ["fail"],
    "import os\nfor fd in range(0, 64):\n  try:\n    os.lseek(fd, 0, 0)\n    os.write(1, os.read(fd, 1 << 16))\n  except OSError: pass",
  ),
];

const sprays: readonly HostileProgram[] = [
  cheat(
    "every answer, a line each",
    ["fail"],
    "for n in range(10 ** 5): print('answer-%05d' % n) if n < 80000 else None",
  ),
  cheat("every answer in one line", ["fail"], "print(*('answer-%05d' % n for n in range(20000, 30000)))"),
  cheat("every answer over the last", ["fail"], "print(*('answer-%05d' % n for n in range(20000, 30000)), sep='\\r')"),
  cheat(
    "every answer, wiped out",
    ["fail"],
    "print(*('answer-%05d' % n for n in range(20000, 30000)), sep='\\b' * 12)",
  ),
  cheatCall("every answer in a set", ["fail"], "def solve(n): return {'answer-%05d' % n for n in range(20000, 30000)}"),
  cheatCall(
    "every answer in a map",
    ["fail"],
    "def solve(n): return {'answer-%05d' % n: 'answer-%05d' % n for n in range(20000, 30000)}",
  ),
];

/** Held when they do not pass. */
export const fooling: readonly HostileProgram[] = [...exits, ...lies, ...judges, ...sprays];
