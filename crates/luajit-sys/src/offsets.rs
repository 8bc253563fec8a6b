// Where things lie in LuaJIT's own structures (`lj_obj.h`), in bytes, and two limits: all that `inline.rs`
// knows of them. `build.rs` reads this list, too, and has `shim/internals.c` compare each number with
// LuaJIT's when it is compiled.
offsets! {
    STATE_STATUS = 11,
    STATE_GLOBAL = 16,
    STATE_BASE = 32,
    STATE_TOP = 40,
    STATE_MAXSTACK = 48,
    STATE_STACK = 56,
    STATE_CFRAME = 80,
    GLOBAL_HOOKMASK = 145,
    STRING_LENGTH = 20,
    STRING_DATA = 24,
    OBJECT_MARKED = 8,
    MARKED_BLACK = 4,
    TABLE_ARRAY = 16,
    TABLE_METATABLE = 32,
    TABLE_ASIZE = 48,
    USERDATA_LENGTH = 24,
    USERDATA_METATABLE = 32,
    USERDATA_DATA = 48,
    FUNCTION_UPVALUES = 11,
    FUNCTION_UPVALUE = 48,
    MOST_SLOTS = 8000,
}
