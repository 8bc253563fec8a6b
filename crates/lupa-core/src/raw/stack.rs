//! Safe access to the Lua stack of a locked state.

use super::frame::Place;
use super::shared::Shared;
use super::slots::SlotKey;
use super::sys::{self, inline, inline::TValue};
use crate::error::{Error, Result};
use std::ffi::{c_int, c_void};
use std::str::Utf8Error;

/// What a slot holds.
///
/// ```
/// use lupa_core::{Error, FromLua, Kind, Result, Runtime, Slot};
///
/// #[derive(Debug, PartialEq)]
/// enum Width { Auto, Pixels(f64) }
///
/// impl FromLua<'_> for Width {
///     fn from_lua(slot: Slot<'_>) -> Result<Self> {
///         match slot.kind() {
///             Kind::None | Kind::Nil => Ok(Width::Auto),
///             Kind::Number => Ok(Width::Pixels(slot.number().unwrap_or_default())),
///             other => Err(Error::message(format!("a {} is no width", other.name()))),
///         }
///     }
/// }
///
/// let lua = Runtime::new()?;
/// assert_eq!(lua.load("return 20").eval::<Width>()?, Width::Pixels(20.0));
/// assert_eq!(lua.load("return").eval::<Width>()?, Width::Auto);
/// assert!(lua.load("return {}").eval::<Width>().unwrap_err().text().contains("a table is no width"));
/// # Ok::<(), lupa_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// No value: beyond the last argument or result.
    None,
    /// `nil`
    Nil,
    /// `true` or `false`
    Boolean,
    /// A bare pointer, made by C code.
    LightUserData,
    /// A number, always a double.
    Number,
    /// A byte string.
    String,
    /// A table.
    Table,
    /// A function, of Lua, of C or of the host.
    Function,
    /// Full userdata: a host object, a file, an object of a binary module.
    UserData,
    /// A coroutine.
    Thread,
    /// A value of LuaJIT's FFI library.
    CData,
}

impl Kind {
    /// Lua's name of the type, as `type` gives it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::None => "no value",
            Kind::Nil => "nil",
            Kind::Boolean => "boolean",
            Kind::LightUserData | Kind::UserData => "userdata",
            Kind::Number => "number",
            Kind::String => "string",
            Kind::Table => "table",
            Kind::Function => "function",
            Kind::Thread => "thread",
            Kind::CData => "cdata",
        }
    }

    #[inline]
    fn from_raw(tag: c_int) -> Kind {
        match tag {
            sys::LUA_TNIL => Kind::Nil,
            sys::LUA_TBOOLEAN => Kind::Boolean,
            sys::LUA_TLIGHTUSERDATA => Kind::LightUserData,
            sys::LUA_TNUMBER => Kind::Number,
            sys::LUA_TSTRING => Kind::String,
            sys::LUA_TTABLE => Kind::Table,
            sys::LUA_TFUNCTION => Kind::Function,
            sys::LUA_TUSERDATA => Kind::UserData,
            sys::LUA_TTHREAD => Kind::Thread,
            inline::LUA_TCDATA => Kind::CData,
            _ => Kind::None,
        }
    }
}

/// Slots that every frame can use without asking: more than the making of one value, or any operation here, needs.
pub(crate) const RESERVED: usize = 16;
/// Slots that are there beyond those that were reserved for values.
pub(crate) const SPARE: usize = 8;

/// The stack of a live state whose lock is held, for the time `'s`.
///
/// Slots are counted from 1 at the bottom of the running C function's frame.
/// What is pushed stays where it is until the enclosing frame is left; only
/// this module and its siblings cut the stack down.
#[derive(Clone, Copy)]
pub(crate) struct Stack<'s> {
    pub(super) shared: &'s Shared,
    /// Invariant: live, and its lock is held by this thread throughout `'s`.
    pub(super) l: *mut sys::lua_State,
}

// SAFETY of the blocks below: "live and locked" is the invariant of `Stack::l`. A
// positive index beyond the top is defined to read as "none". Pushes need a free slot:
// frames reserve theirs on entry and callers reserve what goes beyond; a push of
// something new may collect garbage, which cannot raise while the limit is not enforced.
impl<'s> Stack<'s> {
    #[inline]
    pub(super) fn new(shared: &'s Shared, l: *mut sys::lua_State) -> Self {
        Stack { shared, l }
    }

    #[inline]
    pub(crate) fn shared(self) -> &'s Shared {
        self.shared
    }

    /// Number of values in the frame.
    #[inline]
    pub(crate) fn top(self) -> c_int {
        // SAFETY: live and locked.
        unsafe { inline::top(self.l) }
    }

    /// How much of the stack the frame takes, in bytes.
    #[inline]
    pub(super) fn used(self) -> usize {
        // SAFETY: live and locked.
        unsafe { inline::used(self.l) }
    }

    /// Cuts the frame down to so many bytes of the stack, which it takes at least: [`Stack::used`] gave them.
    #[inline]
    pub(super) fn cut_to(self, used: usize) {
        // SAFETY: live and locked; by the caller.
        unsafe { inline::cut_to(self.l, used) }
    }

    /// Cuts the frame down to `top` values; does nothing if it has fewer.
    #[inline]
    pub(super) fn truncate(self, top: c_int) {
        if top < self.top() {
            self.set_top(top);
        }
    }

    /// Cuts the frame down to `top` values, which it has.
    #[inline]
    pub(super) fn set_top(self, top: c_int) {
        // SAFETY: live and locked; the new top is not above the old one.
        unsafe { inline::lower_top(self.l, top) }
    }

    /// Pops what lies above `index`, of which nothing may be borrowed any more.
    #[inline]
    pub(crate) fn pop_to(self, index: c_int) {
        self.truncate(index);
    }

    /// Makes room for `count` more values.
    #[inline]
    pub(crate) fn reserve(self, count: usize) -> Result<()> {
        // One more than asked for: a push into the very last slot grows the stack at once,
        // and that can raise.
        // SAFETY: live and locked.
        if unsafe { inline::has_room(self.l, count.saturating_add(1)) } {
            return Ok(());
        }
        self.make_room(count)
    }

    #[cold]
    fn make_room(self, count: usize) -> Result<()> {
        let wanted = c_int::try_from(count.saturating_add(1)).unwrap_or(c_int::MAX);
        // SAFETY: live and locked; lua_checkstack catches its own errors.
        if unsafe { sys::lua_checkstack(self.l, wanted) } == 0 {
            return Err(Error::StackOverflow(count));
        }
        Ok(())
    }

    /// The stack itself, with room for a value and what is needed to make it.
    ///
    /// # Panics
    /// If there is no room for one value more.
    #[inline]
    pub(crate) fn with_room(self) -> Self {
        // SAFETY: live and locked.
        if !unsafe { inline::is_free(self.l, RESERVED) } {
            self.make_room_to_push();
        }
        self
    }

    #[cold]
    #[inline(never)]
    fn make_room_to_push(self) {
        // Where a frame has nearly all that it may have, there still is what was reserved.
        // SAFETY: live and locked.
        if self.make_room(RESERVED).is_err() && !unsafe { inline::is_free(self.l, SPARE) } {
            panic!("there is no room on Lua's stack for one value more");
        }
    }

    /// The value in a slot; nil beyond the top.
    #[inline]
    pub(super) fn value(self, index: c_int) -> Option<TValue> {
        // SAFETY: live and locked; a positive index.
        unsafe { inline::slot(self.l, index) }
    }

    /// Pushes a value that is alive; a slot is reserved.
    #[inline]
    pub(super) fn push(self, value: TValue) {
        // SAFETY: live and locked; by the caller.
        unsafe { inline::push(self.l, value) }
    }

    // -- Reading ----------------------------------------------------------

    #[inline]
    pub(crate) fn kind(self, index: c_int) -> Kind {
        self.value(index)
            .map_or(Kind::None, |value| Kind::from_raw(value.type_()))
    }

    /// The number in a slot, if it is one.
    #[inline]
    pub(crate) fn number(self, index: c_int) -> Option<f64> {
        self.value(index)
            .filter(|value| value.is_number())
            .map(TValue::number)
    }

    /// The number in a slot, or what its string reads as.
    pub(crate) fn coerced_number(self, index: c_int) -> Option<f64> {
        let mut ok = 0;
        // SAFETY: live and locked; a positive index. The slot is not changed.
        let number = unsafe { sys::lua_tonumberx(self.l, index, &mut ok) };
        (ok != 0).then_some(number)
    }

    #[inline]
    pub(crate) fn boolean(self, index: c_int) -> bool {
        self.value(index).is_some_and(TValue::is_true)
    }

    /// The bytes of a string slot. They live as long as the frame, since slots are
    /// never overwritten and LuaJIT does not move strings.
    #[inline]
    pub(crate) fn bytes(self, index: c_int) -> Option<&'s [u8]> {
        // SAFETY: live and locked: the slot keeps its string for `'s`, of which so many bytes are readable.
        unsafe {
            let (data, length) = self.value(index)?.string()?;
            Some(std::slice::from_raw_parts(data, length))
        }
    }

    /// The bytes of a string slot as text.
    #[inline]
    pub(crate) fn text(self, index: c_int) -> Option<Result<&'s str, Utf8Error>> {
        let bytes = self.bytes(index)?;
        Some(match std::str::from_utf8(bytes) {
            // SAFETY: they were found to be UTF-8. What `from_utf8` gives is the same, in memory: reading
            // its two words as one, which compilers do, makes the processor wait until they are written.
            Ok(_) => Ok(unsafe { std::str::from_utf8_unchecked(bytes) }),
            Err(error) => Err(error),
        })
    }

    /// An address that identifies a reference value; null for others.
    pub(crate) fn pointer(self, index: c_int) -> *const c_void {
        // SAFETY: live and locked; a positive index.
        unsafe { sys::lua_topointer(self.l, index) }
    }

    /// The block of a userdata slot, full or light; null for others.
    pub(crate) fn userdata(self, index: c_int) -> *const c_void {
        // SAFETY: live and locked; a positive index.
        unsafe { sys::lua_touserdata(self.l, index) }
    }

    #[inline]
    pub(crate) fn raw_equal(self, a: c_int, b: c_int) -> bool {
        // SAFETY: live and locked; positive indices.
        unsafe { sys::lua_rawequal(self.l, a, b) != 0 }
    }

    /// Whether a function slot holds a C function, built-in ones included.
    pub(crate) fn is_c_function(self, index: c_int) -> bool {
        // SAFETY: live and locked; a positive index.
        unsafe { sys::lua_iscfunction(self.l, index) != 0 }
    }

    // -- Pushing ----------------------------------------------------------

    #[inline]
    pub(crate) fn push_nil(self) {
        self.push(TValue::NIL);
    }

    #[inline]
    pub(crate) fn push_boolean(self, value: bool) {
        self.push(TValue::boolean(value));
    }

    #[inline]
    pub(crate) fn push_number(self, value: f64) {
        self.push(TValue::number_value(value));
    }

    /// Pushes a string; refuses what breaks the memory limit or LuaJIT's own.
    #[inline]
    pub(crate) fn push_bytes(self, bytes: &[u8]) -> Result<()> {
        if self.is_delicate(bytes.len()) {
            return self.push_bytes_protected(bytes);
        }
        // SAFETY: live and locked; a slot is reserved; the string is small.
        unsafe { sys::lua_pushlstring(self.l, bytes.as_ptr().cast(), bytes.len()) };
        Ok(())
    }

    /// Pushes a copy of a slot.
    #[inline]
    pub(crate) fn push_copy(self, index: c_int) {
        self.push(self.value(index).unwrap_or(TValue::NIL));
    }

    /// Pushes what a slot of the anchors holds.
    #[inline]
    pub(crate) fn push_slot(self, key: SlotKey) {
        self.push(self.anchored(key));
    }

    /// What a slot of the anchors holds.
    #[inline]
    pub(super) fn anchored(self, key: SlotKey) -> TValue {
        // SAFETY: live and locked, and not being closed, so the anchors are there; the key is in use, so the
        // array has a slot for it, which was set.
        let value = unsafe { self.shared.anchors().array_slot(key).map(|slot| *slot) };
        debug_assert!(value.is_some());
        value.unwrap_or(TValue::NIL)
    }

    /// Keeps a copy of a value under a new slot of the anchors.
    #[inline]
    pub(crate) fn anchor(self, index: c_int) -> Result<SlotKey> {
        // SAFETY: live and locked, and not being closed, so the anchors are there.
        let Some(key) = (unsafe { self.shared.slots.acquire(self.shared.anchors()) }) else {
            return Err(Error::Memory);
        };
        self.store(index, key);
        Ok(key)
    }

    /// Keeps a copy of a value under a slot that is in use.
    #[inline]
    pub(crate) fn store(self, index: c_int, key: SlotKey) {
        let anchors = self.shared.anchors();
        // SAFETY: as in `anchored`, and a positive index. The anchors may grow, but not beyond what a
        // table can hold, and `acquire` gives new keys in order.
        unsafe {
            match (anchors.array_slot(key), self.value(index)) {
                (Some(slot), Some(value)) if !anchors.needs_barrier() => *slot = value,
                _ => sys::lupa_set_anchor(self.l, anchors.address(), key, index),
            }
        }
    }

    /// Pushes an empty table with room for so many entries.
    pub(crate) fn push_table(self, array: usize, hash: usize) -> Result<()> {
        const MOST: usize = 1 << 26;
        // 8 bytes an array slot, 24 a hash node, on every 64-bit LuaJIT.
        let bytes = array
            .saturating_mul(8)
            .saturating_add(hash.saturating_mul(24));
        if array > MOST || hash > MOST / 2 {
            return Err(Error::Memory);
        }
        if self.is_delicate(bytes) {
            return self.push_table_protected(array, hash);
        }
        // SAFETY: live and locked; a slot is reserved; both sizes are within LuaJIT's limits.
        unsafe { sys::lua_createtable(self.l, array as c_int, hash as c_int) };
        Ok(())
    }

    pub(crate) fn push_globals(self) {
        // SAFETY: live and locked; a slot is reserved. The main thread's environment is
        // what the API calls the globals; `setfenv(0, t)` changes it.
        unsafe { sys::lua_pushvalue(self.l, sys::LUA_GLOBALSINDEX) }
    }

    /// Pushes the place from which the running C function was called, as Lua's messages begin.
    pub(crate) fn push_location(self) {
        // SAFETY: live and locked; a slot is reserved.
        unsafe { sys::luaL_where(self.l, 1) }
    }

    /// Pushes the function of one of the shim's protected entries.
    pub(crate) fn push_protected(self, entry: sys::lua_CFunction) {
        // SAFETY: live and locked; a slot is reserved.
        unsafe { sys::lua_pushcclosure(self.l, entry, 0) }
    }

    // -- Tables -----------------------------------------------------------

    /// The table in a slot.
    #[inline]
    pub(crate) fn table(self, index: c_int) -> Option<TableSlot<'s>> {
        let table = self.value(index)?.table()?;
        Some(TableSlot {
            stack: self,
            place: self.place(index),
            table,
        })
    }

    /// Pushes a value's metatable; `false`, and nothing pushed, if it has none.
    #[inline]
    pub(crate) fn push_metatable(self, index: c_int) -> bool {
        // SAFETY: live and locked; a slot is reserved.
        unsafe { sys::lua_getmetatable(self.l, index) != 0 }
    }

    // -- Garbage collector --------------------------------------------------

    /// LuaJIT's own count of the bytes in use.
    pub(crate) fn gc_count(self) -> usize {
        // SAFETY: live and locked; counting neither allocates nor collects.
        unsafe {
            let kib = sys::lua_gc(self.l, sys::LUA_GCCOUNT, 0);
            let rest = sys::lua_gc(self.l, sys::LUA_GCCOUNTB, 0);
            kib as usize * 1024 + rest as usize
        }
    }

    /// Whether there may be values of the FFI library.
    pub(crate) fn has_ctypes(self) -> bool {
        // SAFETY: live and locked; this reads one field.
        unsafe { sys::lupa_has_ctypes(self.l) != 0 }
    }

    pub(crate) fn gc_is_running(self) -> bool {
        // SAFETY: live and locked; this reads one field.
        unsafe { sys::lua_gc(self.l, sys::LUA_GCISRUNNING, 0) != 0 }
    }

    /// Controls the collector. Finalizers may run.
    pub(crate) fn gc(self, what: super::memory::Gc) -> Result<c_int> {
        use super::memory::Gc;
        let (what, data) = match what {
            Gc::Collect => (sys::LUA_GCCOLLECT, 0),
            Gc::Stop => (sys::LUA_GCSTOP, 0),
            Gc::Restart => (sys::LUA_GCRESTART, 0),
            Gc::Step(kib) => (sys::LUA_GCSTEP, kib),
            Gc::SetPause(percent) => (sys::LUA_GCSETPAUSE, percent),
            Gc::SetStepMul(percent) => (sys::LUA_GCSETSTEPMUL, percent),
        };
        let call = self.begin_protected(sys::lupa_p_gc);
        self.push_number(f64::from(what));
        self.push_number(f64::from(data));
        self.call(call, 1)?;
        Ok(self.number(call.first()).unwrap_or_default() as c_int)
    }
}

/// A slot that is known to hold a table.
#[derive(Clone, Copy)]
pub(crate) struct TableSlot<'s> {
    stack: Stack<'s>,
    place: Place,
    table: inline::Table,
}

// SAFETY of the blocks below: the slot holds the table (checked at construction; slots
// are never overwritten), which so is alive, besides what is said at `Stack`.
impl TableSlot<'_> {
    /// The slot, for LuaJIT's API.
    #[inline]
    fn index(self) -> c_int {
        self.stack.at(self.place);
        self.place.index()
    }

    /// Whether both are the same table.
    #[cfg(feature = "serde")]
    pub(crate) fn is(self, other: TableSlot<'_>) -> bool {
        self.table.address() == other.table.address()
    }

    /// Whether access must go through metamethods.
    #[inline]
    pub(crate) fn has_metatable(self) -> bool {
        // SAFETY: a live table.
        unsafe { self.table.has_metatable() }
    }

    /// Replaces the key on top by its value, raw.
    #[inline]
    pub(crate) fn raw_get(self) {
        // SAFETY: a table, above which callers have pushed the key; lua_rawget does not raise.
        unsafe {
            let key = inline::last(self.stack.l);
            if key.is_string() {
                let value = self.table.string_slot(key).map(|slot| *slot);
                inline::replace_last(self.stack.l, value.unwrap_or(TValue::NIL));
            } else if let Some(slot) = self.numbered_slot(key) {
                inline::replace_last(self.stack.l, *slot);
            } else {
                sys::lua_rawget(self.stack.l, self.index());
            }
        }
    }

    /// The slot of a key that is a number, if the array part has one.
    ///
    /// # Safety
    /// As [`inline::Table::array_slot`].
    #[inline]
    unsafe fn numbered_slot(self, key: TValue) -> Option<*mut TValue> {
        if !key.is_number() {
            return None;
        }
        let n = key.number() as c_int;
        // SAFETY: by the caller.
        (f64::from(n) == key.number()).then(|| unsafe { self.table.array_slot(n) })?
    }

    /// Pushes `t[n]`, raw.
    #[inline]
    pub(crate) fn raw_get_index(self, n: c_int) {
        // SAFETY: a table; the slot is read at once; lua_rawgeti does not raise.
        unsafe {
            match self.table.array_slot(n) {
                Some(slot) => self.stack.push(*slot),
                None => sys::lua_rawgeti(self.stack.l, self.index(), n),
            }
        }
    }

    /// Pops value and key and sets `t[key] = value`, raw.
    #[inline]
    pub(crate) fn raw_set(self) -> Result<()> {
        let key = self.new_key()?;
        // SAFETY: a table, and a key that does not raise.
        unsafe {
            if !self.replace_field(key) {
                sys::lua_rawset(self.stack.l, self.index());
            }
        }
        Ok(())
    }

    /// As [`TableSlot::raw_set`], for a key that the table hardly has yet.
    #[inline]
    pub(crate) fn raw_insert(self) -> Result<()> {
        self.new_key()?;
        // SAFETY: a table, and a key that does not raise.
        unsafe { sys::lua_rawset(self.stack.l, self.index()) };
        Ok(())
    }

    /// The key below the value on top, which is neither nil nor NaN, the two that raise.
    #[inline]
    fn new_key(self) -> Result<TValue> {
        match self.stack.value(self.stack.top() - 1) {
            None | Some(TValue::NIL) => Err(Error::InvalidKey("nil".into())),
            Some(value) if value.is_number() && value.number().is_nan() => {
                Err(Error::InvalidKey("NaN".into()))
            }
            Some(value) => Ok(value),
        }
    }

    /// `raw_set` of a field that the table has, if the collector need not be told; whether it was done.
    ///
    /// # Safety
    /// The key lies below the value on top.
    #[inline]
    unsafe fn replace_field(self, key: TValue) -> bool {
        // SAFETY: the table and what is on the stack are alive; the slot is written at once.
        unsafe {
            if !key.is_string() || self.table.needs_barrier() {
                return false;
            }
            let Some(slot) = self.table.string_slot(key) else {
                return false;
            };
            self.table.forget_missing_metamethods();
            *slot = inline::last(self.stack.l);
            inline::pop(self.stack.l);
            inline::pop(self.stack.l);
            true
        }
    }

    /// Pops a value and sets `t[n] = value`, raw.
    #[inline]
    pub(crate) fn raw_set_index(self, n: c_int) {
        // SAFETY: a table, above which callers have pushed the value; the slot is written at once; the
        // store of lua_rawseti may allocate, nothing else.
        unsafe {
            match self.table.array_slot(n) {
                Some(slot) if !self.table.needs_barrier() => {
                    *slot = inline::last(self.stack.l);
                    inline::pop(self.stack.l);
                }
                _ => sys::lua_rawseti(self.stack.l, self.index(), n),
            }
        }
    }

    /// A border of the table, as `#` without metamethods.
    #[inline]
    pub(crate) fn raw_len(self) -> usize {
        // SAFETY: a live table, at which this only looks.
        unsafe { sys::lupa_border(self.table.address().cast()) }
    }

    /// Pushes key and value of the first entry at or after a position, and moves that on; `false`, and
    /// nothing pushed, at the end. Positions start at 0.
    #[inline]
    pub(crate) fn next(self, position: &mut u32) -> bool {
        // SAFETY: a table; two slots are reserved; nothing is allocated.
        unsafe { sys::lupa_next(self.stack.l, self.index(), position) != 0 }
    }

    /// Pops a table or nil and makes it the metatable.
    pub(crate) fn set_metatable(self) {
        // SAFETY: a table, for which this cannot raise; callers push a table or nil.
        unsafe { sys::lua_setmetatable(self.stack.l, self.index()) };
    }
}
