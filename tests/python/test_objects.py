"""Python objects in Lua: indexing, tostring, identity, python.none, builtins and eval."""

import builtins
import threading
import types

import pytest

import lupa


class Point:
    kind = "point"

    def __init__(self, x=0, y=0):
        self.x, self.y = x, y

    def __str__(self):
        return f"({self.x}, {self.y})"


class Both:
    """Has items and attributes of the same names."""

    name = "attribute"

    def __init__(self):
        self.items = {}

    def __getitem__(self, key):
        return self.items.get(key, f"item {key}")

    def __setitem__(self, key, value):
        self.items[key] = value


# reading


def test_attributes(lua):
    point = Point(3, 4)
    assert lua.eval("(...).x + (...)['y']", point) == 7
    assert lua.eval("(...).kind", point) == "point"
    assert lua.eval("(...).__class__", point) is Point


def test_missing_attributes(lua):
    with pytest.raises(AttributeError, match="'Point' object has no attribute 'z'"):
        lua.eval("(...).z", Point())


@pytest.mark.parametrize("key", ["1", "1.5", "true", "nil", "python.none"])
def test_attribute_names_must_be_strings(lua, key):
    with pytest.raises(TypeError, match="attribute name must be string"):
        lua.eval(f"(...)[{key}]", Point())


def test_items_of_lists_start_at_zero(lua):
    assert lua.eval("(...)[0]", ["first", "second"]) == "first"
    assert lua.eval("(...)[-1]", ["first", "second"]) == "second"
    assert lua.eval("(...)[1.0]", ["first", "second"]) == "second"


def test_items_of_dicts(lua):
    mapping = {"x": 1, 2: "two", None: "none", 1.5: "half", True: "yes"}
    assert lua.eval("(...).x", mapping) == 1
    assert lua.eval("(...)[2]", mapping) == "two"
    assert lua.eval("(...)[nil]", mapping) == "none"
    assert lua.eval("(...)[python.none]", mapping) == "none"
    assert lua.eval("(...)[1.5]", mapping) == "half"
    assert lua.eval("(...)[true]", mapping) == "yes"


def test_missing_items(lua):
    with pytest.raises(KeyError, match="'x'"):
        lua.eval("(...).x", {})
    with pytest.raises(IndexError, match="list index out of range"):
        lua.eval("(...)[5]", [1])
    with pytest.raises(TypeError, match="list indices must be integers or slices, not str"):
        lua.eval("(...).append", [1])


def test_items_are_preferred_to_attributes(lua):
    assert lua.eval("(...).name", Both()) == "item name"
    assert lua.eval("(...).name", lupa.as_attrgetter(Both())) == "attribute"


def test_a_class_with_getitem_counts_as_having_items(lua):
    with pytest.raises(TypeError, match="is not subscriptable"):
        lua.eval("(...).name", Both)
    assert lua.eval("python.as_attrgetter(...).name", Both) == "attribute"


def test_values_are_converted_on_the_way(lua):
    inner = [1]
    assert lua.eval("type((...)[0])", [1]) == "number"
    assert lua.eval("type((...)[0])", ["x"]) == "string"
    assert lua.eval("type((...)[0])", [None]) == "nil"
    assert lua.eval("(...)[0]", [inner]) is inner
    assert lua.eval("type((...)[0])", [lua.table()]) == "table"


def test_errors_of_properties_come_through(lua):
    class Broken:
        @property
        def value(self):
            raise ZeroDivisionError("broken")

    with pytest.raises(ZeroDivisionError, match="broken"):
        lua.eval("(...).value", Broken())


def test_objects_that_claim_to_have_every_attribute(lua):
    class Dynamic:
        def __getattr__(self, name):
            return name.upper()

    with pytest.raises(TypeError, match="'Dynamic' object is not subscriptable"):
        lua.eval("(...).shout", Dynamic())
    assert lua.eval("(...).shout", lupa.as_attrgetter(Dynamic())) == "SHOUT"


def test_functions_have_attributes(lua):
    def function():
        return 1

    function.note = "written down"
    assert lua.eval("(...).note, (...).__name__, (...)()", function) == (
        "written down",
        "function",
        1,
    )


def test_modules_and_classes_have_attributes(lua):
    module = types.ModuleType("made_up")
    module.value = 5
    assert lua.eval("(...).value", module) == 5
    assert lua.eval("(...).kind", Point) == "point"


# writing


def test_setting_attributes(lua):
    point, inner = Point(), [1]
    lua.execute(
        "local p, inner = ...; p.x = 1; p['y'] = 'two'; p.new = inner; p.none = nil", point, inner
    )
    assert (point.x, point.y, point.none) == (1, "two", None)
    assert point.new is inner


def test_setting_items(lua):
    mapping, items, both = {}, [1, 2], Both()
    lua.execute("local d = ...; d.x = 1; d[2] = 'b'; d[python.none] = 3; d.z = nil", mapping)
    assert mapping == {"x": 1, 2: "b", None: 3, "z": None}
    lua.execute("(...)[0] = 'first'", items)
    assert items == ["first", 2]
    lua.execute("(...).name = 'x'", both)
    assert both.items == {"name": "x"} and Both.name == "attribute"


def test_lua_tables_in_python_objects(lua):
    mapping = {}
    lua.execute("(...).t = {1, 2}", mapping)
    assert dict(mapping["t"]) == {1: 1, 2: 2}


@pytest.mark.parametrize(
    "code, obj, error",
    [
        ("(...).x = 1", object(), AttributeError),
        ("(...)[5] = 1", [], IndexError),
        ("(...)[0] = 1", (1,), TypeError),
        ("(...)[0] = 1", "x".encode, TypeError),
        ("(...).x = 1", types.MappingProxyType({}), TypeError),
    ],
    ids=["object", "list", "tuple", "method", "proxy"],
)
def test_errors_in_setting(lua, code, obj, error):
    with pytest.raises(error):
        lua.execute(code, obj)


# tostring, identity


def test_tostring_is_str(lua):
    assert lua.eval("tostring(...)", Point(1, 2)) == "(1, 2)"
    assert lua.eval("tostring(...)", [1, "a"]) == "[1, 'a']"
    assert lua.eval("tostring(...)", lupa.as_attrgetter({"a": 1})) == "{'a': 1}"
    assert lua.eval("tostring(...)", None) == "nil"


def test_errors_of_str_come_through(lua):
    class Broken:
        def __str__(self):
            raise ZeroDivisionError("no text")

    with pytest.raises(ZeroDivisionError, match="no text"):
        lua.eval("tostring(...)", Broken())


def test_objects_come_back_as_themselves(lua):
    for obj in [object(), [1], {}, Point(), len, Point, lua, (1, 2), 1j, NotImplemented, ...]:
        assert lua.eval("...", obj) is obj


def test_one_object_is_one_userdata(lua):
    obj, other = Point(), Point()
    same = lua.eval("function(a, b) return a == b, rawequal(a, b) end")
    assert same(obj, obj) == (True, True)
    assert same(obj, other) == (False, False)
    lua.globals().kept = obj
    assert lua.eval("rawequal(kept, ...)", obj) is True


def test_objects_as_table_keys(lua):
    obj, other = Point(), Point()
    table = lua.eval("(function(obj) local t = {} t[obj] = 'found' return t end)(...)", obj)
    assert lua.eval("(function(t, obj) return t[obj] end)(...)", table, obj) == "found"
    assert table[obj] == "found" and table[other] is None
    assert list(table) == [obj]


def test_views_of_one_object_are_different_userdata(lua):
    mapping = {}
    assert lua.eval("rawequal(python.as_attrgetter(...), (...))", mapping) is False
    assert (
        lua.execute(
            "local a = python.as_attrgetter(...) local b = python.as_attrgetter(...) return rawequal(a, b)",
            mapping,
        )
        is True
    )


def test_many_objects_at_once(lua):
    points = [Point(number) for number in range(2000)]
    table = lua.table_from(points)
    assert all(table[number + 1] is point for number, point in enumerate(points))
    assert lua.eval(
        "(function(t) local s = 0 for _, p in ipairs(t) do s = s + p.x end return s end)(...)",
        table,
    ) == (sum(range(2000)))


# python.none, python.builtins, python.eval


def test_python_none(lua):
    assert lua.eval("python.none") is None
    assert lua.eval("type(python.none)") == "userdata"
    assert lua.eval("tostring(python.none)") == "None"
    assert lua.eval("python.none == nil") is False
    assert lua.eval("python.none and 'true'") == "true"
    assert lua.eval("python.none == python.none") is True
    assert dict(lua.eval("{a = python.none}")) == {"a": None}


def test_python_builtins(lua):
    assert lua.eval("python.builtins") is builtins
    assert lua.eval("python.builtins.str(4)") == "4"
    assert lua.eval("python.builtins.len('abc')") == 3
    assert lua.eval("python.builtins.len({1, 2, 3})") == 3
    assert lua.eval("python.builtins.list(python.builtins.range(3))") == [0, 1, 2]
    with pytest.raises(AttributeError):
        lua.eval("python.builtins.no_such_name")


def test_python_eval(lua):
    assert lua.eval("python.eval('2 ** 2')") == 4
    assert lua.eval("python.eval(' 1 + 1 ')") == 2
    assert lua.eval("python.eval('[1, 2]')") == [1, 2]
    assert lua.eval("python.eval") is eval
    with pytest.raises(SyntaxError):
        lua.eval("python.eval('1 +')")
    with pytest.raises(ZeroDivisionError):
        lua.eval("python.eval('1 / 0')")


# userdata and other Lua objects in Python


def test_userdata_methods(lua):
    stdout = lua.eval("io.stdout")
    assert lua.eval("... == io.stdout.write", stdout.write) is True
    assert stdout["write"] is not None
    assert stdout.no_such_method is None
    with pytest.raises(TypeError, match="iteration is only supported for tables"):
        iter(stdout)
    with pytest.raises(TypeError, match="does not support item assignment"):
        stdout["x"] = 1
    with pytest.raises(AttributeError):
        stdout.x = 1
    assert bool(stdout) is True


@pytest.mark.parametrize("code", ["print", "function() end", "coroutine.create(function() end)"])
def test_functions_have_no_items(lua, code):
    function = lua.eval(code)
    with pytest.raises(AttributeError, match="item/attribute access not supported on functions"):
        function.x
    with pytest.raises(TypeError, match="item/attribute access not supported on functions"):
        function["x"]
    with pytest.raises(TypeError, match="iteration is only supported for tables"):
        iter(function)
    with pytest.raises(AttributeError):
        function.x = 1
    assert hasattr(function, "x") is False
    assert bool(function) is True


def test_cdata_can_be_indexed_and_passed_back(lua):
    array = lua.execute("local ffi = require('ffi') local a = ffi.new('int[3]') a[1] = 7 return a")
    assert array[1] == 7
    assert lua.eval("(...)[1]", array) == 7
    point = lua.eval("require('ffi').new('struct { int x; double y; }', 1, 2.5)")
    assert (point.x, point.y) == (1, 2.5)


@pytest.mark.parametrize(
    "make", [lambda items: items, lambda items: types.SimpleNamespace(**items)]
)
def test_names_are_never_mistaken_for_one_another(lua, make):
    # Breaks if a name that is kept is found for another one: by the place where it is kept, by a part of it, or by the
    # place that another string had before in Lua.
    other = lupa.LuaRuntime()
    get = "function(o, names) local t = {} for i = 1, #names do t[i] = o[names[i]] end return t end"
    for start in range(0, 20_000, 2000):
        names = [
            f"{stem}{i}"
            for i in range(start, start + 1000)
            for stem in ("n", "name_", "größe", "long" * 20)
        ]
        thing = make(dict(zip(names, range(len(names)))))
        for runtime in (lua, other, lua):
            found = runtime.eval(get)(thing, runtime.table_from(names))
            assert list(found.values()) == list(range(len(names)))
        lua.gccollect()


def test_names_of_other_encodings(lua):
    latin = lupa.LuaRuntime(encoding="latin-1")
    as_bytes = lupa.LuaRuntime(encoding=None)
    items = {"größe": 1, "gr\u00c3\u00b6\u00c3\u009fe": 2, "größe".encode(): 3}
    for runtime, code, expected in [
        (lua, "function(o) return o['größe'] end", 1),
        (latin, "function(o) return o['gr\\xc3\\xb6\\xc3\\x9fe'] end", 2),
        (latin, "function(o) return o['gr\\xf6\\xdfe'] end", 1),
        (as_bytes, "function(o) return o['gr\\xc3\\xb6\\xc3\\x9fe'] end", 3),
        (lua, "function(o) return o['größe'] end", 1),
    ]:
        assert runtime.eval(code)(items) == expected
    with pytest.raises(UnicodeDecodeError):
        lua.eval("function(o) return o['gr\\xf6\\xdfe'] end")(items)


def test_names_in_several_threads(lua):
    # Each thread has its own, and may end while Lua code goes on elsewhere.
    things = [types.SimpleNamespace(**{f"name_{i}": i}) for i in range(4)]
    results = []

    def work(i):
        runtime = lupa.LuaRuntime()
        get = runtime.eval(
            f"function(o) local sum = 0 for _ = 1, 100 do sum = sum + o.name_{i} end return sum end"
        )
        results.append((i, get(things[i])))

    for _ in range(3):
        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(results) == sorted([(i, 100 * i) for i in range(4)] * 3)


def test_bound_methods_have_items_if_what_they_call_has(lua):
    class WithItems:
        def __call__(self, *args):
            return args

        def __getitem__(self, key):
            return f"item {key}"

    plain = types.MethodType(lambda self: self, 7)
    of_items = types.MethodType(WithItems(), 7)
    nested = plain
    for _ in range(100_000):
        nested = types.MethodType(nested, 7)
    kind = lua.eval("function(o) return o.__name__ end")
    assert kind(plain) == "<lambda>"
    # `hasattr` says that it has items, as lupa asks, though Python itself gives none.
    assert hasattr(of_items, "__getitem__")
    with pytest.raises(TypeError, match="not subscriptable"):
        lua.eval("function(o) return o.x end")(of_items)
    assert lua.eval("function(o) return o() end")(plain) == 7
    assert lua.eval("function(o) return type(o) end")(nested) == "userdata"
    # Taken apart one by one: CPython's own destructor of so many goes deep.
    while isinstance(nested, types.MethodType):
        nested = nested.__func__
