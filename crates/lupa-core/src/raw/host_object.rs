//! Objects of the host as Lua values.

use super::slots::{self, SlotKey};
use super::stack::Stack;
use super::sys;
use super::userdata::{
    Block, Borrow, Header, HostRef, MethodsOf, finalize, mark_of, payload, verify,
};
use crate::error::Result;
use crate::host::HostObject;
use std::any::TypeId;
use std::ffi::c_int;

/// The key of an identity in the identity table, another one for each below 2^53. LuaJIT's hash of numbers puts
/// addresses, which differ in few bits, into few chains.
#[inline]
fn spread(identity: usize) -> f64 {
    const BITS: u32 = 53;
    let product = (identity as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) & ((1 << BITS) - 1);
    (product ^ (product >> 27)) as f64
}

impl<'s> Stack<'s> {
    /// The header of the host object in a slot.
    #[inline]
    pub(super) fn header(self, index: c_int) -> Option<*mut Header> {
        // SAFETY: live and locked; the slot keeps the value.
        unsafe { verify(self.value(index)?) }
    }

    /// The host object of type `T` in a slot.
    #[inline]
    pub(crate) fn host_object<T: HostObject>(self, index: c_int) -> Option<HostRef<'s, T>> {
        let header = self.header(index)?;
        // SAFETY: verified; the type is compared before the payload is looked at. The slot
        // keeps the userdata for `'s`, and the borrow keeps the payload.
        unsafe {
            (((*header).methods.type_id)() == TypeId::of::<T>()).then(|| HostRef {
                object: &*payload(header).cast::<T>(),
                _borrow: Some(Borrow::new(header)),
            })
        }
    }

    /// Lua-side name of the host object in a slot.
    pub(crate) fn host_name(self, index: c_int) -> Option<&'static str> {
        // SAFETY: verified.
        self.header(index)
            .map(|header| unsafe { (*header).methods.name })
    }

    /// Ends the life of the host object in a slot, as the collector would. Gives its name, and whether nothing
    /// borrowed it; else it goes on.
    pub(crate) fn destroy_host(self, index: c_int) -> Option<(&'static str, bool)> {
        let header = self.header(index)?;
        // SAFETY: verified; the slot keeps the userdata.
        unsafe {
            let is_free = (*header).borrows.get() == 0;
            let name = (*header).methods.name;
            if is_free {
                finalize(header);
            }
            Some((name, is_free))
        }
    }

    /// Pushes a new userdata that owns `object`.
    #[inline]
    pub(crate) fn push_host<T: HostObject>(self, object: T) -> Result<()> {
        let metatable = self.metatable_of::<T>()?;
        // SAFETY: live and locked; a slot is reserved; the size is far below LuaJIT's limit.
        unsafe {
            let block = sys::lua_newuserdata(self.l, size_of::<Block<T>>()).cast();
            self.fill(block, object, mark_of, MethodsOf::<T>::OF_OBJECTS);
            self.set_metatable_of_block(block, metatable);
        }
        Ok(())
    }

    /// Makes the metatable of a type, after which [`Stack::push_host`] cannot fail for it.
    pub(super) fn prepare_host<T: HostObject>(self) -> Result<()> {
        self.metatable_of::<T>().map(drop)
    }

    /// Pushes the userdata of the object with this identity, made by `make` if there is
    /// none yet. `is_same` tells whether a found object is the one that is meant.
    #[inline]
    pub(crate) fn push_identified<T: HostObject>(
        self,
        identity: usize,
        is_same: impl FnOnce(&T) -> bool,
        make: impl FnOnce() -> T,
    ) -> Result<()> {
        self.push_slot(slots::IDENTITY);
        let base = self.top();
        let table = self.table(base).expect("the identity table is one");
        let key = spread(identity);
        self.push_number(key);
        table.raw_get();
        if !self
            .host_object::<T>(base + 1)
            .is_some_and(|object| is_same(&object))
        {
            self.truncate(base);
            self.push_host(make())?;
            self.push_number(key);
            self.push_copy(base + 1);
            table.raw_set()?;
        }
        // SAFETY: live and locked; the table below the userdata is removed.
        unsafe { sys::lua_remove(self.l, base) };
        Ok(())
    }

    /// The slot of `T`'s metatable, made at first need.
    #[inline]
    fn metatable_of<T: HostObject>(self) -> Result<SlotKey> {
        let id = TypeId::of::<T>();
        let known = self
            .shared
            .metatables
            .borrow()
            .iter()
            .find(|(t, _)| *t == id)
            .map(|(_, k)| *k);
        match known {
            Some(key) => Ok(key),
            None => self.make_metatable::<T>(id),
        }
    }

    #[cold]
    fn make_metatable<T: HostObject>(self, id: TypeId) -> Result<SlotKey> {
        let base = self.top();
        self.push_table(0, T::OPERATIONS.len() + 2)?;
        for operation in T::OPERATIONS {
            self.push_metamethod(operation.metamethod(), *operation as c_int);
        }
        self.push_bytes(b"__gc")?;
        self.push_slot(slots::FINALIZER);
        // SAFETY: live and locked; the table is below key and value, a plain string key.
        unsafe { sys::lua_rawset(self.l, -3) };
        // Lua's getmetatable and setmetatable respect this field.
        self.push_bytes(b"__metatable")?;
        self.push_boolean(false);
        // SAFETY: as above.
        unsafe { sys::lua_rawset(self.l, -3) };
        let key = self.anchor(base + 1)?;
        self.truncate(base);
        let mut metatables = self.shared.metatables.borrow_mut();
        // There are few types, and some programs have many runtimes.
        metatables.reserve_exact(1);
        metatables.push((id, key));
        Ok(key)
    }

    fn push_metamethod(self, name: &'static str, event: c_int) {
        // SAFETY: live and locked; the metatable is on top; the event is in range; the key
        // is a plain string.
        unsafe {
            sys::lua_pushlstring(self.l, name.as_ptr().cast(), name.len());
            sys::lua_pushcclosure(self.l, sys::lupa_trampoline(event), 0);
            sys::lua_rawset(self.l, -3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::spread;
    use std::collections::HashSet;

    #[test]
    fn each_identity_has_a_key_of_its_own() {
        let identities =
            (0..10_000).flat_map(|i| [i, 0x7f3a_5d20_0000 + 16 * i, (1 << 53) - 1 - i]);
        let keys: HashSet<u64> = identities.map(|identity| spread(identity) as u64).collect();
        assert_eq!(keys.len(), 30_000);
        assert!(keys.iter().all(|key| *key < 1 << 53));
    }
}
