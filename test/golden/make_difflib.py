"""Golden values of difflib: ratios and unified diffs. python3 test/golden/make_difflib.py > test/golden/difflib.json"""

import difflib
import json
import platform
import random

random.seed(20250218)


def ratio(a, b, autojunk):
    return difflib.SequenceMatcher(None, a, b, autojunk=autojunk).ratio()


def blocks(a, b, autojunk):
    found = difflib.SequenceMatcher(None, a, b, autojunk=autojunk).get_matching_blocks()
    return [list(block) for block in found[:-1]]


def diff(a, b, n):
    lines = list(difflib.unified_diff(a.splitlines(), b.splitlines(), "old", "new", lineterm="", n=n))
    return "\n".join(lines[2:])


ALPHABETS = ["ab", "abc ", "0123456789", "abcdefghijklmnopqrstuvwxyz (){}=.,\n", "xy\U0001d465é漢\U0001f600", " \t\n"]
WORDS = "def return self if else for in x y value total = + - ( ) : [ ] None True import".split()


def text():
    alphabet = random.choice(ALPHABETS)
    return "".join(random.choice(alphabet) for _ in range(random.choice([0, 1, 3, 10, 40, 120])))


def code(num_lines):
    return "\n".join(
        " " * (4 * random.randrange(3)) + " ".join(random.choice(WORDS) for _ in range(random.randrange(0, 7)))
        for _ in range(num_lines)
    )


def edited(source):
    units = list(source) if random.random() < 0.5 else source.split(" ")
    joint = "" if len(units) == len(source) else " "
    for _ in range(random.randrange(1, 6)):
        at = random.randrange(len(units) + 1)
        kind = random.randrange(4)
        if kind == 0:
            units[at:at] = random.choice(WORDS)
        elif kind == 1:
            del units[at : at + random.randrange(1, 5)]
        elif kind == 2 and units:
            units[min(at, len(units) - 1)] = random.choice(WORDS)
        else:
            other = random.randrange(len(units) + 1)
            units[at:at] = units[other : other + 4]
    return joint.join(units)


pairs = [("abcd", "bcde"), ("", ""), ("", "a"), ("a", ""), ("aaaa", "aaaaaaaa"), ("ab" * 30, "ba" * 30)]
pairs += [(" x\n-a1\n+a2\n", " x\n-a1\n+a3\n"), ("qabxcd", "abycdf"), ("private Thread x", "private volatile Thread x")]
pairs += [(text(), text()) for _ in range(60)]
for _ in range(80):
    one = text()
    pairs.append((one, edited(one)))
for _ in range(60):
    one = code(random.choice([1, 3, 8, 15]))
    pairs.append((one, edited(one)))
# 200 and more elements, where popular ones do not begin a run.
for size in [199, 200, 201, 250, 300]:
    one = "".join(random.choice("abcdefghij") for _ in range(size))
    pairs += [(one[5:] + "xyz", one), (one, edited(one)), (edited(one), one)]
    letters = "".join(chr(97 + index % 26) + random.choice("\n ") for index in range(size))
    pairs += [(edited(letters), letters)]

strings = [
    {"a": a, "b": b, "ratio": ratio(a, b, False), "junked": ratio(a, b, True), "blocks": blocks(a, b, False)}
    for a, b in pairs
]

diffs = []
for _ in range(60):
    one = code(random.choice([0, 1, 5, 12, 30]))
    for n in [0, 1, 3]:
        two = edited(one) if random.random() < 0.9 else one
        diffs.append({"a": one, "b": two, "n": n, "diff": diff(one, two, n)})
for one, two in [
    ("a\r\nb\rc\x0bd\x0ce\x1cf\x1dg\x1eh\x85i\u2028j\u2029k\n", "a\nb\nc\nX\nd\n"),
    ("a\n\nb", "a\n\n\nb\n"),
    ("", "a\nb\n"),
    ("a\nb\n", ""),
    ("x\n" * 230 + "tail\n", "x\n" * 120 + "new\n" + "x\n" * 110 + "tail\n"),
    ("\n".join(str(i % 90) for i in range(240)), "\n".join(str(i % 90) for i in range(3, 240))),
]:
    diffs.append({"a": one, "b": two, "n": 3, "diff": diff(one, two, 3)})

made = {"command": "python3 test/golden/make_difflib.py", "python": platform.python_version(), "seed": 20250218}
print(json.dumps({"made": made, "strings": strings, "diffs": diffs}, separators=(",", ":")))
