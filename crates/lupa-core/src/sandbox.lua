-- Runs once at the start of a sandboxed runtime, before any other code, with
-- what it takes away still there. Arguments: whether to cut `os` down, and
-- the function that makes a read-only view of a table.
local trim_os, read_only = ...
local error, getmetatable, pairs, rawset, type = error, getmetatable, pairs, rawset, type
local load, collectgarbage = load, collectgarbage

-- Files; objects with finalizers, which run where nothing can stop them; other
-- functions' environments.
dofile, loadfile, newproxy, getfenv, setfenv = nil, nil, nil, nil, nil

-- Bytecode is not verified, so it can do anything. In LuaJIT `loadstring` is `load`.
if string then string.dump = nil end

function _G.load(chunk, name, mode, env)
  if mode == "b" then
    return nil, "attempt to load chunk with wrong mode"
  end
  return load(chunk, name, "t", env)
end

loadstring = _G.load

-- How the collector works is the host's business: stopped, it would let go of nothing.
local collector_options = { collect = true, count = true, step = true }

function _G.collectgarbage(option, argument)
  if option ~= nil and not collector_options[option] then
    error("bad argument #1 to 'collectgarbage' (not available in a sandbox)", 2)
  end
  return collectgarbage(option, argument)
end

if os and trim_os then
  os = { clock = os.clock, date = os.date, difftime = os.difftime, time = os.time }
end

-- The libraries become read-only: code that shares the runtime finds them as they were.
local string_metatable = getmetatable("")
if string_metatable then string_metatable.__metatable = false end

local views = {}

local function protect(tables)
  for name, value in pairs(tables) do
    if type(value) == "table" and value ~= _G then
      views[value] = views[value] or read_only(value)
      tables[name] = views[value]
    end
  end
end

local loaded = package and package.loaded
protect(_G)
if loaded then protect(loaded) end

function _G.rawset(target, key, value)
  if type(target) == "table" and getmetatable(target) == false then
    error("attempt to modify a protected table", 2)
  end
  return rawset(target, key, value)
end
