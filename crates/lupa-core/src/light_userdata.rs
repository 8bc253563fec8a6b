//! Pointers as Lua values.

use crate::convert::{FromLua, IntoLua};
use crate::error::Result;
use crate::pusher::Pusher;
use crate::raw::Kind;
use crate::slot::Slot;
use std::ffi::c_void;

/// A pointer as a Lua value, which Lua calls light userdata: binary modules know their things by such values, and
/// they are good keys of tables. Lua code can pass them on and compare them, and can neither make nor read
/// them.
///
/// It owns nothing, and nothing says that what it points to is still there: that, and to use it as a pointer, is up to unsafe
/// code of the host. For Rust values in Lua see [`UserType`](crate::UserType).
///
/// ```
/// use lupa_core::{LightUserData, Runtime};
///
/// static PORT: u16 = 8080;
///
/// let lua = Runtime::new()?;
/// let key = LightUserData::new(&PORT);
/// lua.globals()?.set(key, "the value of this key")?;
/// let back: LightUserData = lua.load("return (next({[...] = 1}))").call(key)?;
/// assert_eq!(back, key);
/// assert_eq!(back.pointer().cast_const().cast(), &raw const PORT);
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LightUserData {
    // A number, since pointers are not `Send`, and values are.
    address: usize,
}

impl LightUserData {
    /// The null pointer.
    pub const NULL: LightUserData = LightUserData { address: 0 };

    /// A pointer as a value.
    pub fn new<T>(pointer: *const T) -> Self {
        LightUserData {
            address: pointer.expose_provenance(),
        }
    }

    /// The pointer.
    pub fn pointer(self) -> *mut c_void {
        std::ptr::with_exposed_provenance_mut(self.address)
    }
}

impl<'s> FromLua<'s> for LightUserData {
    fn from_lua(slot: Slot<'s>) -> Result<Self> {
        match slot.kind() {
            Kind::LightUserData => Ok(LightUserData::new(slot.block())),
            _ => Err(slot.mismatch("light userdata")),
        }
    }
}

/// Fails, with a message that says so, beyond about 250 pointers that lie half a tebibyte apart: LuaJIT has no room for more.
impl IntoLua for LightUserData {
    fn into_lua(self, to: Pusher<'_>) -> Result<()> {
        to.stack().push_pointer(self.pointer())
    }
}
