"""Python functions for the rules; the other files of this folder contain only rules."""

import functools
import gc
import logging
import time

from cineseq.errors import UserError
from cineseq.workflow.fingerprint import content_of, fingerprint, rows_of
from cineseq.workflow.products import products_of
from cineseq.workflow.run_state import (
    note_machine,
    set_aside_lines,
    where_the_report_is,
    why_it_failed,
)
from cineseq.workflow.sample_sheet import present
from cineseq.workflow.set_aside import Record, read_records, too_many
from cineseq.workflow.study import check_study, open_study
from cineseq.workflow.targets import (
    all_files,
    files_of_report,
    files_of_target,
    is_made,
    step_reports,
    steps_of,
)
from snakemake.exceptions import WorkflowError
from snakemake.io import flag

# Planning creates millions of objects that live until its end, so collecting garbage costs more than it frees.
# This applies to Snakemake's own processes, not to the steps.
gc.set_threshold(1_000_000)

# Every job reads this file again; only the planning process warns about old names.
if not workflow.is_main_process:
    logging.getLogger("cineseq.deprecation").setLevel(logging.ERROR)

try:
    STUDY = open_study(config, [Path(name) for name in workflow.configfiles])
    if workflow.is_main_process:
        check_study(STUDY)
except UserError as error:
    raise WorkflowError(str(error)) from None

# Steps off the longest chain wait for cores that the chain leaves idle. This needs the greedy scheduler.
LATER = -1
STARTED = time.time()
settings = STUDY.settings
field_settings = STUDY.field_settings


def code(script, templates=None):
    """Return a function of wildcards for the fingerprint of the code that a rule uses, and of the templates it fills in.

    A job then reads the code of its own step only.
    """
    path = Path(workflow.source_path(f"../scripts/{script}"))

    @functools.cache
    def of_code():
        return fingerprint(path, templates)

    return lambda wildcards: of_code()


# How a step on a field runs, for ``cineseq.workflow.guard``. Snakemake's own processes on other machines do not know how
# often a job is repeated; there the limits of the scheduler hold.
GUARDED = "limits" if workflow.remote_exec else "on"
os.environ |= {"CINESEQ_GUARD": GUARDED if STUDY.may_fail else "off"}
if workflow.is_main_process and workflow.execution_settings:
    os.environ |= {"CINESEQ_RETRIES": str(workflow.execution_settings.retries)}
RECORDS = read_records(Path(f"results/{STUDY.run}"))


def tries(step):
    """Return a function of wildcards: how often a step has run out of memory or time, so that it is tried again."""

    def of(wildcards):
        return RECORDS.get((step, wildcards.sample, wildcards.fov), Record()).tries

    return of


def now_set_aside():
    """Return why fields of view of this study are set aside now, at the end of a run."""
    fields, steps = {(e.sample, e.fov) for e in STUDY.entries}, steps_of(STUDY)[0]
    found = read_records(Path(f"results/{STUDY.run}")).items()
    known = (
        record.status
        for (step, *field), record in found
        if step in steps and tuple(field) in fields
    )
    return [status for status in known if status]


def say_set_aside():
    """Say which fields are set aside, and fail if they are too many, for targets that end before the table of fields."""
    failed = now_set_aside()
    say(set_aside_lines(failed))
    if excess := too_many(failed, len(STUDY.entries), STUDY.config.run.may_fail):
        raise WorkflowError(excess)


def content(*sources):
    """Return a function of wildcards that tells the content of the user's files, so that a replaced one is noticed.

    Of a table that several samples share, a step on one field sees the rows of its sample. The function does not take
    the inputs of the job: Snakemake compares no parameter that is derived from them. Paths do not count.
    """

    def of(wildcards):
        names = [name for s in sources for name in (s(wildcards) if callable(s) else s)]
        sample = getattr(wildcards, "sample", "")
        return list(content_of(names, sample, STUDY.shared_tables).values())

    return of


def given(names, sample=""):
    """Mark files of the user whose content ``content`` tells whole, so that their dates and folders do not count.

    These are files by absolute paths, such as models, of which the name counts, and tables that samples share. A large
    file by a relative path keeps its date, which tells a change of few bytes.
    """
    shared = {n for n in names if n in STUDY.shared_tables and rows_of(Path(n), sample)}
    marked = [ancient(n) if n in shared else n for n in names]
    return [
        flag(n, "sourcecache_entry", Path(n).name) if Path(n).is_absolute() else n
        for n in marked
    ]


def model(names):
    """Mark the file of a model: neither its date nor its folder counts, but its content."""
    return given([ancient(n) if Path(n).is_absolute() else n for n in names])


def say(lines):
    """Print lines to Snakemake's output."""
    print(*lines, sep="\n", end="\n" if lines else "", file=sys.stderr)


def from_sheet(column):
    """Return an input function for the files of a field of view in the sheet; an empty list if the column is empty."""
    if not STUDY.has(column):
        return []

    def files(wildcards):
        try:
            names = STUDY.files(wildcards.sample, wildcards.fov, column)
            what = f"sample {wildcards.sample}, field {wildcards.fov}, {column}"
            return given(present(names, what), wildcards.sample)
        except UserError as error:
            raise WorkflowError(str(error)) from None

    return files


def from_sheet_by_sample(column):
    """Return an input function for the files of a column of the sheet, once per sample."""

    def files(wildcards):
        try:
            return given(STUDY.present_files(column))
        except UserError as error:
            raise WorkflowError(str(error)) from None

    return files


def annotated(column):
    """Return an input function for the annotated frames, or their masks, of the section train."""

    def files(wildcards):
        try:
            return given(STUDY.training_files(column))
        except UserError as error:
            raise WorkflowError(str(error)) from None

    return files


def all_inputs(wildcards):
    """Return every file that the sheet names."""
    try:
        return STUDY.inputs
    except UserError as error:
        raise WorkflowError(str(error)) from None


def of_fields(name, wanted=True):
    """Return an input function for one product of every field of view, in the order of the sheet."""

    def products(wildcards):
        return (
            [f"<results>/fov/{e.sample}/{e.fov}/{name}" for e in STUDY.entries]
            if wanted
            else []
        )

    return products


def reports_of_fields(step):
    """Return an input function for the report of a step on every field of view, in the order of the sheet."""

    def reports(wildcards):
        return [
            f"<results>/reports/{step}/{e.sample}@{e.fov}.json" for e in STUDY.entries
        ]

    return reports


def true_masks(wildcards):
    """Return the true masks of every simulated field of view, in the order of the sheet."""
    folder = "<results>/experiment/truth/masks"
    return [f"{folder}/{e.sample}_{e.fov}.ome.tif" for e in STUDY.entries]


def outputs_of(step):
    """Return the products of a rule in the registry, by name."""
    made = [product for product in products_of(step) if is_made(product, STUDY)]
    return {p.name: directory(p.file) if p.is_folder else p.file for p in made}


def results_in_report(wildcards):
    """Return the tables and figures that the report reads."""
    return files_of_report(STUDY)


def reports_of_steps(wildcards):
    """Return the report of every step that runs in this study."""
    return step_reports(STUDY)


def everything(wildcards):
    """Return the files of every target that the data allow."""
    return all_files(STUDY)


def movie_output(path):
    """Return the movie's path, marked as temporary unless the configuration keeps movies."""
    return path if STUDY.config.keep_movies else temp(path)


def if_there(wanted, *paths):
    """Return the paths if they will exist in this run, else an empty list."""
    return list(paths) if wanted else []


MOVIE = if_there(STUDY.has("images"), "<results>/fov/{sample}/{fov}/movie.ome.tif")


def target(name):
    """Return an input function for the files of a target; it fails with one sentence if the sheet lacks data for it."""

    def files(wildcards):
        try:
            return files_of_target(STUDY, name)
        except UserError as error:
            raise WorkflowError(str(error)) from None

    return files


def growing(least):
    """Return a resource function for memory (MB) that grows with every attempt."""
    return lambda wildcards, attempt: least * attempt


def memory(least, per_mb):
    """Return a resource function for the memory (MB) of a step that loads counts, which grows with its inputs.

    The paired data are not compressed, so the size of their file is that of the counts and their logarithm in memory.
    """

    def mb(wildcards, input, attempt):
        return attempt * max(least, least // 2 + int(per_mb * input.size_mb))

    return mb
