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
    ($($name:ident $title:literal, $limit:literal)*) => {
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

            /// What lupa-core may take at most, as a multiple of what raw takes.
            pub fn limit(self) -> f64 {
                match self {
                    $(Operation::$name => $limit,)*
                }
            }
        }
    };
}

operations! {
    CallEmpty "call an empty Lua function", 1.7
    CallInts "call with 3 ints → int", 1.5
    CallString "call with a string of 16 → String", 1.3
    GetName "get by name", 1.6
    GetNameMetatable "get by name, table with a metatable", 3.1
    SetName "set by name", 2.2
    GetIndex "get by integer", 2.5
    CallbackEmpty "callback from Lua, no arguments", 1.4
    CallbackInts "callback from Lua, 3 ints → int", 2.0
    CallbackString "callback from Lua, a string of 16", 1.9
    CreateTable "table of 10 ints", 1.3
    Resume "coroutine resume and yield", 1.8
    Pairs "100 pairs into (String, i64)", 3.0
    Handle "get a table, drop its handle", 0.5
    EvalExpression "eval 1 + 1", 1.2
    EvalChunk "eval return 1 + 1", 1.2
    ErrorToHost "Lua error to the host, with traceback", 1.6
    ErrorToLua "callback's error caught in Lua", 1.5
    Method "userdata method call from Lua", 1.5
    CreateFunction "create a function and drop it", 2.5
}
