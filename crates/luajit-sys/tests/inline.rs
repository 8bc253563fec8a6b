//! Inline code reads and writes slots as the functions of the C API do.

use luajit_sys::inline::{self, TValue};
use luajit_sys::*;
use std::ffi::c_int;

/// Values of all types, an expression each; those of the FFI library last.
const VALUES: [&str; 22] = [
    "nil",
    "false",
    "true",
    "0",
    "-0.0",
    "1",
    "-1",
    "2^31",
    "0.5",
    "1/0",
    "-1/0",
    "0/0",
    "-(0/0)",
    "''",
    "'text'",
    "('x'):rep(100000)",
    "'with\\0zero'",
    "{}",
    "print",
    "function() end",
    "coroutine.create(print)",
    "io.stdout",
];

struct State(*mut lua_State);

impl State {
    fn new() -> State {
        // SAFETY: a new state, whose libraries are opened without a limit on memory.
        unsafe {
            let l = luaL_newstate();
            assert!(!l.is_null());
            luaL_openlibs(l);
            State(l)
        }
    }

    /// Puts the value of an expression on the stack.
    fn eval(&self, expression: &str) {
        let code = format!("return {expression}");
        // SAFETY: live; a call that catches errors.
        unsafe {
            let name = c"expression".as_ptr();
            assert_eq!(
                luaL_loadbuffer(self.0, code.as_ptr().cast(), code.len(), name),
                0
            );
            assert_eq!(lua_pcall(self.0, 0, 1, 0), 0, "{expression}");
        }
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: live, and used no more.
        unsafe { lua_close(self.0) };
    }
}

#[test]
fn slots_read_as_by_the_api() {
    let state = State::new();
    let l = state.0;
    let expressions = VALUES.iter().copied();
    let ffi = ["require('ffi').new('int[2]')", "1LL"];
    for expression in expressions.chain(ffi) {
        state.eval(expression);
        // SAFETY: live; the value is in slot 1.
        unsafe {
            let value = inline::slot(l, 1).unwrap();
            assert_eq!(value.type_(), lua_type(l, 1), "{expression}");
            assert_eq!(value.is_nil(), lua_type(l, 1) == LUA_TNIL, "{expression}");
            assert_eq!(value.is_true(), lua_toboolean(l, 1) != 0, "{expression}");
            assert_eq!(value.is_number(), lua_type(l, 1) == LUA_TNUMBER);
            if value.is_number() {
                let expected = lua_tonumber(l, 1);
                assert_eq!(value.number().to_bits(), expected.to_bits(), "{expression}");
            }
            assert_eq!(value.string().is_some(), lua_type(l, 1) == LUA_TSTRING);
            if let Some((data, length)) = value.string() {
                let mut expected = 0;
                let text = lua_tolstring(l, 1, &mut expected);
                assert_eq!((data, length), (text.cast(), expected), "{expression}");
            }
            assert_eq!(value.table().is_some(), lua_type(l, 1) == LUA_TTABLE);
            if let Some(table) = value.table() {
                assert_eq!(table.address().cast_const().cast(), lua_topointer(l, 1));
            }
            assert_eq!(value.userdata().is_some(), lua_type(l, 1) == LUA_TUSERDATA);
            if let Some((block, size)) = value.userdata() {
                assert_eq!(block.cast(), lua_touserdata(l, 1), "{expression}");
                assert_eq!(size, lua_objlen(l, 1), "{expression}");
            }
            assert_eq!(inline::slot(l, 2), None);
            inline::lower_top(l, 0);
            assert_eq!(lua_gettop(l), 0);
        }
    }
}

#[test]
fn light_userdata_is_told_from_the_full_one() {
    let state = State::new();
    let mut target = 0;
    // SAFETY: live; the pointer is only looked at.
    unsafe {
        lua_pushlightuserdata(state.0, std::ptr::from_mut(&mut target).cast());
        let value = inline::slot(state.0, 1).unwrap();
        assert_eq!(value.type_(), LUA_TLIGHTUSERDATA);
        assert!(value.userdata().is_none());
    }
}

#[test]
fn pushed_values_are_those_of_the_api() {
    let state = State::new();
    let l = state.0;
    let numbers = [
        0.0,
        -0.0,
        1.5,
        -7.0,
        1e300,
        f64::INFINITY,
        f64::MIN_POSITIVE,
    ];
    // SAFETY: live; 20 slots are free at first, and all are popped in between.
    unsafe {
        for number in numbers {
            inline::push(l, TValue::number_value(number));
            assert_eq!(lua_type(l, 1), LUA_TNUMBER);
            assert_eq!(lua_tonumber(l, 1).to_bits(), number.to_bits());
            inline::lower_top(l, 0);
        }
        // Any NaN but LuaJIT's own might read as another type.
        for bits in [0x7ff8 << 48, 0xffff_ffff_ffff_ffff, 0xfffa_0000_0000_0001] {
            inline::push(l, TValue::number_value(f64::from_bits(bits)));
            assert_eq!(lua_type(l, 1), LUA_TNUMBER);
            assert!(lua_tonumber(l, 1).is_nan());
            inline::lower_top(l, 0);
        }
        for (value, expected) in [
            (TValue::NIL, LUA_TNIL),
            (TValue::boolean(true), LUA_TBOOLEAN),
            (TValue::boolean(false), LUA_TBOOLEAN),
        ] {
            inline::push(l, value);
            assert_eq!(inline::top(l), lua_gettop(l));
            assert_eq!(lua_type(l, 1), expected);
            assert_eq!(lua_toboolean(l, 1) != 0, value == TValue::boolean(true));
            inline::lower_top(l, 0);
        }
    }
}

#[test]
fn room_is_what_the_api_finds_without_growing() {
    let state = State::new();
    let l = state.0;
    // SAFETY: live.
    unsafe {
        assert!(inline::has_room(l, LUA_MINSTACK as usize));
        assert!(!inline::has_room(l, 5000));
        assert_eq!(lua_checkstack(l, 5000), 1);
        assert!(inline::has_room(l, 5000));
        assert!(!inline::has_room(l, usize::MAX));
        assert_eq!(lua_checkstack(l, 7999), 1);
        lua_settop(l, 7999);
        assert!(inline::has_room(l, 1));
        assert_eq!((inline::has_room(l, 2), lua_checkstack(l, 2)), (false, 0));
    }
}

#[test]
fn tables_are_read_as_by_the_api() {
    let state = State::new();
    let l = state.0;
    state.eval("{10, 20, nil, 40, x = 1}");
    state.eval("setmetatable({}, {})");
    // SAFETY: live; tables are in slots 1 and 2.
    unsafe {
        let plain = inline::slot(l, 1).and_then(TValue::table).unwrap();
        let other = inline::slot(l, 2).and_then(TValue::table).unwrap();
        assert!(!plain.has_metatable() && other.has_metatable());
        for key in -1..100 {
            lua_rawgeti(l, 1, key);
            let expected = inline::slot(l, 3);
            if let Some(slot) = plain.array_slot(key) {
                assert_eq!(Some(*slot), expected, "{key}");
            } else {
                assert!(!(1..=4).contains(&key) && expected == Some(TValue::NIL));
            }
            lua_settop(l, 2);
        }
    }
}

#[test]
fn fields_are_found_as_by_the_api() {
    let state = State::new();
    let l = state.0;
    state.eval("{}");
    state
        .eval("(function() local t = {} for i = 1, 1000, 3 do t['k' .. i] = i end return t end)()");
    for index in [1, 2] {
        for i in 0..1100 {
            // SAFETY: live; a table is in the slot, and its key is on top.
            unsafe {
                let table = inline::slot(l, index).and_then(TValue::table).unwrap();
                let name = format!("k{i}");
                lua_pushlstring(l, name.as_ptr().cast(), name.len());
                let key = inline::last(l);
                assert!(key.is_string());
                let found = table.string_slot(key).map_or(TValue::NIL, |slot| *slot);
                assert_eq!(found.is_nil(), index == 1 || i > 1000 || i % 3 != 1);
                lua_rawget(l, index);
                assert_eq!(found, inline::last(l), "{name}");
                inline::replace_last(l, TValue::NIL);
                assert_eq!((inline::last(l), lua_gettop(l)), (TValue::NIL, 3));
                lua_settop(l, 2);
            }
        }
    }
}

#[test]
fn a_table_that_the_collector_has_seen_needs_a_barrier() {
    let state = State::new();
    let l = state.0;
    state.eval("(function() local t = {} for i = 1, 1000 do t[i] = {} end return t end)()");
    // SAFETY: live; a table is in slot 1.
    unsafe {
        let table = inline::slot(l, 1).and_then(TValue::table).unwrap();
        let mut seen = false;
        for _ in 0..1000 {
            lua_gc(l, LUA_GCSTEP, 0);
            seen |= table.needs_barrier();
        }
        assert!(seen);
        lua_gc(l, LUA_GCCOLLECT, 0);
        assert!(!table.needs_barrier());
    }
}

#[test]
fn upvalues_and_metatables_are_those_of_the_api() {
    unsafe extern "C-unwind" fn function(l: *mut lua_State) -> c_int {
        // SAFETY: a C function runs, with room for what it pushes.
        unsafe {
            let (upvalues, count) = inline::upvalues(inline::running(l));
            for index in 0..count {
                inline::push(l, *upvalues.add(index));
            }
            count as c_int
        }
    }
    let state = State::new();
    let l = state.0;
    // SAFETY: live; few values are pushed, and the call catches errors.
    unsafe {
        lua_pushnumber(l, 7.0);
        lua_pushboolean(l, 1);
        lua_pushcclosure(l, function, 2);
        assert_eq!(lua_pcall(l, 0, LUA_MULTRET, 0), 0);
        assert_eq!(lua_tonumber(l, 1), 7.0);
        assert_eq!(lua_toboolean(l, 2), 1);
        assert_eq!(lua_gettop(l), 2);
        lua_settop(l, 0);

        state.eval("{}");
        let metatable = inline::slot(l, 1).and_then(TValue::table).unwrap();
        let block = lua_newuserdata(l, 24);
        inline::set_new_metatable(block.cast(), metatable);
        assert_eq!(lua_getmetatable(l, 2), 1);
        assert_eq!(lua_rawequal(l, 1, 3), 1);
    }
}
