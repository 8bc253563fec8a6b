//! What is measured.

use std::time::{Duration, Instant};

/// Does an operation so many times and says how long that took.
pub type Timed = Box<dyn FnMut(u64) -> Duration>;

/// Times a closure that does an operation once.
pub(crate) fn each(mut body: impl FnMut() + 'static) -> Timed {
    Box::new(move |times| {
        let start = Instant::now();
        for _ in 0..times {
            body();
        }
        start.elapsed()
    })
}

/// Times a closure that makes Lua code do an operation so many times.
pub(crate) fn looped(mut body: impl FnMut(u64) + 'static) -> Timed {
    Box::new(move |times| {
        let start = Instant::now();
        body(times);
        start.elapsed()
    })
}

macro_rules! operations {
    ($($name:ident $title:literal)*) => {
        /// An operation, by which the sides are compared.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Operation {
            $(#[doc = $title] $name,)*
        }

        impl Operation {
            /// All of them, in the order of the tables.
            pub const ALL: &[Operation] = &[$(Operation::$name),*];

            /// How the tables call it.
            pub fn title(self) -> &'static str {
                match self {
                    $(Operation::$name => $title,)*
                }
            }
        }
    };
}

operations! {
    CallEmpty "call an empty Lua function"
    CallInts "call with 3 ints → int"
    CallString "call with a string of 16 → String"
    GetName "get by name"
    GetNameMetatable "get by name, table with a metatable"
    SetName "set by name"
    GetIndex "get by integer"
    CallbackEmpty "callback from Lua, no arguments"
    CallbackInts "callback from Lua, 3 ints → int"
    CallbackString "callback from Lua, a string of 16"
    CreateTable "table of 10 ints"
    Resume "coroutine resume and yield"
    Pairs "100 pairs into (String, i64)"
    Handle "get a table, drop its handle"
    EvalExpression "eval 1 + 1"
    EvalChunk "eval return 1 + 1"
    ErrorToHost "Lua error to the host, with traceback"
    ErrorToLua "callback's error caught in Lua"
    Method "userdata method call from Lua"
    CreateFunction "create a function and drop it"
}
