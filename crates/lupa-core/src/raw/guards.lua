-- Runs once, when the libraries have just been opened.
--
-- Some of LuaJIT's functions call back into Lua from C, so code that nests them
-- uses up the native stack, which LuaJIT does not watch: the process would die.
-- Each gets a check before it. The tail calls keep messages and tracebacks as
-- they are without, and let coroutines yield as before. None of these functions
-- is ever compiled, so the JIT compiler loses nothing.
local check, raise = ...

local function guarded(f)
  return function(...)
    check()
    return f(...)
  end
end

if string then string.gsub = guarded(string.gsub) end
if table then table.sort = guarded(table.sort) end
if require then require = guarded(require) end
load = guarded(load)

local wrap = coroutine.wrap
coroutine.resume = guarded(coroutine.resume)
function coroutine.wrap(...)
  return guarded(wrap(...))
end

-- With this a coroutine goes on instead of the yield that it waits in when the host
-- throws an error into it: it waits in this function's yield then.
local yield = coroutine.yield
return function()
  raise(yield())
end
