"""Writes small Parquet files with pyarrow, for test/dataset/parquet.test.ts.

usage: python make_parquet.py DIR
"""

import datetime
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

table = pa.table(
    {
        "question": pa.array(["1+1?", "山 × é 😀\u2028?", None]),
        "answer": pa.array(["2", "3", "4"]),
        "level": pa.array([1, 2, 3], pa.int64()),
        "huge": pa.array([2**53 + 1, 0, -1], pa.int64()),
        "score": pa.array([0.5, None, 2.0], pa.float64()),
        "numbers": pa.array([[44, 19, 35], [], [1]], pa.list_(pa.int64())),
        "prompt": pa.array([[{"role": "user", "content": f"{n}+1?"}] for n in range(3)]),
        "reward_model": pa.array([{"ground_truth": str(n), "style": "rule"} for n in range(3)]),
        "seen": pa.array([datetime.datetime(2025, 1, 2, 3, 4, 5)] * 3, pa.timestamp("ms")),
    }
)
for compression in ("snappy", "zstd", "gzip"):
    pq.write_table(table, Path(sys.argv[1]) / f"rows.{compression}.parquet", compression=compression, row_group_size=2)
