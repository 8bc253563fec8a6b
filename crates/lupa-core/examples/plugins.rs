//! A host of plugins: each is a Lua file in a runtime of its own, sandboxed and limited. A file that changes is loaded again while
//! the host runs; what the plugin wants to keep goes from the old code to the new. Broken plugins harm nobody else.
//!
//! `cargo run -p lupa-core --example plugins`

#![allow(clippy::print_stdout)]

use lupa_core::{ChunkMode, Error, Function, Result, Runtime, Table, function};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// A plugin returns a table: `on(event, text)` answers events, `save()` gives a string for `restore(string)` of the next version.
struct Plugin {
    api: Table,
    /// What was loaded, to see whether the file has changed.
    source: Vec<u8>,
}

impl Plugin {
    fn load(path: &Path, source: Vec<u8>, kept: Option<String>) -> Result<Plugin> {
        // The sandbox takes care of files, processes and native code; the limits of all the rest.
        let lua = Runtime::builder()
            .sandbox(true)
            .memory_limit(4 << 20)
            .print(|line| {
                println!("    {}", String::from_utf8_lossy(line));
                Ok(())
            })
            .build()?;
        #[cfg(unix)]
        lua.set_time_limit(Some(std::time::Duration::from_millis(500)))?;

        // What the host offers, which plugins cannot change.
        let host = lua.create_table()?;
        host.set("version", 1)?;
        host.set("upper", function(|text: &str| text.to_uppercase()))?;
        lua.globals()?.set("host", lua.read_only(&host)?)?;

        let chunk = lua.load(&source).mode(ChunkMode::Text);
        let api: Table = chunk.name(format!("@{}", path.display())).eval()?;
        if let (Some(kept), Some(restore)) = (kept, api.get::<Option<Function>>("restore")?) {
            restore.call::<()>(kept)?;
        }
        // The runtime lives as long as the table.
        Ok(Plugin { api, source })
    }

    fn on(&self, event: &str, text: &str) -> Result<Option<String>> {
        self.api.call_function("on", (event, text))
    }

    fn save(&self) -> Option<String> {
        self.api.call_function("save", ()).ok()?
    }
}

struct Host {
    folder: PathBuf,
    plugins: BTreeMap<PathBuf, Plugin>,
}

impl Host {
    /// Loads what is new or has changed, and forgets what is gone. A version that fails leaves the one before at work.
    fn refresh(&mut self) -> Result<Vec<String>> {
        let mut problems = Vec::new();
        self.plugins.retain(|path, _| path.exists());
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "lua") {
                continue;
            }
            let source = fs::read(&path)?;
            let old = self.plugins.get(&path);
            if old.is_some_and(|plugin| plugin.source == source) {
                continue;
            }
            match Plugin::load(&path, source, old.and_then(Plugin::save)) {
                Ok(plugin) => drop(self.plugins.insert(path, plugin)),
                Err(error) => problems.push(message(&error)),
            }
        }
        problems.sort();
        Ok(problems)
    }

    /// Asks all plugins; an error is an answer.
    fn send(&self, event: &str, text: &str) -> Vec<String> {
        let answers = self.plugins.values().map(|plugin| plugin.on(event, text));
        answers
            .filter_map(|answer| answer.unwrap_or_else(|error| Some(message(&error))))
            .collect()
    }
}

/// What is wrong, without the traceback.
fn message(error: &Error) -> String {
    // Without the folder, which is another one each time.
    let text = error.text();
    text.rsplit(['/', '\\']).next().unwrap_or_default().into()
}

const COUNT: &str = "
    local count = 0
    return {
        on = function(event, text)
            if event == 'line' then count = count + #text return 'so far ' .. count end
        end,
        save = function() return tostring(count) end,
        restore = function(kept) count = tonumber(kept) end,
    }";

const GREET: &str = "
    return { on = function(event, text) if event == 'join' then return 'hello ' .. text end end }";

pub(crate) fn main() -> Result<()> {
    let folder = env::temp_dir().join(format!("lupa-plugins-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let outcome = play(folder.clone());
    fs::remove_dir_all(&folder)?;
    outcome
}

/// A day in the life of the host.
fn play(folder: PathBuf) -> Result<()> {
    let write = |name: &str, code: &str| fs::write(folder.join(name), code);
    let mut host = Host {
        folder: folder.clone(),
        plugins: BTreeMap::new(),
    };
    write("count.lua", COUNT)?;
    write("greet.lua", GREET)?;
    assert!(host.refresh()?.is_empty());
    assert_eq!(host.send("line", "four"), ["so far 4"]);
    assert_eq!(host.send("join", "Ada"), ["hello Ada"]);

    // A new version takes over what the old one counted.
    write("count.lua", &COUNT.replace("so far", "characters:"))?;
    // This one does not compile: the old greeting stays.
    write("greet.lua", "return {")?;
    let problems = host.refresh()?;
    assert!(
        problems[0].starts_with("greet.lua:1: unexpected symbol"),
        "{problems:?}"
    );
    assert_eq!(host.send("line", "ab"), ["characters: 6"]);
    assert_eq!(host.send("join", "Bob"), ["hello Bob"]);

    // Those that want too much: time, memory, what the sandbox does not have.
    for (name, body) in [
        ("greet.lua", "return host.upper('fine')"),
        #[cfg(unix)]
        ("bad1.lua", "while true do end"),
        ("bad2.lua", "return ('x'):rep(1e8)"),
        ("bad3.lua", "host.version = 2"),
        ("bad4.lua", "return io.open('secrets')"),
    ] {
        write(name, &format!("return {{ on = function() {body} end }}"))?;
    }
    assert!(host.refresh()?.is_empty());
    let answers = host.send("tick", "");
    println!("{}", answers.join("\n"));
    let expected = [
        #[cfg(unix)]
        "the time limit of the Lua code has passed",
        "not enough memory",
        "bad3.lua:1: attempt to modify a protected table",
        "bad4.lua:1: attempt to index global 'io' (a nil value)",
        "FINE",
    ];
    assert_eq!(answers, expected);

    // A file that is gone takes its plugin along.
    fs::remove_file(folder.join("greet.lua"))?;
    host.refresh()?;
    assert!(!host.plugins.contains_key(&folder.join("greet.lua")));
    Ok(())
}
