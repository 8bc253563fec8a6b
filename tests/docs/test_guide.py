"""The examples in the documents run as they are written.

Each document is one session from top to bottom, as a reader would type it in.
"""

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted(ROOT.glob("docs/guide/*.md"))]

FENCE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def python_blocks(text):
    """The Python blocks of a Markdown text, on the lines on which they stand there."""
    lines = [""] * (text.count("\n") + 1)
    for match in FENCE.finditer(text):
        first = text.count("\n", 0, match.start(1))
        for offset, line in enumerate(match[1].splitlines()):
            lines[first + offset] = line
    return "\n".join(lines)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_examples(path):
    text = path.read_text(encoding="utf-8")
    blocks = python_blocks(text)
    examples = doctest.DocTestParser().get_doctest(blocks, {}, path.name, str(path), 0)
    report = []
    results = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(examples, out=report.append)
    assert not results.failed, "".join(report)


@pytest.mark.parametrize("path", DOCUMENTS[1:], ids=lambda path: path.stem)
def test_document_has_examples(path):
    if path.stem != "index":
        assert ">>> " in python_blocks(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_links_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_index_names_every_chapter():
    index = (ROOT / "docs/guide/index.md").read_text(encoding="utf-8")
    for path in ROOT.glob("docs/guide/*.md"):
        assert path.stem == "index" or f"({path.name})" in index
