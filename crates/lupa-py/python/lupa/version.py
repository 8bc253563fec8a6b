"""The version of this package; the package's metadata repeats it, and a test compares the two."""

__version__ = "2.9.0"
