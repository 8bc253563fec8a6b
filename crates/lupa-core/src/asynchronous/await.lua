-- Runs once a runtime, when its first async function is made. Arguments: LuaJIT's own functions for
-- coroutines, with the table that Lua code knows them by, and host functions: whether a value is an await that
-- nobody has begun to serve, one that gives up an await, and one that gives its results.
local library, is_await, refuse, results = ...
local yield, isyieldable = library.yield, library.isyieldable
local resume, wrap, type = library.resume, library.wrap, library.type

-- Gives an await to whoever resumed this coroutine: in the end the host, which continues when it is done.
local function pass_on(await)
  if isyieldable() then yield(await) else refuse(await) end
end

-- An await in a coroutine that Lua code resumes is one of the code that resumes it, too.
local function resumed(co, ok, ...)
  local await = ...
  if ok and type(await) == "userdata" and is_await(await) then
    pass_on(await)
    return resumed(co, resume(co))
  end
  return ok, ...
end

function library.coroutine.resume(co, ...)
  return resumed(co, resume(co, ...))
end

local function stepped(step, ...)
  local await = ...
  if type(await) == "userdata" and is_await(await) then
    pass_on(await)
    return stepped(step, step())
  end
  return ...
end

function library.coroutine.wrap(...)
  local step = wrap(...)
  return function(...)
    return stepped(step, step(...))
  end
end

-- Makes the function that Lua code calls of one that begins an await.
return function(begin)
  return function(...)
    local await = begin(...)
    pass_on(await)
    return results(await)
  end
end
