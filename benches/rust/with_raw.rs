//! The operations by the C API, as a careful C programmer would write them: whatever may raise
//! is called by a `lua_pcall` with a message handler that adds the traceback, which lies in a
//! fixed slot of the stack.

use crate::operation::{Operation, Timed, each, looped};
use crate::scripts;
use luajit_sys::*;
use std::ffi::{CStr, c_char, c_int};
use std::hint::black_box;
use std::{slice, str};

/// The slot of the message handler.
const HANDLER: c_int = 1;
/// The slot of what the operation's script returned.
const VALUE: c_int = 2;

const COUNTER: &CStr = c"Counter";

/// A Lua state whose stack has the two slots.
struct State(*mut lua_State);

impl State {
    fn new(script: &str) -> State {
        // SAFETY: a new state, on which the calls keep to the slots that they pushed; memory does
        // not run out for a program this small.
        unsafe {
            let l = luaL_newstate();
            assert!(!l.is_null());
            luaL_openlibs(l);
            lua_pushcfunction(l, add_traceback);
            let status =
                luaL_loadbuffer(l, script.as_ptr().cast(), script.len(), c"bench".as_ptr());
            assert_eq!(status, LUA_OK);
            assert_eq!(lua_pcall(l, 0, 1, HANDLER), LUA_OK);
            State(l)
        }
    }

    /// The pointer; a method, since a closure that used the field would take that alone.
    fn get(&self) -> *mut lua_State {
        self.0
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: nothing uses the state after its owner.
        unsafe { lua_close(self.0) };
    }
}

pub(crate) fn prepare(operation: Operation) -> Timed {
    match operation {
        Operation::CallEmpty => {
            // SAFETY: the function and room for it are there, and an error would be caught.
            on(scripts::EMPTY, |l| unsafe {
                lua_pushvalue(l, VALUE);
                assert_eq!(lua_pcall(l, 0, 0, HANDLER), LUA_OK);
            })
        }
        Operation::CallInts => {
            // SAFETY: as above; a new state has room for 20 values.
            on(scripts::ADD, |l| unsafe {
                lua_pushvalue(l, VALUE);
                let (a, b, c) = black_box((1, 2, 3));
                lua_pushinteger(l, a);
                lua_pushinteger(l, b);
                lua_pushinteger(l, c);
                assert_eq!(lua_pcall(l, 3, 1, HANDLER), LUA_OK);
                assert_eq!(lua_tointeger(l, -1), 6);
                lua_pop(l, 1);
            })
        }
        Operation::CallString => {
            // SAFETY: as above; the string is copied while it is on the stack.
            on(scripts::ECHO, |l| unsafe {
                lua_pushvalue(l, VALUE);
                push_text(l, black_box(scripts::TEXT));
                assert_eq!(lua_pcall(l, 1, 1, HANDLER), LUA_OK);
                drop(black_box(text(l, -1).to_owned()));
                lua_pop(l, 1);
            })
        }
        // The name is in the table, so that no metamethod is called, and nothing can raise.
        Operation::GetName => on(scripts::TABLE, get_name),
        Operation::GetNameMetatable => on(scripts::TABLE_WITH_METATABLE, get_name),
        Operation::SetName => {
            // SAFETY: a table without a metatable, a name that it has: nothing raises.
            on(scripts::TABLE, |l| unsafe {
                lua_pushinteger(l, black_box(5));
                lua_setfield(l, VALUE, black_box(c"name").as_ptr());
            })
        }
        Operation::GetIndex => {
            // SAFETY: a table, and room for its item.
            on(scripts::TABLE, |l| unsafe {
                lua_rawgeti(l, VALUE, black_box(2));
                assert_eq!(lua_tointeger(l, -1), 20);
                lua_pop(l, 1);
            })
        }
        Operation::CallbackEmpty => callback(scripts::LOOP, nothing),
        Operation::CallbackInts => callback(scripts::LOOP_INTS, add),
        Operation::CallbackString => callback(scripts::LOOP_STRING, take_text),
        Operation::CreateTable => {
            // SAFETY: room for two values; memory does not run out.
            on(scripts::EMPTY, |l| unsafe {
                lua_createtable(l, 10, 0);
                for i in 1..=10 {
                    lua_pushinteger(l, i);
                    lua_rawseti(l, -2, i as c_int);
                }
                lua_pop(l, 1);
            })
        }
        Operation::Resume => {
            let state = State::new(scripts::YIELDING);
            // SAFETY: the function moves to a coroutine that lives in the slot after it.
            let coroutine = unsafe {
                let coroutine = lua_newthread(state.get());
                lua_pushvalue(state.get(), VALUE);
                lua_xmove(state.get(), coroutine, 1);
                coroutine
            };
            each(move || {
                let _alive = state.get();
                // SAFETY: it is suspended before and after; what it yielded is popped.
                unsafe {
                    assert_eq!(lua_resume(coroutine, 0), LUA_YIELD);
                    assert_eq!(lua_tointeger(coroutine, -1), 1);
                    lua_pop(coroutine, 1);
                }
            })
        }
        Operation::Pairs => {
            // SAFETY: a table that does not change; its keys are strings, so that reading them as
            // such leaves them what they are.
            on(scripts::HUNDRED_PAIRS, |l| unsafe {
                let mut sum = 0;
                lua_pushnil(l);
                while lua_next(l, VALUE) != 0 {
                    black_box(text(l, -2).to_owned());
                    sum += lua_tointeger(l, -1);
                    lua_pop(l, 1);
                }
                assert_eq!(sum, 5050);
            })
        }
        Operation::Handle => {
            // SAFETY: a table that has the name, and room for its item.
            on(scripts::TABLE, |l| unsafe {
                lua_getfield(l, VALUE, black_box(c"inner").as_ptr());
                let handle = luaL_ref(l, LUA_REGISTRYINDEX);
                luaL_unref(l, LUA_REGISTRYINDEX, black_box(handle));
            })
        }
        Operation::EvalExpression | Operation::EvalChunk => {
            // SAFETY: the code outlives its loading; errors would be statuses.
            on(scripts::EMPTY, |l| unsafe {
                let code = black_box("return 1 + 1");
                let status =
                    luaL_loadbuffer(l, code.as_ptr().cast(), code.len(), c"=bench".as_ptr());
                assert_eq!(status, LUA_OK);
                assert_eq!(lua_pcall(l, 0, 1, HANDLER), LUA_OK);
                assert_eq!(lua_tointeger(l, -1), 2);
                lua_pop(l, 1);
            })
        }
        Operation::ErrorToHost => {
            // SAFETY: the error is caught, and its message copied while it is on the stack.
            on(scripts::FAILING, |l| unsafe {
                lua_pushvalue(l, VALUE);
                assert_eq!(lua_pcall(l, 0, 0, HANDLER), LUA_ERRRUN);
                drop(black_box(text(l, -1).to_owned()));
                lua_pop(l, 1);
            })
        }
        Operation::ErrorToLua => callback(scripts::LOOP_PCALL, fail),
        Operation::Method => {
            let state = State::new(scripts::LOOP_METHOD);
            // SAFETY: room for four values; the block is made for the type that it gets.
            unsafe {
                lua_newuserdata(state.get(), size_of::<i64>())
                    .cast::<i64>()
                    .write(0);
                luaL_newmetatable(state.get(), COUNTER.as_ptr());
                lua_createtable(state.get(), 0, 1);
                lua_pushcfunction(state.get(), counter_add);
                lua_setfield(state.get(), -2, c"add".as_ptr());
                lua_setfield(state.get(), -2, c"__index".as_ptr());
                lua_setmetatable(state.get(), -2);
            }
            run_loop(state)
        }
        Operation::CreateFunction => {
            // SAFETY: room for two values; memory does not run out.
            on(scripts::EMPTY, |l| unsafe {
                lua_pushinteger(l, black_box(1));
                lua_pushcclosure(l, captured, 1);
                lua_pop(l, 1);
            })
        }
    }
}

/// Times a body that uses a state with what `script` returned, and leaves its stack as it was.
fn on(script: &str, body: fn(*mut lua_State)) -> Timed {
    let state = State::new(script);
    each(move || body(state.get()))
}

fn callback(script: &str, function: lua_CFunction) -> Timed {
    let state = State::new(script);
    // SAFETY: room for a value.
    unsafe { lua_pushcfunction(state.get(), function) };
    run_loop(state)
}

/// Times the loop in `VALUE` with what lies above it.
fn run_loop(state: State) -> Timed {
    looped(move |times| {
        let l = state.get();
        // SAFETY: room for three values; an error would be caught.
        unsafe {
            lua_pushvalue(l, VALUE);
            lua_pushvalue(l, VALUE + 1);
            lua_pushnumber(l, times as f64);
            assert_eq!(lua_pcall(l, 2, 0, HANDLER), LUA_OK);
        }
    })
}

fn get_name(l: *mut lua_State) {
    // SAFETY: a table that has the name, and room for its item.
    unsafe {
        lua_getfield(l, VALUE, black_box(c"name").as_ptr());
        assert_eq!(lua_tointeger(l, -1), 1);
        lua_pop(l, 1);
    }
}

/// # Safety
/// There is room for a value.
unsafe fn push_text(l: *mut lua_State, text: &str) {
    // SAFETY: the string is copied; the caller answers for the room.
    unsafe { lua_pushlstring(l, text.as_ptr().cast(), text.len()) };
}

/// # Safety
/// The slot holds a string, which stays there while the result is used.
unsafe fn text<'a>(l: *mut lua_State, index: c_int) -> &'a str {
    let mut length = 0;
    // SAFETY: by the caller, there is a string, so many bytes of it.
    let bytes = unsafe { bytes(lua_tolstring(l, index, &mut length), length) };
    str::from_utf8(bytes).expect("the scripts have ASCII alone")
}

/// # Safety
/// So many bytes are there for as long as the result is used.
unsafe fn bytes<'a>(start: *const c_char, length: usize) -> &'a [u8] {
    // SAFETY: by the caller.
    unsafe { slice::from_raw_parts(start.cast(), length) }
}

// What Lua calls.  These raise over their own frames, which hold nothing that must be dropped.

unsafe extern "C-unwind" fn add_traceback(l: *mut lua_State) -> c_int {
    // SAFETY: LuaJIT calls message handlers with the message.
    unsafe { luaL_traceback(l, l, lua_tostring(l, 1), 1) };
    1
}

unsafe extern "C-unwind" fn nothing(_: *mut lua_State) -> c_int {
    0
}

unsafe extern "C-unwind" fn add(l: *mut lua_State) -> c_int {
    // SAFETY: a C function's frame has room for the result.
    unsafe {
        let sum = luaL_checkinteger(l, 1) + luaL_checkinteger(l, 2) + luaL_checkinteger(l, 3);
        lua_pushinteger(l, sum);
    }
    1
}

unsafe extern "C-unwind" fn take_text(l: *mut lua_State) -> c_int {
    let mut length = 0;
    // SAFETY: the argument stays where it is until the function returns.
    let bytes = unsafe { bytes(luaL_checklstring(l, 1, &mut length), length) };
    black_box(str::from_utf8(bytes).is_ok());
    0
}

unsafe extern "C-unwind" fn fail(l: *mut lua_State) -> c_int {
    // SAFETY: it does not come back.
    unsafe { luaL_error(l, c"oops".as_ptr()) }
}

unsafe extern "C-unwind" fn counter_add(l: *mut lua_State) -> c_int {
    // SAFETY: the metatable tells that the block is a counter's.
    unsafe {
        let counter: *mut i64 = luaL_checkudata(l, 1, COUNTER.as_ptr()).cast();
        *counter += luaL_checkinteger(l, 2) as i64;
        lua_pushinteger(l, *counter as lua_Integer);
    }
    1
}

unsafe extern "C-unwind" fn captured(l: *mut lua_State) -> c_int {
    // SAFETY: the closure has one upvalue.
    unsafe { lua_pushvalue(l, lua_upvalueindex(1)) };
    1
}
