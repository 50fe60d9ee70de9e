"""Score a result with py-ctcmetrics; run by ``bench_linking.py`` in the environment of the peers.

Prints TRA and LNK as one line of JSON.
"""

import argparse
import json

from ctc_metrics import evaluate_sequence


def main() -> None:
    """Score and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--result", required=True)
    parser.add_argument("--truth", required=True, help="folder that holds TRA/man_track.txt and masks")
    options = parser.parse_args()
    found = evaluate_sequence(options.result, options.truth, ["Valid", "TRA", "LNK"], threads=1)
    print(json.dumps({name: float(found[name]) for name in ("TRA", "LNK")}))


if __name__ == "__main__":
    main()
