"""cineseq: from a movie of living cells and their transcriptomes to what goes with what a cell did."""

import os
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")
FOLDER = Path(workflow.current_basedir)
# The package of this checkout goes before one that is installed, here and in the jobs.
sys.path.insert(0, str(FOLDER / "src"))
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(FOLDER / "src"), os.environ.get("PYTHONPATH")])
)

if not workflow.configfiles:

    configfile: "config/config.yaml"


include: "rules/common.smk"


# So that a lock that a killed run leaves can be told from another machine's.
onstart:
    note_machine(Path.cwd())


onsuccess:
    say(where_the_report_is(Path(f"results/{STUDY.run}"), STARTED))


onerror:
    say(why_it_failed(map(Path, log)))


pathvars:
    results=f"results/{STUDY.run}",
    logs=f"results/{STUDY.run}/logs",
    benchmarks=f"results/{STUDY.run}/benchmarks",


wildcard_constraints:
    sample="[^/]+",
    fov="[^/]+",


rule all:
    """Make everything that the given data allow."""
    default_target: True
    input:
        everything,


include: "rules/targets.smk"
include: "rules/experiment.smk"
include: "rules/models.smk"
include: "rules/inputs.smk"
include: "rules/imaging.smk"
include: "rules/features.smk"
include: "rules/pairing.smk"
include: "rules/analysis.smk"
include: "rules/report.smk"
