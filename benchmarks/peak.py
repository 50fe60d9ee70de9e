"""Run a script like ``python script arguments``, then print its seconds and peak memory as one line of JSON."""

import json
import runpy
import sys
import time
from pathlib import Path

from scores import own_peak_gb

if __name__ == "__main__":
    sys.argv = sys.argv[1:]
    sys.path.insert(0, str(Path(sys.argv[0]).parent))
    started = time.perf_counter()
    runpy.run_path(sys.argv[0], run_name="__main__")
    print(json.dumps({"seconds": time.perf_counter() - started, "peak_gb": own_peak_gb()}))
