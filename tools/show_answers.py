"""Print the path of the report and one line for each of its answers."""

import argparse
import json
import sys
from pathlib import Path

from cineseq.text import first_sentence


def report_lines(answers: Path) -> list[str]:
    """Return the path of the report, then each question with the first sentence of its answer."""
    content = json.loads(answers.read_text(encoding="utf-8"))
    answers_in_brief = [f"{answer['question']} {first_sentence(answer['answer'])}" for answer in content["answers"]]
    return [f"Report: {content['report']}", *answers_in_brief]


def main() -> None:
    """Print the lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("answers", type=Path, help="answers.json of a run, such as results/demo/report/answers.json")
    sys.stdout.write("\n".join(report_lines(parser.parse_args().answers)) + "\n")


if __name__ == "__main__":
    main()
