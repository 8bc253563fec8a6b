//! Where `require` finds modules: the host's own places beside the standard ones.

use crate::builder::Builder;
use crate::chunk::Chunk;
use crate::convert::IntoLua;
use crate::error::{Error, Result};
use crate::function::Function;
use crate::handle::settled;
use crate::host::Call;
use crate::runtime::Runtime;
use crate::table::Table;
use crate::value::Value;
use std::ffi::c_int;

/// What a searcher found; see [`Runtime::add_searcher`].
///
/// ```
/// use lupa_core::{Module, Runtime, SearchOrder};
///
/// let lua = Runtime::new()?;
/// lua.add_searcher(SearchOrder::BeforeFiles, |lua, name| {
///     Ok(match name {
///         "list" => Some(Module::source("return { first = function(t) return t[1] end }", "@list.lua")),
///         "version" => Some(Module::Value(lua.convert_to(3)?)),
///         _ => None,
///     })
/// })?;
/// assert_eq!(lua.load("return require('list').first({ require('version') })").eval::<i64>()?, 3);
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Module {
    /// Lua code, which becomes the module's loader.
    #[non_exhaustive]
    Source {
        /// The code: source, or bytecode where that is allowed.
        code: Vec<u8>,
        /// The chunk's name, as [`Chunk::name`] takes it.
        name: String,
    },
    /// The loader: called with the module's name, it returns the module.
    Loader(Function),
    /// The module itself.
    Value(Value),
}

impl Module {
    /// A module of Lua code. A chunk name such as `@lib/list.lua` is a file's: messages show it.
    pub fn source(code: impl Into<Vec<u8>>, chunk_name: impl Into<String>) -> Self {
        Module::Source {
            code: code.into(),
            name: chunk_name.into(),
        }
    }
}

/// When a searcher is asked.
///
/// ```
/// use lupa_core::{Module, Runtime, SearchOrder};
///
/// let lua = Runtime::new()?;
/// lua.preload("log", |_| Ok("the program's"))?;
/// for order in [SearchOrder::Last, SearchOrder::First, SearchOrder::BeforeFiles] {
///     lua.add_searcher(order, move |lua, name| match (order, name) {
///         (SearchOrder::First, "log" | "list") => Ok(None),
///         _ => Ok(Some(Module::Value(lua.convert_to(format!("{name}: {order:?}"))?))),
///     })?;
/// }
/// assert_eq!(lua.require::<String>("tree")?, "tree: First");
/// // The first one has none of these; what was set by `preload` is next.
/// assert_eq!(lua.require::<String>("log")?, "the program's");
/// assert_eq!(lua.require::<String>("list")?, "list: BeforeFiles");
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SearchOrder {
    /// Before all others.
    First,
    /// After `package.preload`, before modules are looked for in files.
    BeforeFiles,
    /// When all others have found nothing.
    Last,
}

impl Builder {
    /// Adds a searcher to the new runtime; see [`Runtime::add_searcher`].
    ///
    /// ```
    /// use lupa_core::{Libs, Module, Runtime, SearchOrder};
    ///
    /// // A sandbox cannot be changed any more once it is made.
    /// let lua = Runtime::builder()
    ///     .sandbox(true)
    ///     .libs(Libs::SAFE | Libs::PACKAGE)
    ///     .searcher(SearchOrder::First, |_, name| {
    ///         Ok((name == "greeting").then(|| Module::source("return 'hello'", "@greeting.lua")))
    ///     })
    ///     .build()?;
    /// assert_eq!(lua.require::<String>("greeting")?, "hello");
    /// assert!(lua.require::<String>("other").is_err());
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn searcher<F>(self, order: SearchOrder, search: F) -> Self
    where
        F: Fn(&Runtime, &str) -> Result<Option<Module>> + Send + 'static,
    {
        self.setup(move |runtime| runtime.add_searcher(order, search))
    }
}

/// Modules for Lua's `require`, in runtimes with the library [`Libs::PACKAGE`](crate::Libs::PACKAGE). Each of
/// these gives an error in others.
impl Runtime {
    /// Adds a searcher: `require` asks it for a module of some name, and it gives the module or `None`. Of two with
    /// the same order the one that was added later is asked first, but for [`SearchOrder::Last`].
    ///
    /// It is an entry of Lua's `package.loaders`, so Lua code that may change that table can take it away. The
    /// closure gets the runtime, and should hold no handle of it: that would keep the runtime from being freed.
    ///
    /// ```
    /// use lupa_core::{Module, Runtime, SearchOrder};
    ///
    /// let lua = Runtime::new()?;
    /// lua.add_searcher(SearchOrder::BeforeFiles, |_, name| {
    ///     let code = match name {
    ///         "greeting" => "return {text = 'hello'}",
    ///         _ => return Ok(None),
    ///     };
    ///     Ok(Some(Module::source(code, "@embedded/greeting.lua")))
    /// })?;
    /// assert_eq!(lua.load("return require('greeting').text").eval::<String>()?, "hello");
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// An error if there is no `package.loaders`; `Error::Closed`, `Error::Forked`, `Error::Memory`. What the
    /// closure gives as an error is raised by `require`.
    pub fn add_searcher<F>(&self, order: SearchOrder, search: F) -> Result<()>
    where
        F: Fn(&Runtime, &str) -> Result<Option<Module>> + Send + 'static,
    {
        let loaders = self.package("loaders")?;
        let searcher = self.create_function(move |call| {
            let found = match call.get::<&str>(0) {
                Ok(name) => search(call.runtime(), name)?.map(|module| (name, module)),
                // A name that is no UTF-8 text is none of the host's modules.
                Err(_) => None,
            };
            answer(call, found)
        })?;
        let last = loaders.len()? + 1;
        let at = match order {
            SearchOrder::First => 1,
            SearchOrder::BeforeFiles => last.min(after_preload(&loaders)?),
            SearchOrder::Last => last,
        };
        loaders.insert(at, searcher)
    }

    /// Makes a value a module that is loaded already: `require` of this name gives it. An earlier module of the
    /// name is replaced for those who have not asked for it yet.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// let api = lua.create_table_from([("version", 3)])?;
    /// lua.register_module("app", api)?;
    /// assert_eq!(lua.load("return require('app').version").eval::<i32>()?, 3);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// An error if there is no `package.loaded`, or for nil and false, which mean that a module is not loaded; errors of the
    /// conversion, `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn register_module(&self, name: &str, module: impl IntoLua) -> Result<()> {
        let loaded = self.package("loaded")?;
        self.convert(module, |slot| {
            if !slot.truthy() {
                return Err(Error::message("a module cannot be nil or false"));
            }
            loaded.raw_set(name, slot)
        })
    }

    /// Sets the loader of a module, which is called when it is required for the first time: for what costs
    /// time to make.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// lua.preload("primes", |_| Ok(vec![2, 3, 5, 7, 11]))?;
    /// assert_eq!(lua.load("return require('primes')[4]").eval::<i32>()?, 7);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Runtime::add_searcher`].
    pub fn preload<V: IntoLua>(
        &self,
        name: &str,
        load: impl Fn(&Runtime) -> Result<V> + Send + 'static,
    ) -> Result<()> {
        let loader = self.create_function(move |call| {
            let module = load(call.runtime())?;
            call.push(module)
        })?;
        self.package("preload")?.raw_set(name, loader)
    }

    /// A table of the library `package`.
    fn package(&self, name: &'static str) -> Result<Table> {
        let package: Option<Table> = self.globals()?.get("package").unwrap_or_default();
        let found = package.and_then(|package| package.get(name).ok());
        found.ok_or_else(|| {
            let message = format!("there is no table `package.{name}`: is the library open?");
            Error::message(message)
        })
    }
}

/// The place behind the searcher of `package.preload`, which is the first that is not the host's.
fn after_preload(loaders: &Table) -> Result<usize> {
    loaders.0.with(|stack, index| {
        let table = settled(stack, index, 0)?;
        let mut is_of_the_host = |n: &usize| {
            table.raw_get_index(*n as c_int);
            let found = stack.is_host_function(index + 1);
            stack.pop_to(index);
            found
        };
        let before = (1..=table.raw_len()).take_while(&mut is_of_the_host);
        Ok(before.count() + 2)
    })
}

/// Tells `require` what a searcher found: a loader, or a text for its message.
fn answer(call: &mut Call<'_>, found: Option<(&str, Module)>) -> Result<()> {
    let loader = match found {
        None => return call.push("\n\tno module of the host program"),
        Some((_, Module::Loader(loader))) => loader,
        // Lua code keeps the value: a closure of the host with a handle would keep the runtime as well.
        Some((_, Module::Value(value))) => call
            .runtime()
            .load("local module = ... return function() return module end")
            .call(value)?,
        Some((module, Module::Source { code, name })) => {
            let chunk: Chunk<'_> = call.runtime().load(&code).name(&name);
            match chunk.into_function() {
                Err(error @ Error::Syntax { .. }) => {
                    let message = format!("error loading module '{module}':\n\t{error}");
                    return Err(call.raise(message));
                }
                compiled => compiled?,
            }
        }
    };
    call.push(loader)
}
