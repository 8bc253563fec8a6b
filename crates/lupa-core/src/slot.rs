//! A value on Lua's stack, to be read.

use crate::error::{Error, Result};
use crate::handle::Handle;
use crate::host::HostObject;
use crate::raw::userdata::HostRef;
use crate::raw::{Kind, Place, Stack};
use std::ffi::c_int;

/// One value on the Lua stack, to be read.
///
/// A slot costs nothing: no handle is made and nothing is copied until asked for.
///
/// ```
/// use lupa_core::{Kind, Runtime, Slot};
///
/// let lua = Runtime::new()?;
/// let describe = lua.function(|value: Slot<'_>| match value.kind() {
///     Kind::String => format!("{} bytes", value.bytes().unwrap_or_default().len()),
///     Kind::Number => format!("the number {}", value.number().unwrap_or_default()),
///     kind => format!("a {}", kind.name()),
/// })?;
/// assert_eq!(describe.call::<String>("text")?, "4 bytes");
/// assert_eq!(describe.call::<String>(1.5)?, "the number 1.5");
/// assert_eq!(describe.call::<String>(vec![1])?, "a table");
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Slot<'s> {
    stack: Stack<'s>,
    place: Place,
}

impl<'s> Slot<'s> {
    /// The index of a slot that reads as no value.
    pub(crate) const NONE: c_int = c_int::MAX;

    #[inline]
    pub(crate) fn new(stack: Stack<'s>, index: c_int) -> Self {
        Slot::at(stack, stack.place(index))
    }

    #[inline]
    pub(crate) fn at(stack: Stack<'s>, place: Place) -> Self {
        Slot { stack, place }
    }

    /// The slot of another index of the same frame.
    #[inline]
    pub(crate) fn sibling(self, index: c_int) -> Self {
        Slot::at(self.stack, self.place.with_index(index))
    }

    pub(crate) fn stack(self) -> Stack<'s> {
        self.stack.at(self.place)
    }

    pub(crate) fn index(self) -> c_int {
        self.place.index()
    }

    /// What the slot holds.
    #[inline]
    pub fn kind(self) -> Kind {
        self.stack().kind(self.index())
    }

    /// Whether it is nil, or no value at all.
    #[inline]
    pub fn is_nil(self) -> bool {
        matches!(self.kind(), Kind::Nil | Kind::None)
    }

    /// The number, if it is one. Strings are not converted.
    #[inline]
    pub fn number(self) -> Option<f64> {
        self.stack().number(self.index())
    }

    /// The number, or what a string reads as, by Lua's own coercion.
    ///
    /// ```
    /// use lupa_core::{Runtime, Slot};
    ///
    /// let lua = Runtime::new()?;
    /// let look = lua.function(|of: Slot<'_>| (of.is_nil(), of.boolean(), of.truthy(), of.coerced_number()))?;
    /// type Looks = (bool, Option<bool>, bool, Option<f64>);
    /// assert_eq!(look.call::<Looks>(())?, (true, None, false, None));
    /// assert_eq!(look.call::<Looks>(false)?, (false, Some(false), false, None));
    /// assert_eq!(look.call::<Looks>(0)?, (false, None, true, Some(0.0)));
    /// assert_eq!(look.call::<Looks>("0x10")?, (false, None, true, Some(16.0)));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn coerced_number(self) -> Option<f64> {
        match self.kind() {
            Kind::Number | Kind::String => self.stack().coerced_number(self.index()),
            _ => None,
        }
    }

    /// The boolean, if it is one.
    #[inline]
    pub fn boolean(self) -> Option<bool> {
        (self.kind() == Kind::Boolean).then(|| self.truthy())
    }

    /// Whether Lua takes the value for true: all but nil and false.
    #[inline]
    pub fn truthy(self) -> bool {
        self.stack().boolean(self.index())
    }

    /// The bytes, if it is a string. Numbers are not converted.
    #[inline]
    pub fn bytes(self) -> Option<&'s [u8]> {
        self.stack().bytes(self.index())
    }

    /// The host object, if it is one of type `T`.
    #[inline]
    pub fn object<T: HostObject>(self) -> Option<HostRef<'s, T>> {
        self.stack().host_object(self.index())
    }

    /// What is inside a host function made of a `T`, see [`Pusher::function`](crate::Pusher::function). Takes a stack slot.
    ///
    /// ```
    /// use lupa_core::{Call, HostObject, Operation, Result, Runtime, Slot};
    ///
    /// /// A function that adds.
    /// struct Adder(f64);
    ///
    /// impl HostObject for Adder {
    ///     const NAME: &'static str = "adder";
    ///     const OPERATIONS: &'static [Operation] = &[Operation::Call];
    ///     fn invoke(&self, _: Operation, call: &mut Call<'_>) -> Result<()> {
    ///         let n: f64 = call.get(0)?;
    ///         call.push(self.0 + n)
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// let added = lua.function(|f: Slot<'_>| f.function_object::<Adder>().map(|adder| adder.0))?;
    /// lua.globals()?.set("added", added)?;
    /// let adder = lua.create_function(|call| call.push_with(|to| to.function(Adder(5.0))))?;
    /// lua.globals()?.set("adder", adder)?;
    /// let all: (f64, f64, Option<f64>) = lua.load("local f = adder() return f(1), added(f), added(print)").eval()?;
    /// assert_eq!(all, (6.0, 5.0, None));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn function_object<T: HostObject>(self) -> Option<HostRef<'s, T>> {
        if self.kind() == Kind::Function {
            self.stack().function_payload(self.index())
        } else {
            None
        }
    }

    /// An address that identifies a table, function, coroutine or userdata among
    /// the live ones; null for other values.
    ///
    /// ```
    /// use lupa_core::{Runtime, Slot};
    /// use std::collections::HashSet;
    ///
    /// let lua = Runtime::new()?;
    /// // How many different tables a list has.
    /// let different = lua.function(|list: Slot<'_>| {
    ///     let items = list.sequence(|item| Ok(item.address()))?;
    ///     Ok(items.into_iter().filter(|address| !address.is_null()).collect::<HashSet<_>>().len())
    /// })?;
    /// lua.globals()?.set("different", different)?;
    /// assert_eq!(lua.load("local t = {} return (different { t, {}, t, 5 })").eval::<usize>()?, 2);
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    pub fn address(self) -> *const std::ffi::c_void {
        if self.kind() == Kind::None {
            std::ptr::null()
        } else {
            self.stack().pointer(self.index())
        }
    }

    /// Makes a handle that keeps the value.
    #[inline]
    pub(crate) fn handle(self) -> Result<Handle> {
        Handle::new(self.stack(), self.index())
    }

    /// The value of an `int64_t` or `uint64_t` of the FFI library; `None` for other values.
    ///
    /// ```
    /// use lupa_core::{Runtime, Slot};
    ///
    /// let lua = Runtime::new()?;
    /// let wide = lua.function(|of: Slot<'_>| Ok(of.cdata_integer()?.map(|n| n.to_string())))?;
    /// lua.globals()?.set("wide", wide)?;
    /// let all: (String, Option<String>) = lua.load("return wide(18446744073709551615ULL), wide(1)").eval()?;
    /// assert_eq!(all, ("18446744073709551615".into(), None));
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// None at present.
    pub fn cdata_integer(self) -> Result<Option<i128>> {
        if self.kind() != Kind::CData {
            return Ok(None);
        }
        Ok(self.stack().cdata_integer(self.index()))
    }

    /// Name of the type, for messages; a host object's own.
    pub fn type_name(self) -> &'static str {
        match self.kind() {
            Kind::UserData => self.stack().host_name(self.index()).unwrap_or("userdata"),
            kind => kind.name(),
        }
    }

    /// The error for a value that does not convert to `to`.
    ///
    /// ```
    /// use lupa_core::{Call, FromLua, HostObject, Operation, Result, Runtime, Slot};
    /// use std::sync::Arc;
    ///
    /// /// An image that Lua code holds and Rust code shares.
    /// struct Image(Arc<[u8]>);
    ///
    /// impl HostObject for Image {
    ///     const NAME: &'static str = "image";
    ///     const OPERATIONS: &'static [Operation] = &[];
    ///     fn invoke(&self, _: Operation, _: &mut Call<'_>) -> Result<()> {
    ///         Ok(())
    ///     }
    /// }
    ///
    /// impl<'s> FromLua<'s> for Image {
    ///     fn from_lua(slot: Slot<'s>) -> Result<Self> {
    ///         let image = slot.object::<Image>().ok_or_else(|| slot.mismatch("image"))?;
    ///         Ok(Image(Arc::clone(&image.0)))
    ///     }
    /// }
    ///
    /// let lua = Runtime::new()?;
    /// let image = lua.create_object(Image(Arc::from([1, 2, 3])))?;
    /// let size = lua.function(|image: Image| image.0.len())?;
    /// assert_eq!(size.call::<usize>(&image)?, 3);
    /// assert!(size.call::<usize>("x").unwrap_err().text().ends_with("cannot convert string to image"));
    /// let name = lua.function(|of: Slot<'_>| of.type_name())?;
    /// assert_eq!(name.call::<String>(&image)?, "image");
    /// # Ok::<(), lupa_core::Error>(())
    /// ```
    #[cold]
    pub fn mismatch(self, to: &'static str) -> Error {
        Error::conversion(self.type_name(), to, "")
    }
}

/// As messages name a key of a table: text in quotes, a number or a boolean as it is, the type of all else.
impl std::fmt::Display for Slot<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        /// Bytes of a text that are shown.
        const MOST: usize = 60;
        match (self.bytes(), self.number(), self.boolean()) {
            (Some(text), ..) if text.len() > MOST => {
                write!(f, "'{}…'", String::from_utf8_lossy(&text[..MOST]))
            }
            (Some(text), ..) => write!(f, "'{}'", String::from_utf8_lossy(text)),
            (_, Some(number), _) => write!(f, "{number}"),
            (_, _, Some(boolean)) => write!(f, "{boolean}"),
            _ => f.write_str(self.type_name()),
        }
    }
}

impl std::fmt::Debug for Slot<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Slot").field(&self.kind()).finish()
    }
}
