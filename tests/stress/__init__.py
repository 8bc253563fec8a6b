"""Stress: many threads at once (`threads`), and millions of operations (`memory`); `make stress`."""
