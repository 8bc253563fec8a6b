//! The Lua code that all sides run; each is a chunk that returns what is used.

/// Sixteen bytes, as many names and words.
pub(crate) const TEXT: &str = "sixteen letters.";

pub(crate) const EMPTY: &str = "return function() end";
pub(crate) const ADD: &str = "return function(a, b, c) return a + b + c end";
pub(crate) const ECHO: &str = "return function(s) return s end";
pub(crate) const FAILING: &str = "return function() error('oops') end";
pub(crate) const TABLE: &str = "return {10, 20, 30, name = 1, inner = {}}";
/// The name is found in the table; the metatable is what makes the access dangerous.
pub(crate) const TABLE_WITH_METATABLE: &str =
    "return setmetatable({name = 1}, {__index = function(t, k) return k end})";
pub(crate) const HUNDRED_PAIRS: &str =
    "local t = {} for i = 1, 100 do t['name ' .. i] = i end return t";
pub(crate) const YIELDING: &str = "return function() while true do coroutine.yield(1) end end";

/// Functions of a callback and a number, that call it so many times.
pub(crate) const LOOP: &str = "return function(f, n) for _ = 1, n do f() end end";
pub(crate) const LOOP_INTS: &str = "return function(f, n) for _ = 1, n do f(1, 2, 3) end end";
pub(crate) const LOOP_STRING: &str =
    "return function(f, n) for _ = 1, n do f('sixteen letters.') end end";
pub(crate) const LOOP_PCALL: &str = "
    local pcall = pcall
    return function(f, n)
        for _ = 1, n do assert(not pcall(f)) end
    end
";
pub(crate) const LOOP_METHOD: &str = "return function(o, n) for _ = 1, n do o:add(1) end end";
