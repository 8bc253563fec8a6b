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

-- What ends code from a hook leaves hooks switched off if it passes through `lua_load`, and then nothing
-- could end the code that follows. So the pieces of a source are collected here, before.
local load_whole, pcall, type = load, pcall, type
local concat = table and table.concat or function(pieces)
  local whole = ""
  for i = 1, #pieces do whole = whole .. pieces[i] end
  return whole
end

local function read(reader)
  local pieces = {}
  while true do
    local ok, piece = pcall(reader)
    if not ok then return nil, piece end
    if piece == nil or piece == "" then return concat(pieces) end
    if type(piece) ~= "string" and type(piece) ~= "number" then
      return nil, "reader function must return a string"
    end
    pieces[#pieces + 1] = piece
  end
end

function load(source, name, ...)
  check()
  if type(source) ~= "function" then return load_whole(source, name, ...) end
  local whole, message = read(source)
  if not whole then return nil, message end
  return load_whole(whole, name == nil and "=(load)" or name, ...)
end

-- It runs finalizers, which may call it again.
collectgarbage = guarded(collectgarbage)

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
