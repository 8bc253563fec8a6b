//! Userdata of the host: its layout, how it is known, and its end.
//!
//! The block of such a userdata starts with a [`Header`] whose first word is a
//! random number of this process mixed with the block's address. Lua code can
//! copy metatables with the debug library, but it can neither read nor write that word, so
//! the header cannot be forged.

use super::dispatch;
use super::shared::Shared;
use super::slots::SlotKey;
use super::stack::Stack;
use super::sys::{self, inline, inline::TValue};
use crate::error::Result;
use crate::host::{Call, HostObject, Operation};
use std::any::TypeId;
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::hash::{BuildHasher, RandomState};
use std::mem::ManuallyDrop;
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
    pub(super) borrows: Cell<usize>,
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
    pub(super) type_id: fn() -> TypeId,
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

#[repr(C)]
pub(super) struct Block<T> {
    header: Header,
    payload: ManuallyDrop<T>,
}

pub(super) struct MethodsOf<T>(std::marker::PhantomData<T>);

impl<T: HostObject> MethodsOf<T> {
    pub(super) const OF_OBJECTS: &'static Methods = &Self::methods(dispatch::not_a_function);
    pub(super) const OF_FUNCTIONS: &'static Methods = &Self::methods(dispatch::call::<T>);

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
pub(super) fn mark_of(block: *const Header) -> u64 {
    SECRET.load(Ordering::Relaxed) ^ (block as u64)
}

/// Payloads of host functions have another mark. Without a finalizer it is not cleared at their end, and might be
/// found in a block of someone else's later, but such a block is never the upvalue of a host function.
#[inline]
pub(super) fn mark_of_function(block: *const Header) -> u64 {
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
    pub(super) object: &'s T,
    /// The payload of a plain function lives as long as that.
    pub(super) _borrow: Option<Borrow>,
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

impl Stack<'_> {
    /// Makes the block of a new userdata that of a host object.
    ///
    /// # Safety
    /// The block has the size of a `Block<T>`, and nobody has looked at it.
    #[inline]
    pub(super) unsafe fn fill<T: HostObject>(
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
    pub(super) unsafe fn set_metatable_of_block<T>(self, block: *mut Block<T>, metatable: SlotKey) {
        if let Some(metatable) = self.anchored(metatable).table() {
            // SAFETY: by the caller; the anchors keep the table.
            unsafe { inline::set_new_metatable(block.cast(), metatable) };
        }
    }
}
