"""The version of this package."""

from lupa import __version__ as __version__
