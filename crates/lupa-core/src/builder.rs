//! What a runtime is made with.

use crate::error::Result;
use crate::filter::Access;
use crate::libs::Libs;
use crate::raw::Shared;
use crate::raw::kept::Filter;
use crate::runtime::Runtime;
use crate::usertype::MemberName;
use std::sync::Arc;
use std::time::Duration;

/// What a [`Runtime`] is made with.
///
/// ```
/// use lupa_core::{Error, Libs, Runtime};
///
/// let lua = Runtime::builder()
///     .libs(Libs::BASE | Libs::STRING | Libs::TABLE)
///     .memory_limit(4 << 20)
///     .print(|line| Ok(eprintln!("lua: {}", String::from_utf8_lossy(line))))
///     .build()?;
/// assert!(lua.load("return os").eval::<Option<bool>>()?.is_none());
/// assert!(matches!(lua.load("return ('x'):rep(1e7)").exec(), Err(Error::Memory)));
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[must_use = "a builder does nothing until `build`"]
pub struct Builder {
    libs: Option<Libs>,
    sandbox: bool,
    memory_limit: Option<usize>,
    time_limit: Option<Duration>,
    strings: usize,
    filter: Option<Arc<Filter>>,
    /// What is done to the new runtime, before a sandbox is closed.
    setups: Vec<Setup>,
}

type Setup = Box<dyn FnOnce(&Runtime) -> Result<()> + Send>;

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder")
            .field("libs", &self.libs)
            .field("sandbox", &self.sandbox)
            .field("memory_limit", &self.memory_limit)
            .field("time_limit", &self.time_limit)
            .field("string_capacity", &self.strings)
            .field("filter", &self.filter.is_some())
            .finish_non_exhaustive()
    }
}

impl Builder {
    pub(crate) fn new() -> Self {
        Builder {
            libs: None,
            sandbox: false,
            memory_limit: None,
            time_limit: None,
            strings: 0,
            filter: None,
            setups: Vec::new(),
        }
    }

    /// Which standard libraries to open; all by default.
    pub fn libs(mut self, libs: Libs) -> Self {
        self.libs = Some(libs);
        self
    }

    /// Makes the runtime one for code that is not trusted: only the libraries of
    /// [`Libs::SAFE`] and of `os` the functions about time, unless [`Builder::libs`] says otherwise; no
    /// bytecode, no files, no objects with finalizers of their own; the libraries are read-only.
    ///
    /// It limits neither time nor memory, and what the host puts into the runtime is the
    /// host's choice.
    ///
    /// ```
    /// use lupa_core::Runtime;
    ///
    /// let lua = Runtime::builder().sandbox(true).build()?;
    /// assert!(lua.load("return io == nil and os.getenv == nil and os.time() > 0").eval::<bool>()?);
    /// assert!(lua.load("string.rep = nil").exec().is_err());
    /// let bytecode = Runtime::new()?.load("return 5").into_function()?.dump()?;
    /// assert!(lua.load(&bytecode).exec().is_err());
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn sandbox(mut self, on: bool) -> Self {
        self.sandbox = on;
        self
    }

    /// The most memory, in bytes, that the runtime may use, its libraries included. Lua code that needs
    /// more is ended with `Error::Memory`.
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.memory_limit = Some(bytes);
        self
    }

    /// How long each call from the host into Lua may take: as [`Runtime::set_time_limit`], which changes it later.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use lupa_core::{Error, Runtime};
    /// use std::time::Duration;
    /// let lua = Runtime::builder().time_limit(Duration::from_millis(50)).build()?;
    /// let error = lua.load("while true do end").exec().unwrap_err();
    /// assert!(matches!(error, Error::Timeout(_)));
    /// # }
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self
    }

    /// How many different strings the runtime will hold at least; those of the libraries are some 250. LuaJIT's table of strings has
    /// room for 255, or so many, up to 65,535, and doubles when it is full. A host that is sure to add strings saves the
    /// memory that the growth would leave unused, and has the collector look through a larger table.
    ///
    /// ```
    /// use lupa_core::{Result, Runtime};
    ///
    /// // How much more memory is in use after some strings were made.
    /// let growth = |lua: Runtime| -> Result<usize> {
    ///     lua.gc_stop()?;
    ///     let before = lua.memory_used()?;
    ///     lua.load("names = {} for i = 1, 10000 do names[i] = 'name ' .. i end").exec()?;
    ///     Ok(lua.memory_used()? - before)
    /// };
    /// let roomy = Runtime::builder().string_capacity(11_000).build()?;
    /// assert!(growth(roomy)? < growth(Runtime::new()?)?);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn string_capacity(mut self, strings: usize) -> Self {
        self.strings = strings;
        self
    }

    /// A filter that is asked before Lua code reads or sets a member of a [`UserType`](crate::UserType).
    ///
    /// ```
    /// use lupa_core::{Error, Members, Runtime, UserType};
    ///
    /// struct Page;
    ///
    /// impl UserType for Page {
    ///     const NAME: &'static str = "Page";
    ///     fn members(members: &mut Members<Self>) {
    ///         members.read_only("title", |_| "Start").read_only("_path", |_| "/srv/start");
    ///     }
    /// }
    ///
    /// let lua = Runtime::builder()
    ///     .attribute_filter(|_, name, _| match name.starts_with(b"_") {
    ///         true => Err(Error::message("this is private")),
    ///         false => Ok(name),
    ///     })
    ///     .build()?;
    /// lua.globals()?.set("page", Page)?;
    /// assert_eq!(lua.load("return page.title").eval::<String>()?, "Start");
    /// assert!(lua.load("return page._path").exec().unwrap_err().text().contains("this is private"));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn attribute_filter<F>(mut self, filter: F) -> Self
    where
        F: for<'a> Fn(&'static str, MemberName<'a>, Access) -> Result<MemberName<'a>>
            + Send
            + Sync
            + 'static,
    {
        self.filter = Some(Arc::new(filter));
        self
    }

    /// Has something done to the new runtime, before any code can run in it.
    pub(crate) fn setup(
        mut self,
        setup: impl FnOnce(&Runtime) -> Result<()> + Send + 'static,
    ) -> Self {
        self.setups.push(Box::new(setup));
        self
    }

    /// Makes the runtime.
    ///
    /// # Errors
    /// `Error::Memory` if there is no memory for it, or the limit is below what the
    /// libraries need. An error if a searcher was given and the library `package` is not to be opened. `Error::Unavailable`
    /// for a time limit where there is none, as [`Runtime::set_time_limit`] says.
    pub fn build(self) -> Result<Runtime> {
        let standard = if self.sandbox {
            Libs::SAFE | Libs::OS
        } else {
            Libs::ALL
        };
        let libs = self.libs.unwrap_or(standard);
        let shared = Shared::new(libs.mask(), self.strings, self.memory_limit)?;
        let runtime = Runtime::from_shared(shared);
        runtime.shared().has_ffi.set(libs.contains(Libs::FFI));
        if let Some(filter) = self.filter {
            let _ = runtime.shared().kept().filter.set(filter);
        }
        if libs.contains(Libs::PACKAGE) && libs.contains(Libs::JIT) {
            crate::jit_modules::install(&runtime)?;
        }
        #[cfg(feature = "async")]
        crate::asynchronous::keep(&runtime)?;
        for setup in self.setups {
            setup(&runtime)?;
        }
        if self.sandbox {
            runtime.harden(self.libs.is_none())?;
        }
        runtime.shared().is_made()?;
        if self.time_limit.is_some() {
            runtime.set_time_limit(self.time_limit)?;
        }
        Ok(runtime)
    }
}
