"""Loads the extension so that binary Lua modules find the Lua C API in it.

Such modules (``lua-cjson`` and the like) are not linked against a Lua library: they look for its
functions among the global symbols of the process.  Python loads extensions with local symbols, so
the flags are changed for this one import.  Where there are no such flags (Windows), binary modules
are not supported.
"""

import os
import sys

if hasattr(sys, "setdlopenflags"):
    _flags = sys.getdlopenflags()
    sys.setdlopenflags(os.RTLD_NOW | os.RTLD_GLOBAL)
    try:
        from lupa import _lupa  # noqa: F401
    finally:
        sys.setdlopenflags(_flags)
