//! Rust values that the host keeps with a runtime.

use crate::error::{Error, Result};
use crate::raw::lock::Held;
use crate::runtime::Runtime;
use parking_lot::RawRwLock;
use parking_lot::RwLock;
use parking_lot::lock_api::{ArcRwLockReadGuard, ArcRwLockWriteGuard};
use std::any::{Any, TypeId};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// Application data: one Rust value of each type, for host functions to share. They get at the runtime by
/// [`Call::runtime`](crate::Call::runtime).
///
/// Borrows are checked as by `RefCell`, and hold the runtime's lock, so that only what one thread does itself can
/// be in its way: several may read at a time or one may write. As the runtime moves between threads and may be
/// dropped on any, the values are `Send` and `Sync`. They are dropped with the runtime, after its finalizers; a value that holds a
/// handle or a [`Runtime`] keeps that from being freed.
impl Runtime {
    /// Keeps a value in place of the one of the same type, which it gives back.
    ///
    /// ```
    /// use lupa_core::Runtime;
    ///
    /// struct Score(u32);
    ///
    /// let lua = Runtime::new()?;
    /// lua.set_app_data(Score(0))?;
    /// lua.globals()?.set("hit", lua.create_function(|call| {
    ///     let points: u32 = call.get(0)?;
    ///     if let Some(mut score) = call.runtime().app_data_mut::<Score>()? {
    ///         score.0 += points;
    ///     }
    ///     Ok(())
    /// })?)?;
    /// lua.load("hit(3) hit(4)").exec()?;
    /// let score = lua.app_data_ref::<Score>()?.map(|score| score.0);
    /// assert_eq!(score, Some(7));
    /// // The former one is given back.
    /// assert_eq!(lua.set_app_data(Score(0))?.map(|score| score.0), Some(7));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// An error if that one is borrowed; `Error::Forked`.
    pub fn set_app_data<T: Any + Send + Sync>(&self, value: T) -> Result<Option<T>> {
        let _held = self.shared().lock()?;
        let former = self.remove_app_data()?;
        let value: Box<dyn Any + Send + Sync> = Box::new(Arc::new(RwLock::new(value)));
        let data = &self.shared().kept().data;
        data.borrow_mut().insert(TypeId::of::<T>(), value);
        Ok(former)
    }

    /// Takes the value of a type away.
    ///
    /// ```
    /// let lua = lupa_core::Runtime::new()?;
    /// lua.set_app_data(String::from("en"))?;
    /// assert_eq!(lua.remove_app_data::<String>()?.as_deref(), Some("en"));
    /// assert!(lua.app_data_ref::<String>()?.is_none());
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// An error if it is borrowed; `Error::Forked`.
    pub fn remove_app_data<T: Any + Send + Sync>(&self) -> Result<Option<T>> {
        let _held = self.shared().lock()?;
        let data = &self.shared().kept().data;
        // A borrow has a share of the value.
        let borrowed = match self.app_data::<T>() {
            None => return Ok(None),
            Some(value) => Arc::strong_count(&value) > 2,
        };
        if borrowed {
            return Err(in_use::<T>("is borrowed"));
        }
        let removed = data.borrow_mut().remove(&TypeId::of::<T>());
        let value = removed.and_then(|value| value.downcast::<Arc<RwLock<T>>>().ok());
        Ok(value.and_then(|value| Arc::into_inner(*value).map(RwLock::into_inner)))
    }

    /// Borrows the value of a type for reading; `None` if there is none. Waits while another thread uses the
    /// runtime, and keeps others out until the borrow is dropped.
    ///
    /// # Errors
    /// An error if this thread has it borrowed for writing; `Error::Forked`.
    pub fn app_data_ref<T: Any + Send + Sync>(&self) -> Result<Option<AppDataRef<'_, T>>> {
        let held = self.shared().lock()?;
        let Some(value) = self.app_data::<T>() else {
            return Ok(None);
        };
        match value.try_read_recursive_arc() {
            Some(value) => Ok(Some(AppDataRef { value, _held: held })),
            None => Err(in_use::<T>("is borrowed for writing")),
        }
    }

    /// Borrows the value of a type for writing; else as [`Runtime::app_data_ref`].
    ///
    /// # Errors
    /// An error if this thread has it borrowed; `Error::Forked`.
    pub fn app_data_mut<T: Any + Send + Sync>(&self) -> Result<Option<AppDataMut<'_, T>>> {
        let held = self.shared().lock()?;
        let Some(value) = self.app_data::<T>() else {
            return Ok(None);
        };
        match value.try_write_arc() {
            Some(value) => Ok(Some(AppDataMut { value, _held: held })),
            None => Err(in_use::<T>("is borrowed")),
        }
    }

    /// A share of the value of a type. Only with the lock held.
    fn app_data<T: Any + Send + Sync>(&self) -> Option<Arc<RwLock<T>>> {
        let data = self.shared().kept().data.borrow();
        let value = data.get(&TypeId::of::<T>())?;
        value.downcast_ref::<Arc<RwLock<T>>>().cloned()
    }
}

#[cold]
fn in_use<T>(how: &str) -> Error {
    let name = std::any::type_name::<T>();
    Error::message(format!("application data of type {name} {how}"))
}

/// Application data that is being read; see [`Runtime::app_data_ref`].
///
/// ```
/// use lupa_core::{AppDataRef, Error, Result, Runtime};
///
/// struct Settings { language: String, level: u8 }
///
/// fn settings(lua: &Runtime) -> Result<AppDataRef<'_, Settings>> {
///     lua.app_data_ref()?.ok_or_else(|| Error::message("no settings"))
/// }
///
/// let lua = Runtime::new()?;
/// assert!(settings(&lua).is_err());
/// lua.set_app_data(Settings { language: "en".into(), level: 3 })?;
/// let (one, another) = (settings(&lua)?, settings(&lua)?);
/// assert_eq!((one.language.as_str(), another.level), ("en", 3));
/// // Nobody may change what is being read.
/// assert!(lua.app_data_mut::<Settings>().is_err());
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[must_use = "the borrow ends when it is dropped"]
pub struct AppDataRef<'a, T> {
    // Before the lock: fields are dropped in order.
    value: ArcRwLockReadGuard<RawRwLock, T>,
    _held: Held<'a>,
}

/// Application data that is being changed; see [`Runtime::app_data_mut`].
///
/// ```
/// use lupa_core::{AppDataMut, Runtime};
///
/// let lua = Runtime::new()?;
/// lua.set_app_data(vec!["tea"])?;
/// let mut list: AppDataMut<'_, Vec<&str>> = lua.app_data_mut()?.unwrap();
/// list.push("cake");
/// assert!(lua.app_data_ref::<Vec<&str>>().is_err());
/// drop(list);
/// assert_eq!(*lua.app_data_ref::<Vec<&str>>()?.unwrap(), ["tea", "cake"]);
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[must_use = "the borrow ends when it is dropped"]
pub struct AppDataMut<'a, T> {
    value: ArcRwLockWriteGuard<RawRwLock, T>,
    _held: Held<'a>,
}

impl<T> Deref for AppDataRef<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Deref for AppDataMut<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for AppDataMut<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for AppDataRef<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}

impl<T: fmt::Debug> fmt::Debug for AppDataMut<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}
