-- Runs once at the start of a sandboxed runtime, before any other code, with
-- what it takes away still there. Argument: whether to cut `os` down.
local trim_os = ...
local error, pairs, rawset, setmetatable, type = error, pairs, rawset, setmetatable, type
local load, loadstring, getmetatable = load, loadstring, getmetatable

-- Files, and objects with finalizers: those run where nothing can stop them.
dofile, loadfile, newproxy = nil, nil, nil

-- Bytecode is not verified, so it can do anything.
if string then string.dump = nil end

function _G.load(chunk, name, mode, env)
  if mode == "b" then
    return nil, "attempt to load chunk with wrong mode"
  end
  return load(chunk, name, "t", env)
end

function _G.loadstring(chunk, name)
  if type(chunk) ~= "string" then
    return loadstring(chunk, name)
  end
  return load(chunk, name or chunk, "t")
end

if os and trim_os then
  os = { clock = os.clock, date = os.date, difftime = os.difftime, time = os.time }
end

-- The libraries become read-only: code that shares the runtime finds them as they were.
local protected = setmetatable({}, { __mode = "k" })

local function read_only(library)
  local view = setmetatable({}, {
    __index = library,
    __newindex = function()
      error("attempt to modify a protected table", 2)
    end,
    __metatable = false,
  })
  protected[view] = true
  return view
end

local string_metatable = getmetatable("")
if string_metatable then string_metatable.__metatable = false end

for name, value in pairs(_G) do
  if type(value) == "table" and value ~= _G then
    _G[name] = read_only(value)
  end
end

function _G.rawset(target, key, value)
  if protected[target] then
    error("attempt to modify a protected table", 2)
  end
  return rawset(target, key, value)
end
