"""Score a result with py-ctcmetrics; run by ``bench_linking.py`` in the environment of the peers.

Prints TRA, LNK and BC(1), the F1 of divisions with a tolerance of one frame, as one line of JSON; null where a score is
undefined.
"""

import argparse
import json

from ctc_metrics import evaluate_sequence

NAMES = ("TRA", "LNK", "BC(1)")


def main() -> None:
    """Score and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--result", required=True)
    parser.add_argument("--truth", required=True, help="folder that holds TRA/man_track.txt and masks")
    options = parser.parse_args()
    found = evaluate_sequence(options.result, options.truth, ["Valid", "TRA", "LNK", "BC"], threads=1)
    print(json.dumps({name: None if (value := found.get(name)) is None else float(value) for name in NAMES}))


if __name__ == "__main__":
    main()
