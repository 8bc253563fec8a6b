"""Checks that an example shows each public item of a Rust crate, by what rustdoc tells in JSON.

An item is shown by an example of its own page: its own, that of its type or trait, or that of another
method there.  A free function is a page of its own, as are a type, a trait and a macro.

    rust_examples.py target/doc/lupa_core.json
"""

import json
import re
import sys
from pathlib import Path

PAGES = {"struct", "enum", "trait", "type_alias", "macro", "function"}
RUST_BLOCK = re.compile(r"^\s*```([^\n`]*)\n(.*?)^\s*```\s*$", re.MULTILINE | re.DOTALL)
# Marks of a block that is no Rust, or that is not run.
NOT_RUN = {"text", "lua", "toml", "sh", "console", "ignore", "no_run"}


def kind_of(item):
    return next(iter(item["inner"]))


def examples(item):
    """The examples in the documentation of an item, as one text."""
    blocks = RUST_BLOCK.findall(item["docs"] or "")
    return "\n".join(code for marks, code in blocks if not NOT_RUN & set(re.split(r"[ ,]", marks)))


def blocks(index, page):
    """The `impl` blocks on the page of a type, apart from those of traits."""
    inner = page["inner"][kind_of(page)]
    found = (
        [index.get(str(block)) for block in inner.get("impls", ())]
        if isinstance(inner, dict)
        else []
    )
    return [block for block in found if block and block["inner"]["impl"]["trait"] is None]


def methods(index, page):
    """The functions on the page of a type or trait, apart from what it has by a trait."""
    of_a_trait = page["inner"]["trait"]["items"] if kind_of(page) == "trait" else []
    of_a_type = [item for block in blocks(index, page) for item in block["inner"]["impl"]["items"]]
    for items, visibility in ((of_a_trait, "default"), (of_a_type, "public")):
        for item in items:
            item = index.get(str(item))
            if item and kind_of(item) == "function" and item["visibility"] == visibility:
                yield item


def not_shown(index):
    """What no example shows, as a set of places and names.  What a macro writes for several types is one item."""
    pages = [
        (page, list(methods(index, page)))
        for page in index.values()
        if page["crate_id"] == 0 and kind_of(page) in PAGES and page["visibility"] == "public"
    ]
    of_types = {member["id"] for _, members in pages for member in members}
    names, shown = {}, set()

    def look(item, name, text):
        place = item["span"]["filename"], item["span"]["begin"][0], item["name"]
        names.setdefault(place, name)
        if text:
            shown.add(place)

    for page, members in pages:
        if page["id"] in of_types:
            continue
        text = "\n".join(map(examples, [page, *blocks(index, page), *members]))
        look(page, page["name"], examples(page) or re.search(rf"\b{page['name']}\b", text))
        for member in members:
            used = re.search(rf"(\.|::|\bfn ){member['name']}\b", text)
            look(member, f"{page['name']}::{member['name']}", used)
    return {
        (file, line, name)
        for (file, line, _), name in names.items()
        if (file, line, _) not in shown
    }


def main(path):
    index = json.loads(Path(path).read_text(encoding="utf-8"))["index"]
    missing = sorted(not_shown(index))
    for file, line, name in missing:
        print(f"{file}:{line}: no example shows {name}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
