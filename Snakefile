"""cineseq: from a movie of living cells and their transcriptomes to associations with cell function."""

import os
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

min_version("9.27")
VERSION = "0.1.0"
FOLDER = Path(str(workflow.current_basedir))
# Jobs import much and keep it.
os.environ |= {"CINESEQ_GC_THRESHOLD": "10000"}
# The package of a checkout goes before one that is installed, here and in the jobs. A Snakefile that was fetched alone
# has none beside it.
SOURCE = FOLDER / "src"
if SOURCE.is_dir():
    sys.path.insert(0, str(SOURCE))
    places = filter(None, [str(SOURCE), os.environ.get("PYTHONPATH")])
    os.environ |= {"PYTHONPATH": os.pathsep.join(places)}

try:
    from cineseq import __file__ as PACKAGE, __version__ as INSTALLED
except ImportError as error:
    if error.name != "cineseq":
        raise
    raise WorkflowError(
        f"The package cineseq is not installed in {sys.prefix}, whose Python runs Snakemake: install version {VERSION} "
        "there (docs/deployment.md says how)."
    ) from None
if INSTALLED != VERSION:
    raise WorkflowError(
        f"The Snakefile is of cineseq {VERSION}, and the package in {Path(PACKAGE).parent} is of version {INSTALLED}: "
        f"install the package of version {VERSION}, or use the Snakefile of version {INSTALLED}."
    )

if not workflow.configfiles:
    # The configuration of the working folder, else the demo, which runs from any folder.
    HOME = Path() if Path("config/config.yaml").is_file() else FOLDER
    # A sheet that is named on the command line, or by a workflow that takes this one as a module, is never the demo's.
    NAMED = "samples" in config

    configfile: str(HOME / "config/config.yaml")

    if (
        not NAMED
        and not Path(config.get("samples", "")).is_file()
        and HOME == FOLDER
    ):
        config["samples"] = str(HOME / config["samples"])


include: "rules/common.smk"


# So that a lock that a killed run leaves can be told from another machine's.
onstart:
    note_machine(Path.cwd())


onsuccess:
    say(where_the_report_is(Path(f"results/{STUDY.run}"), STARTED))
    say_set_aside()


onerror:
    say(why_it_failed(map(Path, log)) + set_aside_lines(now_set_aside()))


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
