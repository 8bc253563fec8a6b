"""The fault table: what may go wrong between Python and Lua, each case in a process of its own.

`registry` says what a case is, the modules in `TOPICS` hold the cases, `runner` runs them and
prints the table (`make faults`), and `test_faults` gives them to pytest.
"""
