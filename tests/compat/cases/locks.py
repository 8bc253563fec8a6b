"""FastRLock and threads."""

import threading


def in_thread(function):
    result = []
    thread = threading.Thread(target=lambda: result.append(function()))
    thread.start()
    thread.join()
    return result


# %% a lock
lock = luajit21.FastRLock()
lock.acquire(), lock.acquire(), lock._is_owned()
lock.release(), lock.release(), lock._is_owned()

# %% released too often
lock = luajit21.FastRLock()
lock.release()

# %% as a context manager
lock = luajit21.FastRLock()
with lock as value:
    print(value, lock._is_owned())
lock._is_owned()

# %% enter and exit by hand
lock = luajit21.FastRLock()
lock.__enter__()
lock.__exit__(None, None, None)

# %% other threads wait
lock = luajit21.FastRLock()
lock.acquire()
in_thread(lambda: lock.acquire(blocking=False))
in_thread(lambda: lock._is_owned())
lock.release()
in_thread(lambda: lock.acquire(False))

# %% released by another thread
lock = luajit21.FastRLock()
lock.acquire()


def release():
    try:
        lock.release()
    except RuntimeError as error:
        return str(error)


in_thread(release)

# %% blocking by name and position
lock = luajit21.FastRLock()
lock.acquire(True), lock.acquire(blocking=True), lock.acquire(False)

# %% arguments of the lock
try:
    luajit21.FastRLock(1)
except TypeError:
    print("TypeError")

# %% repr of a lock
repr(luajit21.FastRLock()).partition(" at ")[0]

# %% eight threads in one runtime
f = lua.eval("function(x) local s = 0 for i = 1, x do s = s + i end return s end")
results = []
threads = [threading.Thread(target=lambda: results.append(f(1000))) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
results == [500500] * 8

# %% eight runtimes in eight threads
results = []


def work():
    runtime = LuaRuntime()
    results.append(
        runtime.eval("(function() local s = 0 for i = 1, 1e5 do s = s + i end return s end)()")
    )


threads = [threading.Thread(target=work) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
results == [5000050000] * 8

# %% callbacks in threads
results = []
f = lua.eval("function(f, n) local s = 0 for i = 1, n do s = s + f(i) end return s end")
threads = [threading.Thread(target=lambda: results.append(f(lambda x: x, 100))) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
results == [5050] * 4

# %% a runtime made in one thread and used in another
runtime = in_thread(LuaRuntime)[0]
runtime.eval("1 + 1")

# %% a table dropped in another thread
tables = [lua.table(i) for i in range(100)]
in_thread(tables.clear)
lua.eval("1")


# %% errors in threads
def fail():
    try:
        lua.execute("error('in a thread', 0)")
    except LuaError as error:
        return str(error).partition("\n")[0]


in_thread(fail)

# %% a runtime as a thread's last owner
runtime = [LuaRuntime()]
runtime[0].globals().x = object()
in_thread(runtime.clear)
