"""melon-lua: runs the Lua chips of a game outside of it, with the game's own Lua prelude.

It is written for LuaJIT (its bit32 is LuaJIT's `bit`), takes libraries away by setting globals to
None, and gives chips tables of Python functions.
"""

import pytest
from melon_lua import MelonScriptRunner


@pytest.fixture
def chip():
    """Compile a chip and return its runner."""

    def start(source):
        runner = MelonScriptRunner(quiet=True)
        assert runner.compile(source), runner.last_error
        return runner

    return start


def test_inputs_and_outputs(chip):
    runner = chip("""
        function OnTick()
            outputs.num.sum = inputs.num.a + inputs.num.b
            outputs.int.bits = bit32.bor(bit32.band(inputs.int.mask, 0xF0), 3)
            outputs.string.text = inputs.string.name:upper() .. '!'
            outputs.vec.moved = {x = inputs.vec.at.x * 2, y = inputs.vec.at.y, z = 0, w = 0}
            outputs.array_num.double = {}
            for i, v in ipairs(inputs.array_num.list) do outputs.array_num.double[i] = v * 2 end
            outputs.array_vec.first = {inputs.array_vec.points[1]}
            outputs.num.missing = inputs.num.nothing
        end
    """)
    result = runner.run_tick(
        {
            "num": {"a": 1.5, "b": 2},
            "int": {"mask": 0xAB},
            "string": {"name": "melon"},
            "vec": {"at": {"x": 1.25, "y": -1, "z": 0, "w": 0}},
            "array_num": {"list": [1, 2, 3.5]},
            "array_vec": {"points": [{"x": 1, "y": 2}, {"x": 3, "y": 4}]},
        }
    )
    assert result["error"] is None
    outputs = result["outputs"]
    assert outputs["num"] == {"sum": 3.5}
    assert outputs["int"] == {"bits": 0xA3}
    assert outputs["string"] == {"text": "MELON!"}
    assert outputs["vec"] == {"moved": {"x": 2.5, "y": -1, "z": 0, "w": 0}}
    assert outputs["array_num"] == {"double": [2, 4, 7]}
    assert outputs["array_vec"] == {"first": [{"x": 1, "y": 2}]}


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("outputs.num.x = {}", "cannot assign table to outputs.num"),
        ("outputs.vec.x = 5", "expected table for outputs.vec, got number"),
        ("outputs.num.x = print", "cannot assign"),
        ("error('own')", ":3: own"),
        ("local t = nil; t.x = 1", "attempt to index local 't'"),
        ("require('missing')", "Module not found: missing"),
    ],
)
def test_errors_in_a_tick(chip, statement, message):
    runner = chip(f"function OnTick()\n{statement} end")
    error = runner.run_tick({})["error"]
    assert message in error
    assert "stack traceback:" in error
    assert runner.last_error == error


def test_chips_that_do_not_compile():
    runner = MelonScriptRunner(quiet=True)
    assert not runner.compile("function OnTick(")
    assert "error loading code" in runner.last_error
    assert runner.run_tick({})["error"] == runner.last_error


def test_the_sandbox(chip):
    names = "io loadfile dofile package module debug collectgarbage load loadstring".split()
    reach = " ".join(f"tostring({name})," for name in names)
    runner = chip(f"function OnInit() seen = {{{reach} type(os.time()), type(math.atan2)}} end")
    runner.call_on_init()
    assert runner.last_error is None
    assert list(runner._g.seen.values()) == ["nil"] * len(names) + ["number", "function"]


def test_the_life_of_a_chip(chip):
    runner = chip("""
        local events = {}
        function note(name) events[#events + 1] = name; print(name, #events) end
        function OnInit() note('init') end
        function OnActivated() note('activated') end
        function OnTick() note('tick ' .. string.format('%.2f', env.deltaTime())) end
        function OnDeactivated() note('deactivated') end
        function OnDestroy() note('destroyed') end
    """)
    runner.run_loop(ticks=2)
    assert runner.last_error is None
    texts = [text for level, text in runner.logs if level == "print"]
    assert [
        text.split()[0] for text in texts
    ] == "init activated tick tick deactivated destroyed".split()
    assert texts[2].split()[1] == "0.05"


def test_signals_between_callbacks(chip):
    runner = chip("""
        heard = {}
        function OnInit()
            signal.on('news', function(data) heard[#heard + 1] = data.text end)
            signal.on('news', function() error('one listener fails') end)
            signal.on('news', function(data) heard[#heard + 1] = data.text:reverse() end)
            signal.emit('news', {text = 'now'})
            signal.defer('news', {text = 'later'})
        end
        function OnTick() outputs.int.count = #heard end
    """)
    runner.call_on_init()
    assert list(runner._g.heard.values()) == ["now", "won"]
    assert runner.run_tick({})["outputs"]["int"] == {"count": 4}
    assert list(runner._g.heard.values())[2:] == ["later", "retal"]
    assert any("one listener fails" in text for _, text in runner.logs)


def test_modules_of_a_chip(chip):
    runner = chip("""
        register_module('shapes', {area = function(w, h) return w * h end})
        function OnTick() outputs.num.area = require('shapes').area(6, 7) end
    """)
    assert runner.run_tick({})["outputs"]["num"] == {"area": 42}


def test_entities_are_tables_over_python_functions(chip):
    runner = chip("""
        function OnInit()
            alias = spawn.getItems()[1]:match('|([^|]+)$')
            request = spawn.create(alias, 3, 4)
            bad = spawn.create('no such thing', 0, 0)
            nothing, again = Entity(nil), Entity(0)
        end
        function OnSpawned(id, entities, reason)
            if id == bad then failure = reason; return end
            spawned = entities[1]
            spawned:setPosition(5.5, -2)
            spawned:setAngle(90)
            local x, y = spawned:getPosition()
            place = {x, y, spawned:getAngle(), #entities}
        end
    """)
    runner.call_on_init()
    g = runner._g
    assert runner.last_error is None
    assert list(g.place.values()) == [5.5, -2, 90, 1]
    assert "unknown spawn alias 'no such thing'" in g.failure
    entity = runner.world.get_entity(g.spawned._id)
    assert (entity.position_x, entity.position_y) == (5.5, -2.0)
    assert g.nothing._nil is True and g.spawned._nil is None
    assert list(g.nothing.keys()) == list(g.again.keys())
