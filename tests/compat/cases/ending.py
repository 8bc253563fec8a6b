"""What ends: Lua code that runs on, and the process."""

import os
import signal
import threading
import time


def after(seconds, function):
    threading.Timer(seconds, function).start()


# %% os.exit
lua.execute("os.exit(3)")

# %% os.exit in pcall
lua.execute("pcall(os.exit, 4)")

# %% os.exit of a true value
lua.execute("os.exit(true)")

# %% Ctrl-C in a loop [5 s]
after(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
lua.execute("while true do end")

# %% Ctrl-C in a loop with pcall [5 s]
after(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
lua.execute("while true do pcall(function() for i = 1, 1000 do end end) end")

# %% Ctrl-C while Python runs
after(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
lua.eval("(...)(2)", time.sleep)

# %% Ctrl-C that is handled before the end
after(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
lua.execute("local t = os.clock() while os.clock() - t < 0.6 do end")

# %% a timeout
lua.eval("1", timeout=5)

# %% a fork while another thread runs Lua [10 s]
stop = threading.Event()
running = threading.Event()


def spin():
    lua.execute(
        "local started, stopped = ... started() while not stopped() do for i = 1, 100000 do end end",
        running.set,
        stop.is_set,
    )


thread = threading.Thread(target=spin, daemon=True)
thread.start()
running.wait()
child = os.fork()
if child == 0:
    signal.alarm(3)
    try:
        lua.eval("1")
    except BaseException:
        os._exit(7)
    os._exit(0)
status = os.waitpid(child, 0)[1]
stop.set()
thread.join()
"deadlock" if os.WIFSIGNALED(status) else "error" if os.WEXITSTATUS(status) == 7 else "works"

# %% a fork while nothing runs
child = os.fork()
if child == 0:
    os._exit(lua.eval("40 + 2"))
os.WEXITSTATUS(os.waitpid(child, 0)[1])

# %% the process's end with live objects
import subprocess
import sys

code = "from lupa.luajit21 import LuaRuntime; lua = LuaRuntime(); t = lua.table(1); co = lua.eval('function() coroutine.yield(1) end').coroutine(); next(co); f = lua.eval('print'); print('end')"
result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
result.returncode, result.stdout, result.stderr

# %% threads that run coroutines
f = lua.eval("function(n) for i = 1, n do coroutine.yield({i}) end end")
results = []


def work():
    results.append(sum(t[1] for t in f.coroutine(200)))


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
results

# %% threads that run coroutines which call Python [10 s]
f = lua.eval("function(f, n) for i = 1, n do coroutine.yield(f(i)) end end")
results = []


def work():
    results.append(sum(f.coroutine(lambda x: lua.eval("... + 1", x), 300)))


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
results
