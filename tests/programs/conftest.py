"""Programs from PyPI that use lupa, run unchanged on ours; `make programs` installs them.

A maintainer who wonders whether an expectation here is right can run the tests in an environment
with PyPI's lupa: LUPA_TEST_PROGRAMS=pypi says that this is meant.
"""

import importlib.metadata
import os

import lupa

INSTALLED = os.environ.get("LUPA_TEST_PROGRAMS")

if INSTALLED is None:
    # The other commands that run tests have no such programs.
    collect_ignore_glob = ["test_*.py"]


def pytest_configure():
    """Refuse to test a lupa that is not the one meant."""
    if INSTALLED is None:
        return
    versions = [
        distribution.version
        for distribution in importlib.metadata.distributions()
        if distribution.metadata["Name"] == "lupa"
    ]
    assert versions == [lupa.__version__], versions
    ours = hasattr(lupa, "LuaTimeoutError")
    assert ours == (INSTALLED == "ours"), f"{lupa.__file__} is not the lupa to be tested"
