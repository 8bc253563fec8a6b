//! What every operation of a host does many times (looking at a slot, pushing a number), as inline code.
//!
//! The functions of the C API cost 1 to 2 ns each, a call of a Lua function about 11: a host that
//! reaches for a dozen of them around a call has doubled its cost. These do the same in a few instructions, on
//! LuaJIT's own structures. What they know of those is in `offsets.rs`, and checked against
//! LuaJIT's headers whenever the shim is compiled.
//!
//! None of them raises, allocates or runs Lua code. All expect a live state that this thread uses, and
//! slots as positive indices; debug builds check the room on the stack.
//!
//! ```
//! use luajit_sys as sys;
//! use luajit_sys::inline;
//!
//! // SAFETY: a state of this thread, with the 20 free slots that a new one has.
//! unsafe {
//!     let l = sys::luaL_newstate();
//!     inline::push(l, inline::TValue::number_value(42.0));
//!     assert_eq!(inline::top(l), 1);
//!     assert_eq!(inline::slot(l, 1).unwrap().number(), 42.0);
//!     inline::lower_top(l, 0);
//!     sys::lua_close(l);
//! }
//! ```

use crate::{
    LUA_OK, LUA_TBOOLEAN, LUA_TFUNCTION, LUA_TLIGHTUSERDATA, LUA_TNIL, LUA_TNONE, LUA_TNUMBER,
    LUA_TSTRING, LUA_TTABLE, LUA_TTHREAD, LUA_TUSERDATA, lua_State,
};
use core::ffi::c_int;
use core::ptr::NonNull;

macro_rules! offsets {
    ($($name:ident = $value:literal,)*) => {$(const $name: usize = $value;)*};
}
include!("offsets.rs");

/// The type of FFI objects as `lua_type` gives it, a number that has no name in `lua.h`.
pub const LUA_TCDATA: c_int = 10;

/// A value as it lies in a slot: a double, or a tag of 17 bits (inverted, from the top) above an address or
/// an integer of 47.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct TValue(u64);

const TAG_SHIFT: u32 = 47;
const ADDRESS: u64 = (1 << TAG_SHIFT) - 1;

/// Tags, inverted; doubles have larger ones than all others.
const FALSE: u32 = 1;
const TRUE: u32 = 2;
const STRING: u32 = 4;
const THREAD: u32 = 6;
const TABLE: u32 = 11;
const USERDATA: u32 = 12;
/// Of integers, which LuaJIT has on some processors beside doubles.
const INTEGER: u32 = 13;

/// `lua_type` by tag. Some tags are of objects that never are in a slot.
const TYPES: [c_int; 13] = [
    LUA_TNIL,
    LUA_TBOOLEAN,
    LUA_TBOOLEAN,
    LUA_TLIGHTUSERDATA,
    LUA_TSTRING,
    LUA_TNONE,
    LUA_TTHREAD,
    LUA_TNONE,
    LUA_TFUNCTION,
    LUA_TNONE,
    LUA_TCDATA,
    LUA_TTABLE,
    LUA_TUSERDATA,
];

impl TValue {
    /// `nil`
    pub const NIL: TValue = TValue(!0);

    /// `true` or `false`
    #[inline]
    pub const fn boolean(value: bool) -> TValue {
        let tag = if value { TRUE } else { FALSE };
        TValue(!((tag as u64) << TAG_SHIFT))
    }

    /// A number; all NaNs become the one that LuaJIT knows.
    #[inline]
    pub const fn number_value(value: f64) -> TValue {
        TValue(if value.is_nan() {
            0xfff8 << 48
        } else {
            value.to_bits()
        })
    }

    #[inline]
    const fn tag(self) -> u32 {
        !((self.0 as i64 >> TAG_SHIFT) as u32)
    }

    /// The type, as `lua_type` gives it.
    #[inline]
    pub const fn type_(self) -> c_int {
        let tag = self.tag();
        if tag >= INTEGER {
            LUA_TNUMBER
        } else {
            TYPES[tag as usize]
        }
    }

    /// The number whose bits are an address. Those of programs are below 2^52, so it is one.
    #[inline]
    pub fn of_address(address: *const ()) -> TValue {
        let bits = address.expose_provenance() as u64;
        debug_assert!(bits < 1 << 52);
        TValue(bits)
    }

    /// The address that [`TValue::of_address`] was given.
    #[inline]
    pub fn address(self) -> *const () {
        core::ptr::with_exposed_provenance(self.0 as usize)
    }

    /// The bits.
    #[inline]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Whether it is nil.
    #[inline]
    pub const fn is_nil(self) -> bool {
        self.0 == Self::NIL.0
    }

    /// Whether it is a number.
    #[inline]
    pub const fn is_number(self) -> bool {
        self.tag() >= INTEGER
    }

    /// Whether it is a string.
    #[inline]
    pub const fn is_string(self) -> bool {
        self.tag() == STRING
    }

    /// The number, which it must be to make sense.
    #[inline]
    pub const fn number(self) -> f64 {
        if self.tag() == INTEGER {
            self.0 as i32 as f64
        } else {
            f64::from_bits(self.0)
        }
    }

    /// Whether Lua takes it for true.
    #[inline]
    pub const fn is_true(self) -> bool {
        self.tag() > FALSE
    }

    /// The object behind it.
    #[inline]
    fn object(self) -> *mut u8 {
        core::ptr::with_exposed_provenance_mut((self.0 & ADDRESS) as usize)
    }

    /// The bytes of a string, as address and length; `None` for other values. They stay where they are for as
    /// long as anything refers to the string.
    ///
    /// # Safety
    /// The value is alive.
    #[inline]
    pub unsafe fn string(self) -> Option<(*const u8, usize)> {
        (self.tag() == STRING).then(|| {
            let string = self.object();
            // SAFETY: a live string, laid out as `offsets.rs` says.
            unsafe {
                let length = string.add(STRING_LENGTH).cast::<u32>().read();
                (string.add(STRING_DATA).cast_const(), length as usize)
            }
        })
    }

    /// The table; `None` for other values.
    #[inline]
    pub fn table(self) -> Option<Table> {
        if self.tag() == TABLE {
            NonNull::new(self.object()).map(Table)
        } else {
            None
        }
    }

    /// The coroutine; `None` for other values.
    #[inline]
    pub fn thread(self) -> Option<*mut lua_State> {
        (self.tag() == THREAD).then(|| self.object().cast())
    }

    /// The full userdata's block and its size in bytes; `None` for other values.
    ///
    /// # Safety
    /// The value is alive.
    #[inline]
    pub unsafe fn userdata(self) -> Option<(*mut u8, usize)> {
        (self.tag() == USERDATA).then(|| {
            let userdata = self.object();
            // SAFETY: a live userdata, laid out as `offsets.rs` says.
            unsafe {
                let length = userdata.add(USERDATA_LENGTH).cast::<u32>().read();
                (userdata.add(USERDATA_DATA), length as usize)
            }
        })
    }
}

/// A table, by address: of use while it is alive.
#[derive(Debug, Clone, Copy)]
pub struct Table(NonNull<u8>);

impl Table {
    /// Its address.
    #[inline]
    pub const fn address(self) -> *mut u8 {
        self.0.as_ptr()
    }

    /// Whether it has a metatable.
    ///
    /// # Safety
    /// The table is alive.
    #[inline]
    pub unsafe fn has_metatable(self) -> bool {
        // SAFETY: a live table, laid out as `offsets.rs` says.
        unsafe { self.address().add(TABLE_METATABLE).cast::<u64>().read() != 0 }
    }

    /// The slot of an integer key, if the array part has one: raw access.
    ///
    /// # Safety
    /// The table is alive; the address is good until it is changed in size.
    #[inline]
    pub unsafe fn array_slot(self, key: c_int) -> Option<*mut TValue> {
        // SAFETY: a live table, laid out as `offsets.rs` says. Negative keys become large.
        unsafe {
            let size = self.address().add(TABLE_ASIZE).cast::<u32>().read();
            if key as u32 >= size {
                return None;
            }
            let array = self.address().add(TABLE_ARRAY).cast::<*mut TValue>().read();
            Some(array.add(key as usize))
        }
    }

    /// The slot of a string key, if the table has one: raw access, as that of `lj_tab_getstr`.
    ///
    /// # Safety
    /// The table and the key are alive, and the key is a string; the address is good until the table is changed in size.
    #[inline]
    pub unsafe fn string_slot(self, key: TValue) -> Option<*mut TValue> {
        debug_assert!(key.is_string());
        // SAFETY: a live table and a live string, laid out as `offsets.rs` says. Each chain has a node. A string is its only
        // copy, so the bits tell whether it is the key.
        unsafe {
            let id = key.object().add(STRING_ID).cast::<u32>().read();
            let mask = self.address().add(TABLE_HASHMASK).cast::<u32>().read();
            let nodes = self.address().add(TABLE_NODES).cast::<*mut u8>().read();
            let mut node = nodes.add((id & mask) as usize * NODE_SIZE);
            while !node.is_null() {
                if node.add(NODE_KEY).cast::<TValue>().read() == key {
                    return Some(node.cast());
                }
                node = node.add(NODE_NEXT).cast::<*mut u8>().read();
            }
        }
        None
    }

    /// Has a metatable be searched for metamethods again that it had not, as before each store to a field.
    ///
    /// # Safety
    /// The table is alive.
    #[inline]
    pub unsafe fn forget_missing_metamethods(self) {
        // SAFETY: a live table, laid out as `offsets.rs` says.
        unsafe { self.address().add(TABLE_NOMM).write(0) }
    }

    /// Whether the collector has to be told of what is stored in the table, which `lua_rawset` and its like do.
    ///
    /// # Safety
    /// The table is alive.
    #[inline]
    pub unsafe fn needs_barrier(self) -> bool {
        // SAFETY: a live table, laid out as `offsets.rs` says.
        unsafe { self.address().add(OBJECT_MARKED).read() & MARKED_BLACK as u8 != 0 }
    }
}

#[inline]
unsafe fn field(l: *mut lua_State, offset: usize) -> *mut *mut TValue {
    // SAFETY: by the caller, a live state, which has the field there.
    unsafe { l.byte_add(offset).cast() }
}

/// `lua_gettop`
///
/// # Safety
/// As the module says.
#[inline]
pub unsafe fn top(l: *mut lua_State) -> c_int {
    // SAFETY: by the caller; both point into one stack.
    unsafe {
        let (base, top) = (field(l, STATE_BASE).read(), field(l, STATE_TOP).read());
        top.offset_from(base) as c_int
    }
}

/// `lua_settop` to what is not more than the top is.
///
/// # Safety
/// As the module says, and `index <= top(l)`.
#[inline]
pub unsafe fn lower_top(l: *mut lua_State, index: c_int) {
    // SAFETY: by the caller.
    unsafe {
        debug_assert!(index >= 0 && index <= top(l));
        let base = field(l, STATE_BASE).read();
        field(l, STATE_TOP).write(base.add(index as usize));
    }
}

/// How much of the stack the frame takes, in bytes: [`top`] without the division.
///
/// # Safety
/// As the module says.
#[inline]
pub unsafe fn used(l: *mut lua_State) -> usize {
    // SAFETY: by the caller; both point into one stack, and the top is not below the base.
    unsafe {
        field(l, STATE_TOP)
            .read()
            .byte_offset_from_unsigned(field(l, STATE_BASE).read())
    }
}

/// Cuts the frame down to so many bytes of the stack: [`lower_top`] without the multiplication.
///
/// # Safety
/// As the module says; [`used`] has given the bytes in this frame, which takes at least as many now.
#[inline]
pub unsafe fn cut_to(l: *mut lua_State, bytes: usize) {
    // SAFETY: by the caller.
    unsafe {
        debug_assert!(bytes <= used(l));
        let base = field(l, STATE_BASE).read();
        field(l, STATE_TOP).write(base.byte_add(bytes));
    }
}

/// Whether `lua_checkstack` would find room for so many values without making some.
///
/// # Safety
/// As the module says.
#[inline]
pub unsafe fn has_room(l: *mut lua_State, count: usize) -> bool {
    // SAFETY: by the caller; all three point into one stack.
    unsafe {
        let top = field(l, STATE_TOP).read();
        let used = top.offset_from(field(l, STATE_BASE).read());
        let free = field(l, STATE_MAXSTACK).read().offset_from(top);
        count <= MOST_SLOTS && used <= (MOST_SLOTS - count) as isize && free >= count as isize
    }
}

/// Whether so many values can be pushed as the stack is, whatever `lua_checkstack` would say of the frame's size.
///
/// # Safety
/// As the module says.
#[inline]
pub unsafe fn is_free(l: *mut lua_State, count: usize) -> bool {
    // SAFETY: by the caller; both point into one stack.
    unsafe {
        let (top, end) = (field(l, STATE_TOP).read(), field(l, STATE_MAXSTACK).read());
        end.byte_offset_from(top) >= (count * size_of::<TValue>()) as isize
    }
}

/// `lua_status`: [`LUA_YIELD`](crate::LUA_YIELD) for a coroutine that waits in a yield.
///
/// # Safety
/// As the module says; any thread of the state.
#[inline]
pub unsafe fn status(l: *mut lua_State) -> c_int {
    // SAFETY: by the caller.
    c_int::from(unsafe { l.byte_add(STATE_STATUS).cast::<u8>().read() })
}

/// Sets what [`status`] gives: between [`LUA_OK`] and [`LUA_ERRERR`](crate::LUA_ERRERR), which says that a
/// message handler runs, and that an error is one in it.
///
/// # Safety
/// As the module says; a thread that runs, and a message handler that the host's code is called by.
#[inline]
pub unsafe fn set_status(l: *mut lua_State, status: c_int) {
    // SAFETY: by the caller.
    unsafe { l.byte_add(STATE_STATUS).cast::<u8>().write(status as u8) }
}

/// The value in a slot; `None` beyond the top.
///
/// # Safety
/// As the module says, and `index > 0`.
#[inline]
pub unsafe fn slot(l: *mut lua_State, index: c_int) -> Option<TValue> {
    // SAFETY: by the caller; what is below the top is initialised.
    unsafe {
        debug_assert!(index > 0);
        let place = field(l, STATE_BASE)
            .read()
            .wrapping_offset(index as isize - 1);
        (place < field(l, STATE_TOP).read()).then(|| place.read())
    }
}

/// Pushes a value.
///
/// # Safety
/// As the module says; the value is alive, and there is room.
#[inline]
pub unsafe fn push(l: *mut lua_State, value: TValue) {
    // SAFETY: by the caller.
    unsafe {
        let top = field(l, STATE_TOP).read();
        debug_assert!(top < field(l, STATE_MAXSTACK).read());
        top.write(value);
        field(l, STATE_TOP).write(top.add(1));
    }
}

/// The value on top.
///
/// # Safety
/// As the module says, and there is one.
#[inline]
pub unsafe fn last(l: *mut lua_State) -> TValue {
    // SAFETY: by the caller.
    unsafe {
        debug_assert!(top(l) > 0);
        field(l, STATE_TOP).read().sub(1).read()
    }
}

/// Puts a value in the place of the one on top.
///
/// # Safety
/// As the module says; the value is alive, and there is one on top.
#[inline]
pub unsafe fn replace_last(l: *mut lua_State, value: TValue) {
    // SAFETY: by the caller.
    unsafe {
        debug_assert!(top(l) > 0);
        field(l, STATE_TOP).read().sub(1).write(value);
    }
}

/// Pops the value on top.
///
/// # Safety
/// As the module says, and there is one.
#[inline]
pub unsafe fn pop(l: *mut lua_State) {
    // SAFETY: by the caller.
    unsafe {
        debug_assert!(top(l) > 0);
        let top = field(l, STATE_TOP);
        top.write(top.read().sub(1));
    }
}

/// Calls one of LuaJIT's entries to its interpreter. An error that is caught there may have jumped (`shim/throw.c`): what the
/// interpreter does not save is lost.
#[cfg(all(target_arch = "x86_64", not(windows)))]
macro_rules! enter {
    ($entry:ident, $l:expr, $base:expr, $results:expr, $handler:expr) => {{
        let status: c_int;
        core::arch::asm!(
            "call {entry}",
            entry = sym $entry,
            inout("rdi") $l => _,
            inout("rsi") $base => _,
            inout("edx") $results => _,
            inout("rcx") $handler as isize => _,
            lateout("eax") status,
            out("r12") _,
            out("r13") _,
            clobber_abi("C"),
        );
        status
    }};
}

#[cfg(not(all(target_arch = "x86_64", not(windows))))]
macro_rules! enter {
    ($entry:ident, $($argument:expr),*) => { $entry($($argument),*) };
}

unsafe extern "C" {
    // LuaJIT's own entries to its interpreter (`lj_vm.h`).
    fn lj_vm_pcall(l: *mut lua_State, base: *mut TValue, results: c_int, handler: isize) -> c_int;
    fn lj_vm_resume(l: *mut lua_State, base: *mut TValue, results: c_int, handler: isize) -> c_int;
}

/// `lua_pcall`, for a frame that is laid out as LuaJIT's interpreter has it: the message handler is in the slot
/// `handler`, the function in the next, then a slot of `nil`, and above it the arguments, up to the top. The first of the
/// results, which are as many as asked for or all of [`LUA_MULTRET`](crate::LUA_MULTRET), or the error comes to where the function was.
///
/// # Safety
/// As the module says but that it runs Lua code, and the slots are filled so.
#[inline]
pub unsafe fn pcall(l: *mut lua_State, handler: c_int, results: c_int) -> c_int {
    // SAFETY: by the caller; the fields are laid out as `offsets.rs` says. An error ends in the call.
    unsafe {
        debug_assert!(handler > 0 && top(l) >= handler + 2);
        let hooks = l.byte_add(STATE_GLOBAL).cast::<*mut u8>().read();
        let hooks = hooks.add(GLOBAL_HOOKMASK);
        let before = hooks.read();
        let handler = field(l, STATE_BASE).read().add(handler as usize - 1);
        debug_assert!(handler.add(2).read().is_nil());
        let from_stack = handler.byte_offset_from(field(l, STATE_STACK).read());
        let status = enter!(lj_vm_pcall, l, handler.add(3), results + 1, from_stack);
        if status != LUA_OK && hooks.read() != before {
            crate::lupa_restore_hooks(l, before.into());
        }
        status
    }
}

/// `lua_resume`, for a coroutine that waits in a yield: it gets the values on top as the results of that, as many as it is told.
///
/// # Safety
/// As the module says but that it runs Lua code; the coroutine's status is [`LUA_YIELD`](crate::LUA_YIELD).
#[inline]
pub unsafe fn resume(l: *mut lua_State, results: c_int) -> c_int {
    // SAFETY: by the caller; such a coroutine has no frame of C.
    unsafe {
        debug_assert!(field(l, STATE_CFRAME).read().is_null());
        let top = field(l, STATE_TOP).read();
        enter!(lj_vm_resume, l, top.sub(results as usize), 0, 0)
    }
}

/// Removes the value below the one on top.
///
/// # Safety
/// As the module says, and there are two.
#[inline]
pub unsafe fn remove_second(l: *mut lua_State) {
    // SAFETY: by the caller.
    unsafe {
        let value = last(l);
        pop(l);
        pop(l);
        push(l, value);
    }
}

/// The C function that runs.
///
/// # Safety
/// As the module says; a C function runs.
#[inline]
pub unsafe fn running(l: *mut lua_State) -> TValue {
    // SAFETY: by the caller; the function's slot is two below the base.
    unsafe { field(l, STATE_BASE).read().sub(2).read() }
}

/// The function of a level that `lua_getstack` has found, by its private field `i_ci`.
///
/// # Safety
/// As the module says; the level exists still.
#[inline]
pub unsafe fn function_of_level(l: *mut lua_State, i_ci: c_int) -> TValue {
    // SAFETY: by the caller. The lower half is where the level's frame is, the function's slot one below that.
    unsafe {
        let frame = i_ci as usize & 0xFFFF;
        field(l, STATE_STACK).read().add(frame - 1).read()
    }
}

/// The number that a C function has if it is none of LuaJIT's own.
pub const PLAIN_C_FUNCTION: u8 = 1;

/// The number and the code of a C function: those of LuaJIT's own libraries are numbered from `PLAIN_C_FUNCTION` on.
/// `None` for a Lua function.
///
/// # Safety
/// The value is a function, and alive.
#[inline]
pub unsafe fn c_function(function: TValue) -> Option<(u8, *const ())> {
    // SAFETY: by the caller, laid out as `offsets.rs` says.
    unsafe {
        let function = function.object();
        let id = function.add(FUNCTION_ID).read();
        (id >= PLAIN_C_FUNCTION)
            .then(|| (id, function.add(FUNCTION_CODE).cast::<*const ()>().read()))
    }
}

/// The upvalues of a C function: where they are for as long as it is alive, and how many.
///
/// # Safety
/// The value is a C function, and alive.
#[inline]
pub unsafe fn upvalues(function: TValue) -> (*mut TValue, usize) {
    // SAFETY: by the caller, laid out as `offsets.rs` says.
    unsafe {
        let function = function.object();
        let count = function.add(FUNCTION_UPVALUES).read();
        (function.add(FUNCTION_UPVALUE).cast(), usize::from(count))
    }
}

/// Sets the metatable of a new userdata to a table.
///
/// # Safety
/// As the module says. The collector has not run since the userdata was made, whose block this is, and the table is alive.
#[inline]
pub unsafe fn set_new_metatable(block: *mut u8, metatable: Table) {
    // SAFETY: by the caller. The collector needs not be told: a new object is white.
    unsafe {
        let userdata = block.sub(USERDATA_DATA);
        userdata
            .add(USERDATA_METATABLE)
            .cast::<u64>()
            .write(metatable.address().expose_provenance() as u64);
    }
}
