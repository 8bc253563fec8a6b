"""The seed document's examples, run as they are written."""

import doctest
import os
import pathlib

import pytest

EXAMPLES = 110
BESIDE_THE_REPOSITORY = (
    pathlib.Path(__file__).resolve().parents[3] / "shared" / "seed" / "lupa-readme.rst"
)
SEED = pathlib.Path(os.environ.get("LUPA_SEED", BESIDE_THE_REPOSITORY))


@pytest.mark.skipif(not SEED.exists(), reason=f"no seed document at {SEED}")
def test_all_examples_pass():
    text = SEED.read_text(encoding="utf-8")
    test = doctest.DocTestParser().get_doctest(text, {}, SEED.name, str(SEED), 0)
    # The document itself skips one more, which needs the luaposix module.
    test.examples = [example for example in test.examples if doctest.SKIP not in example.options]
    assert len(test.examples) == EXAMPLES
    report = []
    failed, attempted = doctest.DocTestRunner(verbose=False).run(test, out=report.append)
    assert failed == 0, "".join(report)
    assert attempted == EXAMPLES
