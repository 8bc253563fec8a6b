"""Deliberate differences (design, section 5): what ends PyPI's process ends in an exception here: memory and recursion."""


def test_the_limit_and_values_from_python(outcome_of):
    lines = outcome_of("""
        lua = LuaRuntime(max_memory=1_000_000)
        big = "x" * 10_000_000
        table, echo = lua.table(), lua.eval("function(...) end")
        print(error_of(echo, big))
        print(error_of(echo, big.encode()))
        print(error_of(table.__setitem__, "x", big))
        print(error_of(table.__setitem__, big, "x"))
        print(error_of(lua.table_from, range(1_000_000)))
        print(error_of(lua.table_from, {f"key{n}": n for n in range(100_000)}))
        print(error_of(lua.execute, "local x = (...)()", lambda: big))
        print(error_of(lua.execute, "local x = (...)[0]", [big]))
        print(error_of(lua.execute, "x = '" + big + "'"))
        lua.gccollect()
        print(lua.get_memory_used() < 1_000_000, lua.get_max_memory())
    """)
    assert [line.partition(":")[0] for line in lines] == ["LuaMemoryError"] * 9 + ["True 1000000"]


def test_the_limit_and_many_objects(outcome_of):
    lines = outcome_of("""
        lua = LuaRuntime(max_memory=500_000)
        kept = []
        def fill():
            while True:
                kept.append(lua.table(object()))
        print(error_of(fill))
        kept.clear()
        lua.gccollect()
        gc.collect()
    """)
    assert lines[0].startswith("LuaMemoryError")


def test_every_limit_is_survived(outcome_of):
    lines = outcome_of("""
        errors = 0
        for limit in range(100, 60_000, 100):
            small = LuaRuntime(max_memory=limit)
            try:
                table = small.table_from({"a": [1, 2], "b": "x" * 1000}, recursive=True)
                co = small.eval("function(f) f() coroutine.yield({}) end").coroutine(lambda: small.table(1))
                next(co)
                small.execute("local t = {} for i = 1, 100 do t[i] = {i} end error(t)")
            except MemoryError:
                errors += 1
            except LuaError:
                pass
            del small
        print(errors > 10)
    """)
    assert lines == ["True"]


def test_large_temporaries_do_not_pile_up(outcome_of):
    lines = outcome_of("""
        class Big(bytearray):
            pass

        # With a large heap of its own Lua's collector takes its time.
        lua.execute("heap = {} for i = 1, 300000 do heap[i] = {i} end collectgarbage()")
        refs, peak = [], 0
        for number in range(1000):
            big = Big(1_000_000)
            refs.append(weakref.ref(big))
            lua.eval("type(...)", big)
            del big
            refs = [ref for ref in refs if ref() is not None]
            peak = max(peak, len(refs))
        print(peak < 200, peak)
    """)
    assert lines[0].startswith("True"), lines


def test_errors_at_the_limit_stay_themselves(outcome_of):
    """The traceback of an error needs memory, too, when there is none left."""
    code = """
        class Own(Exception):
            pass

        def fail():
            raise Own

        seen = set()
        for extra in range(0, 64_000, 320):
            small = LuaRuntime(max_memory=1_000_000 + extra)
            fill, held = small.eval(
                "function() while true do held[#held + 1] = ('x'):rep(500) .. #held end end"
            ), small.table()
            small.globals().held = held
            run = small.eval("function(fill, fail) pcall(fill); fail() end")
            seen.add(error_of(run, fill, fail))
        print(*sorted(seen), sep="\\n")
    """
    # The call of `fail` may be what memory does not suffice for.
    assert set(outcome_of(code)) <= {"Own: ", "LuaMemoryError: not enough memory"}
