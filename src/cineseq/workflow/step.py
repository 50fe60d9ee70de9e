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

from cineseq.errors import SeriousRemarks, UserError
from cineseq.files import write_json


def run(main: Callable[..., None], snakemake: Any = None) -> None:
    """Call ``main`` with arguments from Snakemake or from the command line.

    Parameters
    ----------
    main
        Function of the step with keyword-only parameters, see the module docstring.
    snakemake
        Object that Snakemake adds to a script's globals; None on the command line.

    Raises
    ------
    SystemExit
        With status 1 when the step fails. A :class:`~cineseq.errors.UserError` is shown as one sentence, any other
        error with its traceback, in the rule's log and on the screen.

    Notes
    -----
    What :func:`cineseq.errors.warn_of` says is added to the notices of the step's ``report``.
    """
    atexit.register(gc.freeze)  # skips the garbage collection at exit, which takes a second when torch is loaded
    hints = get_type_hints(main)
    arguments = _from_snakemake(snakemake, hints) if snakemake is not None else from_command_line(main, hints)
    _check_names(main, arguments)
    log = Path(str(snakemake.log[0])) if snakemake is not None and snakemake.log else None
    remarks = SeriousRemarks()
    _start_logging(log, _field_of(arguments), remarks)
    name = Path(inspect.getfile(main)).stem if snakemake is None else snakemake.rule
    try:
        # Snakemake sets the BLAS and OpenMP variables of a job; this does the same on the command line.
        with threadpool_limits(limits=arguments.get("threads", 1)):
            main(**arguments)
        if remarks.texts and "report" in arguments:
            _add_notices(arguments["report"], remarks.texts)
    except UserError as error:
        logging.getLogger(name).error("%s", error)
        raise SystemExit(1) from None
    except Exception:
        logging.getLogger(name).exception("The step failed; this is a bug in cineseq or in a library that it uses.")
        raise SystemExit(1) from None


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
    handlers: list[logging.Handler] = [logging.StreamHandler(), remarks]
    if log is not None:
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
