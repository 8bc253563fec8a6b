//! Embed LuaJIT in Rust.
//!
//! ```
//! use lupa_core::{Result, Runtime};
//!
//! fn main() -> Result<()> {
//!     let lua = Runtime::new()?;
//!     lua.globals()?.set("greet", lua.function(|name: &str| format!("Hello, {name}!"))?)?;
//!     let text: String = lua.load("return greet('world')").eval()?;
//!     assert_eq!(text, "Hello, world!");
//!     Ok(())
//! }
//! ```
//!
//! # What to know
//!
//! * A [`Runtime`] is a LuaJIT state with a re-entrant lock. It and all handles ([`Table`],
//!   [`Function`], [`Coroutine`], [`LuaString`], [`UserData`]) are `Send` and `Sync`.
//! * Conversions ([`FromLua`], [`IntoLua`]) read from a [`Slot`] of the Lua stack and
//!   write to a [`Pusher`]: plain data needs no handle and no intermediate value.
//! * Lua code calls closures with typed arguments and results, [`Runtime::function`]; those that borrow from the
//!   host's stack are lent by a [`Scope`]. [`Runtime::create_function`] is the layer below.
//! * Lua code reaches host values through [`UserType`] (methods, fields and operators by name) or
//!   [`HostObject`] (one method for all operations, the layer below).
//! * A Lua error arrives as [`Error`], a host error raised through Lua comes back as the error that it
//!   was, with Lua's traceback, and a panic passes through Lua and goes on behind it. [`ErrorContext`] says what was being done.
//! * Lua code that runs too long can be ended: by a time limit ([`Runtime::set_time_limit`]), from another
//!   thread ([`Runtime::interrupt`]), or by the host's own check ([`Runtime::set_check`]).
//! * Integers up to 2^53 are Lua numbers; beyond, they are `int64_t` and `uint64_t` of the FFI library where the runtime
//!   has it. Nothing is rounded.
//! * The runtime keeps what the host needs with it: Lua values by name ([`Runtime::set_named`]), Rust values by type
//!   ([`Runtime::set_app_data`]). What a handle keeps alive includes the runtime; [`WeakRuntime`] says how to avoid cycles.
//! * [`Runtime::set_print`], [`Runtime::add_searcher`], [`Runtime::jit`] and [`Runtime::profile`] are the host's side of
//!   Lua's `print`, `require` and `jit`.
//! * With the feature `serde`, any type of serde becomes a Lua value and back: see the module `serde`. With the feature
//!   `async`, Lua code waits for Rust futures, and is one: see the module `asynchronous`.
//! * Nothing that Lua code does, short of the FFI library, binary modules and bytecode, aborts the
//!   process or breaks Rust's guarantees.
//!
//! The project's documents have a [guided tour][tour] and a page [for users of mlua][mlua]; the crate's folder `examples`
//! has complete programs.
//!
//! # Versions
//!
//! Rust 1.88 or newer. The crate follows semantic versioning; before 1.0 the second number stands for what may break programs.
//!
//! What counts as breaking: to remove or rename a public item, to change its types so that programs no longer compile, to change what
//! Lua code sees of conversions, errors or a sandbox without need of a fix. To ask for a newer Rust is noted in the changelog and comes
//! with a new second number.
//!
//! What does not: new variants and fields of what is `#[non_exhaustive]` ([`Error`], [`RuntimeError`], [`ExternalError`], [`Value`], [`Operation`],
//! [`Module`], the options and infos), new methods, new implementations of this crate's traits for types of the standard library, the
//! texts of messages, what is `#[doc(hidden)]`, the feature `fault-injection`, and a new LuaJIT 2.1. The traits whose only
//! methods are hidden ([`HostFn`], [`HostFnMut`], [`IntoResults`], [`FieldValue`], [`Argument`]) are not meant to be implemented elsewhere.
//!
//! [tour]: https://github.com/lupa-lua/lupa/blob/main/docs/rust/tour.md
//! [mlua]: https://github.com/lupa-lua/lupa/blob/main/docs/rust/coming-from-mlua.md

mod app_data;
mod argument;
#[cfg(feature = "async")]
pub mod asynchronous;
mod builder;
mod call;
mod chunk;
mod closure;
mod collections;
mod convert;
mod coroutine;
mod coroutine_values;
mod cursor;
mod error;
mod fiber;
mod filter;
mod function;
mod function_info;
mod handle;
mod host;
mod integer;
mod interruption;
mod jit;
mod jit_modules;
mod libs;
mod light_userdata;
mod memory;
mod multi;
mod named;
mod object;
mod path;
mod pretty;
mod print;
mod profiler;
mod pusher;
mod raw;
mod reference;
mod registry;
mod runtime;
mod sandbox;
mod scope;
mod searcher;
mod sequence;
#[cfg(feature = "serde")]
pub mod serde;
mod slot;
mod string;
mod table;
mod table_builder;
mod table_path;
mod text;
mod user_values;
mod usertype;
mod value;
mod weak;

pub use app_data::{AppDataMut, AppDataRef};
#[doc(hidden)]
pub use argument::via;
pub use argument::{Argument, Borrowed, Either};
pub use builder::Builder;
pub use call::{Arguments, Around, Directly, Results};
pub use chunk::{Chunk, ChunkMode, is_incomplete};
pub use closure::{HostFn, HostFnMut, IntoResults, NewFunction, function, function_mut, iterator};
pub use collections::Sequence;
pub use convert::{Bytes, FromLua, FromLuaMulti, IntoLua, IntoLuaMulti, Owned};
pub use coroutine::Coroutine;
pub use coroutine_values::Values;
pub use cursor::Cursor;
pub use error::{
    ArgumentError, ContextError, ConversionError, Error, ErrorContext, ExternalError,
    ExternalResult, Location, Message, Result, RuntimeError, StopError, Subject, SyntaxError,
};
pub use fiber::{Entered, Fiber};
pub use filter::{Access, AttributeFilter};
pub use function::Function;
pub use function_info::{FunctionInfo, FunctionKind};
pub use host::{Call, HostObject, Operation, RuntimeRef};
pub use interruption::InterruptHandle;
pub use jit::{Jit, JitScope, JitStatus};
pub use libs::Libs;
pub use light_userdata::LightUserData;
pub use multi::Variadic;
pub use profiler::{Profile, ProfileFrame, ProfileOptions, ProfileSample, Profiler, VmState};
pub use pusher::Pusher;
pub use raw::cell::{UserRef, UserRefMut};
pub use raw::coroutine::CoroutineStatus;
#[cfg(feature = "fault-injection")]
#[doc(hidden)]
pub use raw::faults;
pub use raw::stack::Kind;
pub use raw::userdata::HostRef;
pub use reference::{Reference, UserData};
pub use registry::{KeptReference, RegistryKey};
pub use runtime::{Guard, Runtime};
pub use scope::Scope;
pub use searcher::{Module, SearchOrder};
pub use sequence::{Entries, Items};
pub use slot::Slot;
pub use string::{LuaString, StringRef};
pub use table::Table;
pub use table_builder::TableBuilder;
pub use usertype::{FieldValue, MemberName, Members, UserType};
pub use value::{Value, equal, less_than};
pub use weak::WeakRuntime;

/// The examples of the project's README, which run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct ReadmeExamples;

/// The examples of the crate's own README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct CrateReadmeExamples;

/// The examples of the tour and of the page for users of mlua, which run as tests.
#[cfg(all(doctest, feature = "async", feature = "serde"))]
mod documents {
    #[doc = include_str!("../../../docs/rust/tour.md")]
    struct Tour;
    #[doc = include_str!("../../../docs/rust/coming-from-mlua.md")]
    struct ComingFromMlua;
}

/// Programs that must not compile.
#[cfg(doctest)]
#[doc = include_str!("../tests/forbidden.md")]
struct Forbidden;

/// Programs with async functions that must not compile.
#[cfg(all(doctest, feature = "async"))]
#[doc = include_str!("../tests/forbidden_async.md")]
struct ForbiddenAsync;
