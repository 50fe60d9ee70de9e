"""Run a step's ``main`` from Snakemake or from the command line.

A step is a function with keyword-only parameters: ``Path`` and ``list[Path]`` parameters are files, ``settings`` is a
nested model, ``threads`` is the number of threads. Names equal those of the rule's input, output and params.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import inspect
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import yaml
from pydantic import BaseModel, ValidationError
from threadpoolctl import threadpool_limits

from cineseq.errors import SeriousRemarks, UserError, reason
from cineseq.files import write_json
from cineseq.workflow import guard
from cineseq.workflow.set_aside import status_of


def run(main: Callable[..., None], snakemake: Any = None, *, kept_only: bool = True) -> None:
    """Call ``main`` with arguments from Snakemake or from the command line.

    Fields of view that are set aside are left out of lists of files.

    Parameters
    ----------
    main
        Function of the step with keyword-only parameters, see the module docstring.
    snakemake
        Object that Snakemake adds to a script's globals; None on the command line.
    kept_only
        Whether ``main`` sees no file of a field of view that is set aside.

    Raises
    ------
    SystemExit
        When the step fails: with status 65 for a :class:`~cineseq.errors.UserError`, which is shown as one sentence, 70
        for any other error, with its traceback, and 75 where memory ran out. They are in the rule's log, from which the
        run says them at its end; on the command line they are on the screen.

    Notes
    -----
    What :func:`cineseq.errors.warn_of` says is added to the notices of the step's ``report``.
    """
    atexit.register(gc.freeze)  # skips the garbage collection at exit, which takes a second when torch is loaded
    guard.started()
    hints = get_type_hints(main)
    arguments = _from_snakemake(snakemake, hints) if snakemake is not None else from_command_line(main, hints)
    _check_names(main, arguments)
    log = Path(str(snakemake.log[0])) if snakemake is not None and snakemake.log else None
    remarks = SeriousRemarks()
    _start_logging(log, _field_of(arguments), remarks)
    if snakemake is not None and kept_only:
        leave_out_set_aside(arguments, [name for name, _ in snakemake.input.items()])
    name = Path(inspect.getfile(main)).stem if snakemake is None else snakemake.rule
    try:
        # Snakemake sets the BLAS and OpenMP variables of a job; this does the same on the command line.
        with threadpool_limits(limits=arguments.get("threads", 1)):
            main(**arguments)
        if remarks.texts and "report" in arguments:
            _add_notices(arguments["report"], remarks.texts)
    except UserError as error:
        logging.getLogger(name).error("%s", error)
        raise SystemExit(guard.failed(error, str(error), refused=True)) from None
    except Exception as error:
        sentence = f"The step failed; this is a bug in cineseq or in a library that it uses ({reason(error)})."
        logging.getLogger(name).exception("%s", sentence)
        raise SystemExit(guard.failed(error, sentence, refused=False)) from None


def leave_out_set_aside(arguments: dict[str, Any], inputs: list[str]) -> None:
    """Leave out the files of fields of view that are set aside, in place.

    A field is left out of all lists of a step, which stay parallel, if one of its files there is a placeholder. Reports
    of steps stay for the steps that succeeded. A single file that is a placeholder is None.

    Parameters
    ----------
    arguments
        The arguments of ``main``.
    inputs
        Names of those that are inputs.
    """
    lists = {name: arguments[name] for name in inputs if isinstance(arguments[name], list)}
    for name in inputs:
        if isinstance(arguments[name], Path) and status_of(arguments[name]) is not None:
            arguments[name] = None
    absent = {path: status for paths in lists.values() for path in paths if (status := status_of(path)) is not None}
    if not absent:
        return
    fields = {status.field for path, status in absent.items() if not _is_report(path)}
    for name, paths in lists.items():
        arguments[name] = [p for p in paths if p not in absent and not _is_of(p, fields)]
    if fields:
        names = ", ".join(f"{sample}/{fov}" for sample, fov in sorted(fields))
        logging.getLogger("cineseq").warning("Left out, since they are set aside: %s.", names)


def _is_report(path: Path) -> bool:
    return path.suffix == ".json" and "@" in path.stem


def _is_of(path: Path, fields: set[tuple[str, str]]) -> bool:
    """Whether a file is a product of one of the fields of view, or its true masks; a report is not meant."""
    if _is_report(path):
        return False
    parts = path.parts
    if "truth" in parts:
        return path.name.removesuffix(".ome.tif") in {f"{sample}_{fov}" for sample, fov in fields}
    return parts[-3:-1] in fields and parts[-4:-3] == ("fov",)


def _add_notices(report: Path, texts: list[str]) -> None:
    """Add serious remarks to the lines and notices of a report that the step has written."""
    content = json.loads(report.read_text(encoding="utf-8"))
    notices = content.setdefault("notices", [])
    content["lines"] += [text for text in texts if text not in content["lines"]]
    said = [notice["text"] for notice in notices]
    notices += [{"level": "serious", "text": text} for text in texts if text not in said]
    write_json(content, report)


def _field_of(arguments: dict[str, Any]) -> str:
    """Return the name of a step's field of view for the lines of its log; empty for a step of the study."""
    field = getattr(arguments.get("settings"), "field", None)
    return "" if field is None else f", sample {field.sample}, field {field.fov}"


def _start_logging(log: Path | None, where: str, remarks: SeriousRemarks) -> None:
    screen = logging.StreamHandler()
    handlers: list[logging.Handler] = [screen, remarks]
    if log is not None:
        screen.addFilter(lambda record: record.levelno < logging.ERROR)  # the run says errors at its end
        log.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(log, "w"))
    for handler in handlers:
        handler.addFilter(_matters)
    layout = f"%(asctime)s %(levelname)s %(name)s{where}: %(message)s"
    logging.basicConfig(level="INFO", format=layout, datefmt="%H:%M:%S", handlers=handlers, force=True)
    logging.captureWarnings(capture=True)


def _matters(record: logging.LogRecord) -> bool:
    """Filter out messages that libraries send to the root logger, as mudata does about its options."""
    return record.name != "root" or record.levelno > logging.INFO


def _check_names(main: Callable[..., None], arguments: dict[str, Any]) -> None:
    parameters = inspect.signature(main).parameters
    unknown = sorted(arguments.keys() - parameters.keys())
    missing = sorted(n for n, p in parameters.items() if p.default is p.empty and n not in arguments)
    if unknown or missing:
        msg = f"{main.__module__}: rule and script disagree; unknown {unknown}, missing {missing}"
        raise TypeError(msg)


def _from_snakemake(snakemake: Any, hints: dict[str, Any]) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for files in (snakemake.input, snakemake.output):
        for name, value in files.items():
            arguments[name] = _as_paths(value, hints.get(name))
    for name, value in snakemake.params.items():
        if not name.startswith("_"):
            hint = hints.get(name)
            arguments[name] = hint.model_validate(value) if hint is not None and _is_model(hint) else value
    if "threads" in hints:
        arguments["threads"] = snakemake.threads
    return arguments


def _as_paths(value: Any, hint: Any) -> Any:
    """Convert Snakemake's file(s) to the type of the hint: one path, a list of paths, or None for an absent file."""
    many = not isinstance(value, str)
    if hint == list[Path]:
        return [Path(v) for v in value] if many else [Path(value)]
    if many and len(value) > 1:
        msg = f"one file was expected, {len(value)} were given ({', '.join(map(str, value))}); join them into one."
        raise UserError(msg)
    if many:
        return Path(value[0]) if len(value) else None
    return Path(value)


def _is_model(hint: Any) -> bool:
    return inspect.isclass(hint) and issubclass(hint, BaseModel)


def _is_optional(hint: Any) -> bool:
    return get_origin(hint) in (Union, UnionType) and type(None) in get_args(hint)


def from_command_line(main: Callable[..., None], hints: dict[str, Any]) -> dict[str, Any]:
    """Parse the arguments of ``main`` from the command line, by name; ``hints`` has the types of all arguments.

    Raises
    ------
    SystemExit
        With status 2 when an argument is missing, unknown or of the wrong type.
    """
    parser = argparse.ArgumentParser(description=inspect.getdoc(main))
    for name, parameter in inspect.signature(main).parameters.items():
        hint = hints[name]
        kind: dict[str, Any] = {"type": hint}
        if hint == list[Path]:
            kind = {"type": Path, "nargs": "*"}
        elif _is_optional(hint):
            kind = {"type": Path}
        elif _is_model(hint):
            kind = {"type": lambda text, model=hint: _model_from_text(text, model), "help": "JSON, or @file.yaml"}
        required = parameter.default is parameter.empty and not _is_model(hint)
        default = hint() if _is_model(hint) else None if required else parameter.default
        parser.add_argument(f"--{name.replace('_', '-')}", required=required, default=default, **kind)
    return vars(parser.parse_args(sys.argv[1:]))


def _model_from_text(text: str, model: type[BaseModel]) -> BaseModel:
    raw = yaml.safe_load(Path(text[1:]).read_text()) if text.startswith("@") else json.loads(text)
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
