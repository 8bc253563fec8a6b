-- Gives the function with which a coroutine goes on, instead of the yield that it waits in, when the host
-- throws an error into it: it waits in this function's yield then.
local raise, yield = ...
return function()
  raise(yield())
end
