//! Host objects as userdata: layout, identity check, creation.
//!
//! The block of a host object starts with a [`Header`] whose first word is a
//! random number of this process mixed with the block's address. Lua code can
//! copy metatables with the debug library, but it can neither read nor write that word, so
//! the header cannot be forged.

use super::dispatch;
use super::shared::Shared;
use super::slots::{self, SlotKey};
use super::stack::Stack;
use super::sys::{self, inline, inline::TValue};
use crate::error::Result;
use crate::host::{Call, HostObject, Operation};
use std::any::TypeId;
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::hash::{BuildHasher, RandomState};
use std::mem::{ManuallyDrop, needs_drop};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

/// What stands before the payload in a userdata block.
#[repr(C)]
pub(super) struct Header {
    mark: u64,
    pub(super) shared: *const Shared,
    pub(super) methods: &'static Methods,
    /// References into the payload that Rust code holds. While there are any, `__gc`,
    /// which Lua code can call early with the debug library, is deferred.
    borrows: Cell<usize>,
}

impl Header {
    /// Whether the payload's type serves an event of the shim.
    #[inline]
    pub(super) fn serves(&self, event: c_int) -> bool {
        self.methods.operations & (1 << event) != 0
    }
}

/// The monomorphised entry points of one type of payload.
pub(super) struct Methods {
    type_id: fn() -> TypeId,
    pub(super) name: &'static str,
    /// The operations of the type, a bit each.
    operations: u32,
    /// # Safety: the pointer is to a live payload of the type.
    pub(super) invoke: unsafe fn(*const (), Operation, &mut Call<'_>) -> Result<()>,
    /// Serves a call of a function with such a payload, if the type is one of functions; see [`dispatch::call`].
    pub(super) call: CallEntry,
    /// # Safety: as `invoke`; the payload must not be used afterwards.
    pub(super) drop: unsafe fn(*mut ()),
}

/// See [`dispatch::call`].
pub(super) type CallEntry =
    unsafe extern "C" fn(*mut sys::lua_State, *const Shared, *mut c_void) -> c_int;

/// Whether host functions of this type need no userdata: what they capture, if anything, fits into an upvalue, of which four bytes
/// may be anything. The other upvalues are the addresses of their methods and of their runtime.
pub(super) const fn is_plain<T>() -> bool {
    size_of::<T>() <= 4 && align_of::<T>() <= 4 && !needs_drop::<T>()
}

/// What is behind a host function.
pub(super) struct Function {
    pub(super) methods: &'static Methods,
    pub(super) shared: *const Shared,
    /// The payload of a plain function, the header of another one.
    pub(super) data: *mut c_void,
}

impl Function {
    /// What is behind a function of the host; `None` if it is dead.
    ///
    /// # Safety
    /// The value is a function made by [`Stack::push_function`], and alive, and this thread has the lock of its state.
    #[inline]
    pub(super) unsafe fn behind(function: TValue) -> Option<Function> {
        // SAFETY: by the caller: its upvalues are those it was made with, since the debug library cannot change them.
        unsafe {
            let (upvalues, count) = inline::upvalues(function);
            if count > 1 {
                // Without a third one the payload has no size, so that it is where one likes.
                return Some(Function {
                    methods: &*(*upvalues).address().cast(),
                    shared: (*upvalues.add(1)).address().cast(),
                    data: upvalues.add(2).cast(),
                });
            }
            let header = verify_function(*upvalues)?;
            Some(Function {
                methods: (*header).methods,
                shared: (*header).shared,
                data: header.cast(),
            })
        }
    }
}

#[repr(C)]
struct Block<T> {
    header: Header,
    payload: ManuallyDrop<T>,
}

struct MethodsOf<T>(std::marker::PhantomData<T>);

impl<T: HostObject> MethodsOf<T> {
    const OF_OBJECTS: &'static Methods = &Self::methods(dispatch::not_a_function);
    const OF_FUNCTIONS: &'static Methods = &Self::methods(dispatch::call::<T>);

    const fn methods(call: CallEntry) -> Methods {
        Methods {
            call,
            type_id: TypeId::of::<T>,
            name: T::NAME,
            operations: operations_mask(T::OPERATIONS),
            invoke: |payload, operation, call| {
                // SAFETY: by the contract of `Methods::invoke`.
                let object = unsafe { &*payload.cast::<T>() };
                object.invoke(operation, call)
            },
            drop: |payload| {
                // SAFETY: by the contract of `Methods::drop`.
                unsafe { payload.cast::<T>().drop_in_place() }
            },
        }
    }
}

const fn operations_mask(operations: &[Operation]) -> u32 {
    let mut mask = 0;
    let mut next = 0;
    while next < operations.len() {
        mask |= 1 << operations[next] as u32;
        next += 1;
    }
    mask
}

/// The payload's offset in a block of `T`; the same for all types whose alignment is
/// at most 8, which is what LuaJIT gives a block.
const PAYLOAD: usize = size_of::<Header>();

/// Set before the first runtime is made.
static SECRET: AtomicU64 = AtomicU64::new(0);

/// Only once.
pub(super) fn choose_secret() {
    // RandomState draws its keys from the system's randomness.
    let secret = RandomState::new().hash_one(0x006c_7570_6121_u64);
    SECRET.store(secret, Ordering::Relaxed);
}

#[inline]
fn mark_of(block: *const Header) -> u64 {
    SECRET.load(Ordering::Relaxed) ^ (block as u64)
}

/// Payloads of host functions have another mark. Without a finalizer it is not cleared at their end, and might be
/// found in a block of someone else's later, but such a block is never the upvalue of a host function.
#[inline]
fn mark_of_function(block: *const Header) -> u64 {
    !mark_of(block)
}

/// The header of a value, if that is a live host object: it is verified then.
///
/// # Safety
/// The value is alive, and this thread has the lock of its state.
#[inline]
pub(super) unsafe fn verify(value: TValue) -> Option<*mut Header> {
    // SAFETY: by the caller.
    unsafe { marked(value, mark_of) }
}

/// As [`verify`], for the payload of a host function.
///
/// # Safety
/// As [`verify`].
#[inline]
pub(super) unsafe fn verify_function(value: TValue) -> Option<*mut Header> {
    // SAFETY: by the caller.
    unsafe { marked(value, mark_of_function) }
}

/// # Safety
/// As [`verify`].
#[inline]
unsafe fn marked(value: TValue, mark: impl FnOnce(*const Header) -> u64) -> Option<*mut Header> {
    // SAFETY: by the caller. A block of so many bytes is readable, 8-aligned, and a u64 has no invalid values.
    unsafe {
        let (block, size) = value.userdata()?;
        let block: *mut Header = block.cast();
        (size >= PAYLOAD && (*block).mark == mark(block)).then_some(block)
    }
}

#[inline]
pub(super) fn payload(header: *mut Header) -> *mut () {
    // SAFETY: a verified header is followed by its payload in the same block.
    unsafe { header.byte_add(PAYLOAD).cast() }
}

/// Ends a host object's life: it verifies no more, and its payload is dropped as soon as
/// nothing borrows it.
///
/// # Safety
/// `header` was verified.
pub(super) unsafe fn finalize(header: *mut Header) {
    // SAFETY: verified, so header and payload are initialised; clearing the mark first
    // makes this happen once, whatever the payload's drop does.
    unsafe {
        (*header).mark = 0;
        if (*header).borrows.get() == 0 {
            ((*header).methods.drop)(payload(header));
        }
    }
}

/// Keeps the payload of a host object in place while Rust code uses it.
pub(super) struct Borrow(NonNull<Header>);

impl Borrow {
    /// # Safety
    /// `header` was verified, its userdata is on the stack for as long as the borrow
    /// lives, and so is the lock held.
    #[inline]
    pub(super) unsafe fn new(header: *mut Header) -> Self {
        // SAFETY: verified, so initialised.
        unsafe {
            let borrows = &(*header).borrows;
            borrows.set(borrows.get() + 1);
            Borrow(NonNull::new_unchecked(header))
        }
    }
}

impl Drop for Borrow {
    #[inline]
    fn drop(&mut self) {
        let header = self.0.as_ptr();
        // SAFETY: `new` demands that the userdata is still there.
        unsafe {
            let borrows = &(*header).borrows;
            borrows.set(borrows.get() - 1);
            // No mark: `finalize` was here and left the payload to the last borrow.
            if borrows.get() == 0 && (*header).mark == 0 {
                ((*header).methods.drop)(payload(header));
            }
        }
    }
}

/// A host object of the stack, borrowed.
///
/// ```
/// use lupa_core::{Call, Error, HostObject, HostRef, Operation, Result, Runtime};
///
/// struct Length(f64);
///
/// impl HostObject for Length {
///     const NAME: &'static str = "length";
///     const OPERATIONS: &'static [Operation] = &[Operation::Lt];
///     fn invoke(&self, _: Operation, call: &mut Call<'_>) -> Result<()> {
///         let operand = |i| call.arg(i).object().ok_or_else(|| Error::message("no length"));
///         let (a, b): (HostRef<'_, Length>, HostRef<'_, Length>) = (operand(0)?, operand(1)?);
///         call.push(a.0 < b.0)
///     }
/// }
///
/// let lua = Runtime::new()?;
/// let shorter = lua.load("local a, b = ... return a < b").into_function()?;
/// let (short, long) = (lua.create_object(Length(1.0))?, lua.create_object(Length(2.0))?);
/// assert!(shorter.call::<bool>((&short, &long))?);
/// assert!(!shorter.call::<bool>((&long, &short))?);
/// # Ok::<(), lupa_core::Error>(())
/// ```
pub struct HostRef<'s, T> {
    object: &'s T,
    /// The payload of a plain function lives as long as that.
    _borrow: Option<Borrow>,
}

impl<T> std::ops::Deref for HostRef<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.object
    }
}

impl<T: std::fmt::Debug> std::fmt::Debug for HostRef<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.object.fmt(f)
    }
}

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

    /// Makes the block of a new userdata that of a host object.
    ///
    /// # Safety
    /// The block has the size of a `Block<T>`, and nobody has looked at it.
    #[inline]
    unsafe fn fill<T: HostObject>(
        self,
        block: *mut Block<T>,
        object: T,
        mark: impl FnOnce(*const Header) -> u64,
        methods: &'static Methods,
    ) {
        const { assert!(align_of::<T>() <= 8 && size_of::<T>() < 1 << 20) };
        // SAFETY: by the caller, it is large enough; LuaJIT's blocks are 8-aligned.
        unsafe {
            block.write(Block {
                header: Header {
                    mark: mark(block.cast()),
                    shared: self.shared,
                    methods,
                    borrows: Cell::new(0),
                },
                payload: ManuallyDrop::new(object),
            });
        }
    }

    /// Sets the metatable of a new userdata to one of the anchors.
    ///
    /// # Safety
    /// Nothing was collected since the block's userdata was made.
    #[inline]
    unsafe fn set_metatable_of_block<T>(self, block: *mut Block<T>, metatable: SlotKey) {
        if let Some(metatable) = self.anchored(metatable).table() {
            // SAFETY: by the caller; the anchors keep the table.
            unsafe { inline::set_new_metatable(block.cast(), metatable) };
        }
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

    /// Pushes a function that calls `object`'s [`Operation::Call`].
    pub(crate) fn push_function<T: HostObject>(self, object: T) {
        if const { is_plain::<T>() } {
            let methods = std::ptr::from_ref(MethodsOf::<T>::OF_FUNCTIONS).cast();
            let shared = std::ptr::from_ref(self.shared).cast();
            let (methods, shared) = (TValue::of_address(methods), TValue::of_address(shared));
            let has_payload = const { size_of::<T>() > 0 };
            // SAFETY: live and locked; a slot is reserved. The place has four bytes and is aligned so.
            unsafe {
                let (first, second) = (methods.bits(), shared.bits());
                let place = sys::lupa_new_plain_function(self.l, first, second, has_payload.into());
                if has_payload {
                    place.cast::<T>().write(object);
                } else {
                    std::mem::forget(object);
                }
            }
            return;
        }
        // SAFETY: live and locked; a slot is reserved; the size is far below LuaJIT's limit.
        unsafe {
            let block = sys::lupa_new_function(self.l, size_of::<Block<T>>()).cast();
            self.fill(
                block,
                object,
                mark_of_function,
                MethodsOf::<T>::OF_FUNCTIONS,
            );
            // For its finalizer, which costs more than all the rest.
            if needs_drop::<T>() {
                self.set_metatable_of_block(block, slots::FUNCTION_META);
            }
        }
    }

    /// Whether the value in a slot is a host function.
    pub(crate) fn is_host_function(self, index: c_int) -> bool {
        // SAFETY: live and locked; a positive index.
        let code = unsafe { sys::lua_tocfunction(self.l, index) };
        // SAFETY: the event is in range.
        let ours = unsafe { sys::lupa_trampoline(sys::LUPA_FUNCTION) };
        code.is_some_and(|code| std::ptr::fn_addr_eq(code, ours))
    }

    /// The payload of type `T` of a host function in a slot.
    pub(crate) fn function_payload<T: HostObject>(self, index: c_int) -> Option<HostRef<'s, T>> {
        // SAFETY: live and locked; the function in its slot keeps its upvalues. The type is compared before the payload is looked at.
        unsafe {
            if !self.is_host_function(index) {
                return None;
            }
            let function = Function::behind(self.value(index)?)?;
            if (function.methods.type_id)() != TypeId::of::<T>() {
                return None;
            }
            Some(if const { is_plain::<T>() } {
                HostRef {
                    object: &*function.data.cast(),
                    _borrow: None,
                }
            } else {
                let header = function.data.cast();
                HostRef {
                    object: &*payload(header).cast(),
                    _borrow: Some(Borrow::new(header)),
                }
            })
        }
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
