"""The examples in the docstrings of the interface run and print what they say."""

import doctest
import importlib
import pkgutil

import pytest

import cineseq
from cineseq import api

MODULES = [module.name for module in pkgutil.iter_modules(api.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_say(name):
    module = importlib.import_module(f"cineseq.api.{name}")
    failed, _ = doctest.testmod(module)
    assert failed == 0


@pytest.mark.parametrize(
    "name", [name for name, module in cineseq._MODULES.items() if module.removeprefix("cineseq.api.") in MODULES]
)
def test_every_function_has_an_example(name):
    sections = ("Parameters", "Returns", "Raises", "Examples")
    text = getattr(cineseq, name).__doc__
    assert [section for section in sections if f"    {section}\n    ---" not in text] == []
