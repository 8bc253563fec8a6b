//! What is different with the feature `lua52compat`, which builds LuaJIT with the parts of Lua 5.2 that may break programs
//! for 5.1.

use lupa_core::{
    Coroutine, CoroutineStatus, Directly, Error, Members, Reference, Result, Runtime, Table,
    UserType, Value, function, iterator,
};

const COMPAT: bool = cfg!(feature = "lua52compat");

/// What an expression gives, or a part of the error's message.
type Outcome = std::result::Result<&'static str, &'static str>;

/// Expressions with what they give with the feature, and without.
const LANGUAGE: &[(&str, Outcome, Outcome)] = &[
    ("#with('__len', 7)", Ok("7"), Ok("0")),
    ("pairs(with('__pairs', 7)) == 7", Ok("true"), Ok("false")),
    ("ipairs(with('__ipairs', 7)) == 7", Ok("true"), Ok("false")),
    (
        "with('__lt', 7) < 5",
        Ok("true"),
        Err("attempt to compare table with number"),
    ),
    (
        "run 'local goto = 5 return goto'",
        Err("'<name>' expected near 'goto'"),
        Ok("5"),
    ),
    (
        "run 'local n = 5;; return n'",
        Ok("5"),
        Err("unexpected symbol near ';'"),
    ),
    (
        "run 'while true do break n = 1 end return 5'",
        Ok("5"),
        Err("'end' expected near 'n'"),
    ),
    ("table.pack(1, nil).n", Ok("2"), Err("'pack'")),
    ("table.unpack({ 5 })", Ok("5"), Err("'unpack'")),
    ("rawlen(with('__len', 7))", Ok("0"), Err("'rawlen'")),
    ("select('#', coroutine.running())", Ok("2"), Ok("1")),
    (
        "package.searchers == package.loaders",
        Ok("true"),
        Ok("false"),
    ),
    // What 5.2 has in other places stays.
    ("unpack({ 5 })", Ok("5"), Ok("5")),
    ("loadstring('return 5')()", Ok("5"), Ok("5")),
    ("getfenv() == _G", Ok("true"), Ok("true")),
];

#[test]
fn lua_code_is_that_of_5_2_with_the_feature_alone() -> Result<()> {
    let lua = Runtime::new()?;
    lua.load(
        "function with(name, result) return setmetatable({}, { [name] = function() return result end }) end
         function run(code) return assert(loadstring(code))() end",
    )
    .exec()?;
    for (code, with, without) in LANGUAGE {
        let result = lua
            .load(&format!("return tostring(({code}))"))
            .eval::<String>()
            .map_err(|error| error.to_string());
        match (if COMPAT { with } else { without }, result) {
            (Ok(expected), result) => assert_eq!(result.as_deref(), Ok(*expected), "{code}"),
            (Err(part), result) => {
                let message = result.expect_err(code);
                assert!(message.contains(part), "{code}: {message}");
            }
        }
    }
    Ok(())
}

#[test]
fn the_length_of_a_reference_is_what_lua_code_gets() -> Result<()> {
    let lua = Runtime::new()?;
    for (code, with, without) in [
        (
            "setmetatable({ 1, 2 }, { __len = function() return 7 end })",
            7.0,
            2.0,
        ),
        ("setmetatable({ 1, 2 }, {})", 2.0, 2.0),
        ("{ 1, 2, 3 }", 3.0, 3.0),
        ("'four'", 4.0, 4.0),
        // Lua code gets an error.
        ("print", 0.0, 0.0),
        ("5", 0.0, 0.0),
    ] {
        let value: Reference = lua.load(code).expression().eval()?;
        let length = value.len_with(Directly)?;
        assert_eq!(length, if COMPAT { with } else { without }, "{code}");
    }
    let code = "setmetatable({}, { __len = function() error('no length') end })";
    let value: Reference = lua.load(code).expression().eval()?;
    match value.len_with(Directly) {
        Ok(length) => assert!(!COMPAT && length == 0.0),
        Err(error) => assert!(COMPAT && error.to_string().contains("no length"), "{error}"),
    }
    Ok(())
}

/// Serves `pairs` and `ipairs`.
struct Squares(u32);

impl UserType for Squares {
    const NAME: &'static str = "Squares";
    fn members(members: &mut Members<Self>) {
        members
            .pairs(|this: &Self| {
                if this.0 == 0 {
                    return Err(Error::message("there are none"));
                }
                Ok(iterator((1..=this.0).map(|n| (format!("of {n}"), n * n))))
            })
            .ipairs(|this: &Self| {
                let last = this.0;
                // As Lua's own: a function, what is passed on to it, and where it starts.
                let next = function(move |_: Value, n: u32| {
                    (n < last).then_some((n + 1, (n + 1).pow(2))).unzip()
                });
                (next, "passed on", 0)
            });
    }
}

#[test]
fn objects_serve_pairs_and_ipairs_with_the_feature() -> Result<()> {
    let lua = Runtime::new()?;
    let globals = lua.globals()?;
    globals.set("squares", Squares(3))?;
    // Many, so that compiled code asks, too.
    globals.set("many", Squares(1000))?;
    globals.set("none", Squares(0))?;
    lua.load(
        "function listed(f, object)
             local list = {}
             for k, v in f(object) do list[#list + 1] = k .. '=' .. v end
             return table.concat(list, ' ')
         end
         function sum(f, object)
             local sum = 0
             for _, v in f(object) do sum = sum + v end
             return sum
         end",
    )
    .exec()?;
    let listed = |code: &str| {
        let text = lua.load(code).expression().eval::<String>();
        text.map_err(|error| error.to_string())
    };
    if !COMPAT {
        for f in ["pairs", "ipairs"] {
            let refused = listed(&format!("listed({f}, squares)")).unwrap_err();
            assert!(
                refused.contains("table expected, got userdata"),
                "{refused}"
            );
        }
        return Ok(());
    }
    assert_eq!(
        listed("listed(pairs, squares)").as_deref(),
        Ok("of 1=1 of 2=4 of 3=9")
    );
    assert_eq!(
        listed("listed(ipairs, squares)").as_deref(),
        Ok("1=1 2=4 3=9")
    );
    assert_eq!(
        listed("select(2, ipairs(squares))").as_deref(),
        Ok("passed on")
    );
    assert_eq!(listed("listed(ipairs, none)").as_deref(), Ok(""));
    assert!(
        listed("listed(pairs, none)")
            .unwrap_err()
            .contains("there are none")
    );
    for f in ["pairs", "ipairs"] {
        let sum: u64 = lua.load(&format!("return sum({f}, many)")).eval()?;
        assert_eq!(sum, 333_833_500);
    }
    Ok(())
}

#[test]
fn the_host_reads_tables_as_they_are() -> Result<()> {
    let lua = Runtime::new()?;
    let code =
        "setmetatable({ 1, 2, x = 3 }, { __len = error, __pairs = error, __ipairs = error })";
    let table: Table = lua.load(code).expression().eval()?;
    assert_eq!(table.len()?, 2);
    assert_eq!(table.iter::<Value, u8>().count(), 3);
    assert_eq!(table.sequence::<u8>().collect::<Result<Vec<_>>>()?, [1, 2]);
    Ok(())
}

#[test]
fn the_main_coroutine_is_neither_resumed_nor_ended() -> Result<()> {
    let lua = Runtime::new()?;
    let main: Option<Coroutine> = lua.load("return coroutine.running()").eval()?;
    assert_eq!(main.is_some(), COMPAT);
    let Some(main) = main else { return Ok(()) };
    let refuse = lua.function(move |within: bool| -> Result<()> {
        assert_eq!(main.status()?, CoroutineStatus::Running, "{within}");
        assert!(matches!(
            main.resume::<()>(1),
            Err(Error::CoroutineUnresumable { .. })
        ));
        assert!(matches!(
            main.throw::<()>("x"),
            Err(Error::CoroutineUnresumable { .. })
        ));
        assert!(main.close().is_err() && main.function()?.is_none());
        Ok(())
    })?;
    refuse.call::<()>(false)?;
    lua.globals()?.set("refuse", &refuse)?;
    lua.load(
        "refuse(true)
         coroutine.wrap(refuse)(true)
         local main, is_main = coroutine.running()
         assert(is_main and coroutine.status(main) == 'running')
         coroutine.wrap(function()
             local own, is_main = coroutine.running()
             assert(own ~= main and not is_main and coroutine.status(main) == 'normal')
             assert(not coroutine.resume(main))
         end)()",
    )
    .exec()
}
