"""The other side of bench/verify.ts: Math-Verify at its default settings, in one process that stays warm between requests.

    python bench/verify_peer.py

The first line of output is {version, python}. Each line of input is then {path, dataset, minSeconds}: the rows of that file whose
dataset matches the pattern are judged one after the other, the gold answer in a box, again and again until minSeconds of CPU time are
spent. The reply is {perSecond, verdicts}: rows per CPU-second of the parse and verify calls alone, without reading the file or
importing, and true or false for each row.
"""

import json
import logging
import platform
import re
import sys
import time
from importlib.metadata import PackageNotFoundError, version

from math_verify import parse, verify

logging.disable(logging.CRITICAL)
try:
    installed = version("math-verify")
except PackageNotFoundError:
    installed = "not installed as a package"
print(json.dumps({"version": installed, "python": platform.python_version()}), flush=True)

for line in sys.stdin:
    request = json.loads(line)
    with open(request["path"], encoding="utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if re.search(request["dataset"], row["dataset"])]
    num_passes = 0
    start = time.process_time()
    while num_passes == 0 or time.process_time() - start < request["minSeconds"]:
        verdicts = [verify(parse("\\boxed{" + row["gold"] + "}"), parse(row["pred"])) for row in rows]
        num_passes += 1
    per_second = num_passes * len(rows) / (time.process_time() - start)
    print(json.dumps({"perSecond": per_second, "verdicts": verdicts}), flush=True)
