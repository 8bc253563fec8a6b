//! Values that a runtime keeps for who holds the runtime anyway.

use crate::convert::{IntoLua, Owned};
use crate::error::{Error, Result};
use crate::handle::Handle;
use crate::raw::slots::SlotKey;
use crate::reference::Reference;
use crate::runtime::Runtime;
use crate::slot::Slot;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;

/// Names a value that a runtime keeps: 8 bytes, where a handle has 16, since the runtime is not among them.
///
/// It is for those who keep many values and the runtime once, such as a binding for another language. All else is
/// served better by handles: a key neither keeps the runtime alive nor gives the value up when it is dropped. That is done by
/// [`Runtime::remove_registry_value`], or by the end of the runtime.
///
/// ```
/// use lupa_core::{RegistryKey, Runtime};
///
/// let lua = Runtime::new()?;
/// let key: RegistryKey = lua.create_registry_value("kept")?;
/// assert_eq!(lua.registry_value::<String>(&key)?, "kept");
/// assert_eq!(lua.registry_reference(&key)?.kind()?, lupa_core::Kind::String);
///
/// let other = Runtime::new()?;
/// assert!(!other.owns_registry_value(&key));
/// assert!(other.registry_value::<String>(&key).is_err());
/// lua.remove_registry_value(key)?;
/// # Ok::<(), lupa_core::Error>(())
/// ```
///
/// The default key belongs to no runtime.
#[derive(Debug, Default)]
#[must_use = "the value is kept until the key is given to `Runtime::remove_registry_value`"]
pub struct RegistryKey {
    slot: SlotKey,
    /// The number of its runtime. Numbers come again after 2^32 runtimes; to take a key for one of such a runtime could only mix up
    /// values, whose types are looked at in each operation.
    runtime: u32,
}

/// A value that a runtime keeps, borrowed from it and from the key: see [`Runtime::registry_reference`].
///
/// ```
/// use lupa_core::{Directly, KeptReference, RegistryKey, Result, Runtime};
///
/// /// What a binding has of a Lua value, beside its one `Runtime`.
/// struct Wrapper { key: RegistryKey }
///
/// impl Wrapper {
///     fn value<'a>(&'a self, lua: &'a Runtime) -> Result<KeptReference<'a>> {
///         lua.registry_reference(&self.key)
///     }
/// }
///
/// let lua = Runtime::new()?;
/// let wrapper = Wrapper { key: lua.create_registry_value(vec![1, 2, 3])? };
/// assert_eq!(wrapper.value(&lua)?.len_with(Directly)?, 3.0);
/// # lua.remove_registry_value(wrapper.key)?;
/// # Ok::<(), lupa_core::Error>(())
/// ```
pub struct KeptReference<'a> {
    reference: ManuallyDrop<Reference>,
    borrowed: PhantomData<(&'a Runtime, &'a RegistryKey)>,
}

impl std::ops::Deref for KeptReference<'_> {
    type Target = Reference;

    #[inline]
    fn deref(&self) -> &Reference {
        &self.reference
    }
}

impl std::fmt::Debug for KeptReference<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.reference.fmt(f)
    }
}

impl Runtime {
    /// Keeps a value until its key is removed or the runtime ends.
    ///
    /// ```
    /// use lupa_core::{RegistryKey, Result, Runtime, Table};
    ///
    /// let lua = Runtime::new()?;
    /// let keys = ["a", "b"].iter().map(|name| lua.create_registry_value(vec![*name]));
    /// let keys = keys.collect::<Result<Vec<RegistryKey>>>()?;
    /// lua.gc_collect()?;
    /// let first: Table = lua.registry_value(&keys[0])?;
    /// assert_eq!(first.get::<String>(1)?, "a");
    /// for key in keys {
    ///     lua.remove_registry_value(key)?;
    /// }
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Errors of the conversion, `Error::Closed`, `Error::Forked`, `Error::Memory`.
    pub fn create_registry_value(&self, value: impl IntoLua) -> Result<RegistryKey> {
        self.convert(value, |slot| slot.to_registry_key())
    }

    /// The value of a key, converted.
    ///
    /// # Errors
    /// `Error::WrongRuntime` for the key of another runtime, errors of the conversion, `Error::Closed`, `Error::Forked`.
    pub fn registry_value<T: Owned>(&self, key: &RegistryKey) -> Result<T> {
        self.registry_reference(key)?.with(|slot| T::from_lua(slot))
    }

    /// The value of a key, for any operation on it. Nothing is done in Lua for that, and the runtime's lock is not taken.
    ///
    /// ```
    /// use lupa_core::{Directly, Runtime};
    ///
    /// let lua = Runtime::new()?;
    /// let key = lua.create_registry_value(lua.load("return function(n) return n + 1 end").eval::<lupa_core::Function>()?)?;
    /// let handles = lua.handles()?;
    /// let function = lua.registry_reference(&key)?;
    /// let sum = function.call_with(|to| to.push(41), Directly, |results| Ok(results.get(0).number()))?;
    /// assert_eq!((sum, lua.handles()?), (Some(42.0), handles));
    /// # lua.remove_registry_value(key)?;
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::WrongRuntime` for the key of another runtime.
    #[inline]
    pub fn registry_reference<'a>(&'a self, key: &'a RegistryKey) -> Result<KeptReference<'a>> {
        if !self.owns_registry_value(key) {
            return Err(Error::WrongRuntime);
        }
        let handle = ManuallyDrop::into_inner(Handle::borrowed(self, key.slot));
        Ok(KeptReference {
            reference: ManuallyDrop::new(Reference(handle)),
            borrowed: PhantomData,
        })
    }

    /// Lets go of the value of a key. Needs no waiting: while another thread uses the runtime, the value stays until
    /// that is done.
    ///
    /// # Errors
    /// `Error::WrongRuntime` for the key of another runtime.
    #[inline]
    pub fn remove_registry_value(&self, key: RegistryKey) -> Result<()> {
        if !self.owns_registry_value(&key) {
            return Err(Error::WrongRuntime);
        }
        self.shared().release_slot(key.slot);
        Ok(())
    }

    /// Whether a key is one of this runtime.
    ///
    /// ```
    /// use lupa_core::{Error, Runtime};
    ///
    /// let (lua, other) = (Runtime::new()?, Runtime::new()?);
    /// let key = lua.create_registry_value("kept")?;
    /// assert!(lua.owns_registry_value(&key) && !other.owns_registry_value(&key));
    /// assert!(matches!(other.registry_value::<String>(&key), Err(Error::WrongRuntime)));
    /// # lua.remove_registry_value(key)?;
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    #[inline]
    pub fn owns_registry_value(&self, key: &RegistryKey) -> bool {
        self.shared().number() == key.runtime
    }
}

impl Slot<'_> {
    /// Has the runtime keep the value.
    ///
    /// ```
    /// use lupa_core::{Runtime, Slot, function};
    /// use std::sync::{Arc, Mutex};
    ///
    /// let lua = Runtime::new()?;
    /// let keys = Arc::new(Mutex::new(Vec::new()));
    /// let list = keys.clone();
    /// lua.globals()?.set("keep", function(move |value: Slot<'_>| {
    ///     list.lock().unwrap().push(value.to_registry_key()?);
    ///     Ok::<_, lupa_core::Error>(())
    /// }))?;
    /// lua.load("keep('one') keep('two')").exec()?;
    /// assert_eq!(lua.registry_value::<String>(&keys.lock().unwrap()[1])?, "two");
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Error::Memory` if there is no room for another value.
    #[inline]
    pub fn to_registry_key(self) -> Result<RegistryKey> {
        let stack = self.stack();
        Ok(RegistryKey {
            slot: stack.anchor(self.index())?,
            runtime: stack.shared().number(),
        })
    }
}
