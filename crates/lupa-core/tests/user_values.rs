//! What belongs to an object besides its Rust value: Lua values, an early end, copies.

use lupa_core::{
    Call, Error, Function, HostObject, Members, Operation, Result, Runtime, Table, UserData,
    UserType, Value, by_value,
};
use std::sync::Arc;

/// Has what tells whether it lives.
#[allow(dead_code, reason = "it is there to be dropped")]
struct Room(Arc<()>);

impl UserType for Room {
    const NAME: &'static str = "Room";
    fn members(members: &mut Members<Self>) {
        members
            .function("on_enter", |this: UserData, f: Function| {
                this.set_user_value("on_enter", f)
            })
            .function("enter", |this: UserData, who: &str| -> Result<Value> {
                this.user_value::<Function>("on_enter")?.call(who)
            })
            .function("run", |_: &Self, f: Function| f.call::<Value>(()));
    }
}

#[test]
fn values_belong_to_one_object() -> Result<()> {
    let lua = Runtime::new()?;
    let life = Arc::new(());
    let [a, b] = [(), ()].map(|()| lua.create_userdata(Room(life.clone())));
    let (a, b) = (a?, b?);
    assert!(a.user_value::<Option<Value>>("x")?.is_none());
    a.set_user_value("x", "of a")?;
    b.set_user_value("x", "of b")?;
    b.set_user_value("y", 5)?;
    b.set_user_value("", true)?;
    assert_eq!(a.user_value::<String>("x")?, "of a");
    assert_eq!(b.user_value::<String>("x")?, "of b");
    assert_eq!(
        (b.user_value::<i64>("y")?, b.user_value::<bool>("")?),
        (5, true)
    );
    assert!(a.user_value::<i64>("y").is_err());
    b.set_user_value("x", None::<i64>)?;
    assert!(b.user_value::<Option<String>>("x")?.is_none());
    // Breaks if a value went into what new userdata has for an environment: the globals.
    let found: bool = lua
        .load("return x ~= nil or y ~= nil or _G[1] ~= nil")
        .eval()?;
    assert!(!found);
    // Any type of the host, but nothing else.
    struct Plain;
    impl HostObject for Plain {
        const NAME: &'static str = "plain";
        const OPERATIONS: &'static [Operation] = &[];
        fn invoke(&self, _: Operation, _: &mut Call<'_>) -> Result<()> {
            unreachable!()
        }
    }
    let plain = lua.create_object(Plain)?;
    plain.set_user_value("x", 1)?;
    assert_eq!(plain.user_value::<i64>("x")?, 1);
    let file: UserData = lua.load("return io.stdout").eval()?;
    assert!(matches!(
        file.set_user_value("x", 1),
        Err(Error::Conversion { .. })
    ));
    assert!(file.user_value::<Option<i64>>("x")?.is_none());
    let other = Runtime::new()?;
    assert!(matches!(
        a.set_user_value("x", other.globals()?),
        Err(Error::WrongRuntime)
    ));
    assert_eq!(a.user_value::<String>("x")?, "of a");
    Ok(())
}

#[test]
fn values_that_lead_back_to_their_object_keep_neither_it_nor_the_runtime() -> Result<()> {
    let lua = Runtime::new()?;
    let life = Arc::new(());
    lua.globals()?.set(
        "new",
        lua.function({
            let life = Arc::downgrade(&life);
            move || life.upgrade().map(Room)
        })?,
    )?;
    let code = "
        local room = new()
        room:on_enter(function(who) return who, room end)
        for _ = 1, 3 do collectgarbage() end
        return room:enter('Ada')";
    assert_eq!(lua.load(code).eval::<String>()?, "Ada");
    lua.gc_collect()?;
    lua.gc_collect()?;
    assert_eq!(Arc::strong_count(&life), 1);
    // One that is still there goes with the runtime.
    lua.load("kept = new() kept:on_enter(function() return kept end)")
        .exec()?;
    let weak = lua.downgrade();
    drop(lua);
    assert!(weak.upgrade().is_none());
    assert_eq!(Arc::strong_count(&life), 1);
    Ok(())
}

#[test]
fn an_object_ends_when_it_is_told_to() -> Result<()> {
    let lua = Runtime::new()?;
    let life = Arc::new(());
    let room = lua.create_userdata(Room(life.clone()))?;
    lua.globals()?.set("room", &room)?;
    assert_eq!(room.type_name()?, Some("Room"));
    // Not while it is used, by Rust or by Lua code.
    let borrowed = room.borrow::<Room>()?;
    assert!(matches!(room.destroy(), Err(Error::InUse(what)) if what == "Room"));
    drop(borrowed);
    lua.globals()?
        .set("destroy", lua.function(|room: UserData| room.destroy())?)?;
    let error = lua
        .load("room:run(function() destroy(room) end)")
        .exec()
        .unwrap_err();
    assert!(
        matches!(error.root(), Error::InUse(what) if what == "Room"),
        "{error:?}"
    );
    assert_eq!(Arc::strong_count(&life), 2);

    lua.load("destroy(room)").exec()?;
    assert_eq!(Arc::strong_count(&life), 1);
    assert!(lua.load("room:run(print)").exec().is_err());
    assert!(room.borrow::<Room>().is_err());
    assert!(matches!(room.destroy(), Err(Error::Conversion { .. })));
    assert_eq!(room.type_name()?, None);
    let file: UserData = lua.load("return io.stdout").eval()?;
    assert_eq!(file.type_name()?, None);
    assert!(file.destroy().is_err());
    // What Lua's collector does later must not drop it once more.
    drop(room);
    lua.load("room = nil").exec()?;
    lua.gc_collect()?;
    assert_eq!(Arc::strong_count(&life), 1);
    Ok(())
}

#[derive(Debug, Clone, PartialEq)]
struct Tag(String);
by_value!(Tag);

impl UserType for Tag {
    const NAME: &'static str = "Tag";
    fn members(members: &mut Members<Self>) {
        members
            .function("new", |name: String| Tag(name))
            .function(
                "change",
                |this: &mut Self, to: String, f: Option<Function>| {
                    this.0 = to;
                    f.map_or(Ok(()), |f| f.call(()))
                },
            )
            .function("both", |a: Tag, b: Tag| Tag(a.0 + &b.0));
    }
}

#[test]
fn values_of_user_types_are_read_as_copies() -> Result<()> {
    let lua = Runtime::new()?;
    let globals = lua.globals()?;
    globals.set("Tag", lua.type_table::<Tag>()?)?;
    let tags: Vec<Tag> = lua
        .load("a = Tag.new('a') return { a, a:both(a) }")
        .eval()?;
    assert_eq!(tags, [Tag("a".into()), Tag("aa".into())]);
    assert_eq!(globals.get::<Option<Tag>>("none")?, None);
    let mut copy: Tag = globals.get("a")?;
    copy.0.push('!');
    assert_eq!(globals.get::<Tag>("a")?, Tag("a".into()));
    // A copy of what is being changed cannot be made.
    globals.set("look", lua.function(|tag: Tag| tag.0)?)?;
    let error = lua
        .load("a:change('b', function() look(a) end)")
        .exec()
        .unwrap_err();
    assert_eq!(error.text(), "bad argument #1: Tag is in use");
    assert!(matches!(error.root(), Error::InUse(what) if what == "Tag"));
    assert_eq!(lua.load("return look(a)").eval::<String>()?, "b");
    let error = lua.load("look(io.stdout)").exec().unwrap_err();
    assert_eq!(
        error.text(),
        "bad argument #1: cannot convert userdata to Tag"
    );
    Ok(())
}

#[test]
fn a_path_of_keys_leads_through_tables() -> Result<()> {
    let lua = Runtime::new()?;
    let code = "
        local lazy = setmetatable({}, { __index = function(_, k)
            if k == 'fail' then error('no such thing', 0) end
            return { [k] = k }
        end })
        return { a = { 'x', { [true] = 7 } }, n = 5, lazy = lazy }";
    let table: Table = lua.load(code).eval()?;
    assert_eq!(table.get_path::<i64>("n")?, 5);
    assert_eq!(table.get_path::<i64>(("a", 2, true))?, 7);
    assert_eq!(table.get_path::<String>(("lazy", "b", "b"))?, "b");
    assert!(table.get_path::<Table>(())?.same(&table)?);
    // Missing at the end, on the way, and from the start.
    for keys in [("a", 3, 1), ("a", 9, 1), ("b", 1, 1)] {
        assert_eq!(table.get_path::<Option<i64>>(keys)?, None);
    }
    let error = |error: Error| error.text().into_owned();
    assert_eq!(
        error(table.get_path::<u8>(("a", 1)).unwrap_err()),
        "at key 'a', key 1: cannot convert string to u8"
    );
    assert_eq!(
        error(table.get_path::<u8>(("b", 1)).unwrap_err()),
        "at key 'b', key 1: cannot convert nil to u8"
    );
    let text = error(table.get_path::<u8>(("n", "x", "y")).unwrap_err());
    assert!(
        text.starts_with("at key 'n': attempt to index a number value"),
        "{text}"
    );
    assert_eq!(
        error(table.get_path::<u8>(("lazy", "fail")).unwrap_err()),
        "at key 'lazy': no such thing"
    );
    // A path may be long.
    let deep: Table = lua.load("local t = {} t.t = t return t").eval()?;
    let keys = vec!["t"; 3000];
    assert!(deep.get_path::<Table>(&keys[..])?.same(&deep)?);
    Ok(())
}

#[test]
fn lua_code_cannot_pass_its_tables_off_as_an_objects_values() -> Result<()> {
    let lua = Runtime::new()?;
    lua.globals()?.set("room", Room(Arc::new(())))?;
    let room: UserData = lua.globals()?.get("room")?;
    // The environment of a new object are the globals.
    lua.load("_G[1] = room _G[room] = room on_leave = 1")
        .exec()?;
    assert!(room.user_value::<Option<Value>>("on_leave")?.is_none());
    room.set_user_value("secret", 5)?;
    assert!(lua.load("return secret").eval::<Value>()?.is_nil());
    assert_eq!(room.user_value::<u32>("secret")?, 5);
    Ok(())
}

// An error of Lua code under a context keeps its value where other objects have theirs.
#[test]
fn a_caught_error_has_no_place_for_values() -> Result<()> {
    let lua = Runtime::new()?;
    let fail = lua.load("error({ code = 7 })").into_function()?;
    let run = |f: Function| f.call::<()>(()).map_err(|error| error.context("plugin"));
    let run = lua.function(run)?;
    let (_, caught): (bool, UserData) = lua.load("return pcall(...)").call((&run, &fail))?;
    let refused = caught.set_user_value("note", 1).unwrap_err();
    assert!(matches!(refused, Error::Conversion { .. }), "{refused:?}");
    let raise: Function = lua.load("return function(e) error(e) end").eval()?;
    let error = raise.call::<()>(&caught).unwrap_err();
    let Error::Runtime(root) = error.root() else {
        panic!("{error:?}");
    };
    let Some(Value::Table(value)) = &root.value else {
        panic!("{root:?}");
    };
    assert_eq!(value.get::<i32>("code")?, 7);
    Ok(())
}
