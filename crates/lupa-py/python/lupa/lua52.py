"""Not part of this package: importing it says why, and what to import instead."""

from lupa._other_lua import refuse

refuse(__name__, "Lua 5.2")
