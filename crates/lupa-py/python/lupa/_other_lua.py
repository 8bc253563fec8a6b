"""What importing a Lua version says that this package does not contain."""

from __future__ import annotations

from typing import NoReturn


def refuse(module: str, language: str) -> NoReturn:
    """Raise the ImportError for ``module``, which would be an implementation of ``language``."""
    raise ImportError(
        f"{module} is not available: this lupa contains LuaJIT 2.1, which speaks Lua 5.1 with"
        f" some extensions, and no {language}."
        " Import lupa itself, lupa.luajit21 or lupa.lua51 instead.",
        name=module,
    )
