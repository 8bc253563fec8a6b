//! `print`, sent to the host.

use lupa_core::{Error, Libs, Result, Runtime};
use std::io::Write;
use std::sync::{Arc, Mutex};

type Lines = Arc<Mutex<Vec<Vec<u8>>>>;

/// A runtime whose printed lines are collected.
fn collecting(builder: lupa_core::Builder) -> Result<(Runtime, Lines)> {
    let lines = Lines::default();
    let seen = lines.clone();
    let lua = builder
        .print(move |line| {
            seen.lock().unwrap().push(line.to_vec());
            Ok(())
        })
        .build()?;
    Ok((lua, lines))
}

#[test]
fn lines_are_what_lua_would_print() -> Result<()> {
    let (lua, lines) = collecting(Runtime::builder())?;
    lua.load(
        r#"print()
           print(nil, true, 1, 2.5, 1e100, -0, 0/0 ~= 0/0, "text", "a\0\255b")
           print(setmetatable({}, {__tostring = function() return "mine" end}))
           print(1LL, 2ULL)
           print((tostring(print):gsub("builtin.*", "")))
           print(unpack({}, 1, 3))"#,
    )
    .exec()?;
    let lines = lines.lock().unwrap();
    let expected: [&[u8]; 4] = [
        b"",
        b"nil\ttrue\t1\t2.5\t1e+100\t-0\ttrue\ttext\ta\0\xffb",
        b"mine",
        b"1LL\t2ULL",
    ];
    assert_eq!(lines[..4], expected);
    assert!(lines[4].starts_with(b"function: "));
    assert_eq!(lines[5], b"nil\tnil\tnil");
    Ok(())
}

#[test]
fn lua_code_cannot_change_how_values_are_shown() -> Result<()> {
    for builder in [
        Runtime::builder(),
        Runtime::builder().sandbox(true),
        Runtime::builder().libs(Libs::BASE),
    ] {
        let (lua, lines) = collecting(builder)?;
        lua.load("tostring = nil; print(1); tostring = error; print({} ~= nil)")
            .exec()?;
        assert_eq!(*lines.lock().unwrap(), [b"1".to_vec(), b"true".to_vec()]);
    }
    Ok(())
}

#[test]
fn errors_go_where_they_belong() -> Result<()> {
    let (lua, lines) = collecting(Runtime::builder())?;
    let caught: String = lua
        .load(
            "local bad = setmetatable({}, {__tostring = function() error('no text', 0) end})
             return select(2, pcall(print, 'lost', bad))",
        )
        .eval()?;
    assert_eq!(caught, "no text");
    let caught: String = lua
        .load(
            "local bad = setmetatable({}, {__tostring = function() return {} end})
             return tostring(select(2, pcall(print, bad)))",
        )
        .eval()?;
    assert!(caught.contains("must return a string"), "{caught}");
    assert!(lines.lock().unwrap().is_empty());

    lua.set_print(|_| Err(Error::external(std::io::Error::other("disk full"))))?;
    let error = lua.load("print()").exec().unwrap_err();
    assert!(error.downcast_ref::<std::io::Error>().is_some(), "{error}");
    Ok(())
}

#[test]
fn printing_while_printing() -> Result<()> {
    let (lua, lines) = collecting(Runtime::builder())?;
    lua.load(
        "print('outer', setmetatable({}, {__tostring = function() print('inner') return 'done' end}))",
    )
    .exec()?;
    let lines = lines.lock().unwrap();
    assert_eq!(*lines, [b"inner".to_vec(), b"outer\tdone".to_vec()]);

    /// A writer that makes Lua code print.
    struct Echo(Mutex<Option<lupa_core::Function>>);
    impl Write for Echo {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let print = self.0.lock().unwrap().take();
            print.map_or(Ok(bytes.len()), |print| {
                print.call::<()>("again").map_err(std::io::Error::other)?;
                Ok(bytes.len())
            })
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let again = lua.load("print(...)").into_function()?;
    lua.set_print_to(Echo(Mutex::new(Some(again))))?;
    // Breaks (hangs) if the writer is waited for.
    let error = lua.load("print('first')").exec().unwrap_err();
    assert!(
        error
            .to_string()
            .contains("print was called by what it prints to"),
        "{error}"
    );
    Ok(())
}

#[test]
fn writers_get_whole_lines() -> Result<()> {
    #[derive(Clone, Default)]
    struct Writes(Arc<Mutex<Vec<String>>>);
    impl Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let text = String::from_utf8_lossy(bytes).into_owned();
            self.0.lock().unwrap().push(text);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let writes = Writes::default();
    let lua = Runtime::new()?;
    lua.set_print_to(writes.clone())?;
    lua.load("print(1, 2) print('x')").exec()?;
    assert_eq!(*writes.0.lock().unwrap(), ["1\t2\n", "x\n"]);
    drop(lua);
    // The runtime was the other owner.
    assert_eq!(Arc::strong_count(&writes.0), 1);
    Ok(())
}
