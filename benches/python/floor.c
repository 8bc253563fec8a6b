/* What crossing between CPython and LuaJIT costs at least: the module `lupa.luajit21` as a bare C extension that can do what
** floor.py names and nothing else.  It releases the GIL and calls by vectorcall, as it should.  It has no lock, no limit, no
** identity of wrapped objects, no protection from errors in metamethods, and one thread at a time uses it. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

#if PY_VERSION_HEX < 0x030A0000
static PyObject *Py_NewRef(PyObject *object)
{
  Py_INCREF(object);
  return object;
}
#endif

/* The thread's state while Lua code runs, NULL while it has the GIL. */
static PyThreadState *released;

static void release(void)
{
  released = PyEval_SaveThread();
}

static void acquire(void)
{
  PyThreadState *state = released;
  released = NULL;
  PyEval_RestoreThread(state);
}

/* Whether an object is indexed by items is known when it is wrapped. */
typedef struct {
  PyObject *object;
  int has_items;
} Wrapped;

static const char WRAPPED; /* The key of the metatable of wrapped objects in the registry. */

/* A Lua object that Python holds; a coroutine's `stack` is its own. */
typedef struct {
  PyObject_HEAD
  lua_State *L;
  lua_State *stack;
  int reference;
  int started; /* Arguments that wait for a coroutine to start, -1 if it has. */
  vectorcallfunc call;
} LuaObject;

/* An iteration: the table and the last key are on a stack of its own. */
typedef struct {
  PyObject_HEAD
  lua_State *L;
  lua_State *stack;
  int reference;
  int keys, values;
} Iteration;

typedef struct {
  PyObject_HEAD
  lua_State *L;
} Runtime;

static PyTypeObject FunctionType, TableType, CoroutineType, IterationType, RuntimeType;
static PyObject *name_values, *name_items;

/* -- values ------------------------------------------------------------------------------------ */

static int is_lua_object(PyObject *object)
{
  PyTypeObject *type = Py_TYPE(object);
  return type == &FunctionType || type == &TableType || type == &CoroutineType;
}

static void push_wrapped(lua_State *L, PyObject *object)
{
  PyTypeObject *type = Py_TYPE(object);
  Wrapped *wrapped = lua_newuserdata(L, sizeof *wrapped);
  wrapped->object = Py_NewRef(object);
  wrapped->has_items = type->tp_as_mapping != NULL && type->tp_as_mapping->mp_subscript != NULL;
  lua_pushlightuserdata(L, (void *)&WRAPPED);
  lua_rawget(L, LUA_REGISTRYINDEX);
  lua_setmetatable(L, -2);
}

static void push(lua_State *L, PyObject *object)
{
  if (PyLong_CheckExact(object)) {
    lua_pushnumber(L, (lua_Number)PyLong_AsLongLong(object));
  } else if (PyUnicode_CheckExact(object)) {
    Py_ssize_t size;
    const char *text = PyUnicode_AsUTF8AndSize(object, &size);
    lua_pushlstring(L, text, (size_t)size);
  } else if (PyFloat_CheckExact(object)) {
    lua_pushnumber(L, PyFloat_AS_DOUBLE(object));
  } else if (object == Py_None) {
    lua_pushnil(L);
  } else if (PyBool_Check(object)) {
    lua_pushboolean(L, object == Py_True);
  } else if (is_lua_object(object)) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, ((LuaObject *)object)->reference);
  } else {
    push_wrapped(L, object);
  }
}

static PyObject *call_function(PyObject *callable, PyObject *const *arguments, size_t count, PyObject *names);

/* Takes what is on top of the stack. */
static PyObject *keep(lua_State *L, PyTypeObject *type, lua_State *stack)
{
  LuaObject *kept = PyObject_New(LuaObject, type);
  kept->L = L;
  kept->stack = stack;
  kept->reference = luaL_ref(L, LUA_REGISTRYINDEX);
  kept->started = -1;
  kept->call = call_function;
  return (PyObject *)kept;
}

static PyObject *to_python(lua_State *L, int index)
{
  switch (lua_type(L, index)) {
  case LUA_TNUMBER: {
    lua_Number number = lua_tonumber(L, index);
    long long integer = (long long)number;
    return (lua_Number)integer == number ? PyLong_FromLongLong(integer) : PyFloat_FromDouble(number);
  }
  case LUA_TSTRING: {
    size_t size;
    const char *text = lua_tolstring(L, index, &size);
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)size, NULL);
  }
  case LUA_TBOOLEAN:
    return PyBool_FromLong(lua_toboolean(L, index));
  case LUA_TUSERDATA:
    return Py_NewRef(((Wrapped *)lua_touserdata(L, index))->object);
  case LUA_TTABLE:
    lua_pushvalue(L, index);
    return keep(L, &TableType, NULL);
  case LUA_TFUNCTION:
    lua_pushvalue(L, index);
    return keep(L, &FunctionType, NULL);
  default:
    return Py_NewRef(Py_None);
  }
}

/* The values above `base`, which are popped. */
static PyObject *results(lua_State *L, int base)
{
  int i, count = lua_gettop(L) - base;
  PyObject *all;
  if (count == 0)
    return Py_NewRef(Py_None);
  if (count == 1) {
    all = to_python(L, base + 1);
  } else {
    all = PyTuple_New(count);
    for (i = 0; i < count; i++)
      PyTuple_SET_ITEM(all, i, to_python(L, base + 1 + i));
  }
  lua_settop(L, base);
  return all;
}

static PyObject *failure(lua_State *L)
{
  if (!PyErr_Occurred())
    PyErr_SetString(PyExc_RuntimeError, lua_tostring(L, -1));
  lua_settop(L, 0);
  return NULL;
}

/* Calls the function above `base` with what lies above it. */
static PyObject *run(lua_State *L, int base)
{
  int status;
  release();
  status = lua_pcall(L, lua_gettop(L) - base - 1, LUA_MULTRET, 0);
  acquire();
  return status == 0 ? results(L, base) : failure(L);
}

/* -- Python objects in Lua --------------------------------------------------------------------- */

/* What a function for Lua returns; the exception waits for the call from Python. */
static int finish(lua_State *L, PyObject *result)
{
  if (result != NULL) {
    push(L, result);
    Py_DECREF(result);
    release();
    return 1;
  }
  release();
  return luaL_error(L, "a Python exception");
}

static int wrapped_call(lua_State *L)
{
  PyObject *places[16], *result;
  PyObject *callable = ((Wrapped *)lua_touserdata(L, 1))->object;
  int i, count = lua_gettop(L) - 1;
  luaL_argcheck(L, count < 16, 16, "too many arguments");
  acquire();
  for (i = 0; i < count; i++)
    places[i + 1] = to_python(L, i + 2);
  result = PyObject_Vectorcall(callable, places + 1, (size_t)count | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
  for (i = 0; i < count; i++)
    Py_DECREF(places[i + 1]);
  return finish(L, result);
}

static int wrapped_index(lua_State *L)
{
  Wrapped *wrapped = lua_touserdata(L, 1);
  PyObject *key, *result;
  acquire();
  key = to_python(L, 2);
  result = wrapped->has_items ? PyObject_GetItem(wrapped->object, key) : PyObject_GetAttr(wrapped->object, key);
  Py_DECREF(key);
  return finish(L, result);
}

static int wrapped_gc(lua_State *L)
{
  Wrapped *wrapped = lua_touserdata(L, 1);
  int was_released = released != NULL;
  if (was_released)
    acquire();
  Py_DECREF(wrapped->object);
  if (was_released)
    release();
  return 0;
}

static int iterator_next(lua_State *L)
{
  PyObject *item;
  acquire();
  item = PyIter_Next(((Wrapped *)lua_touserdata(L, 1))->object);
  if (item == NULL && !PyErr_Occurred()) {
    release();
    return 0;
  }
  return finish(L, item);
}

static int python_iter(lua_State *L)
{
  PyObject *iterator;
  acquire();
  iterator = PyObject_GetIter(((Wrapped *)lua_touserdata(L, 1))->object);
  lua_pushcfunction(L, iterator_next);
  return finish(L, iterator) + 1;
}

static const luaL_Reg wrapped_functions[] = {
  {"__call", wrapped_call}, {"__index", wrapped_index}, {"__gc", wrapped_gc}, {NULL, NULL}
};

static const luaL_Reg python_functions[] = {{"iter", python_iter}, {NULL, NULL}};

/* -- Lua objects in Python --------------------------------------------------------------------- */

static void drop(LuaObject *self)
{
  luaL_unref(self->L, LUA_REGISTRYINDEX, self->reference);
  PyObject_Free(self);
}

static PyObject *call_function(PyObject *callable, PyObject *const *arguments, size_t count, PyObject *names)
{
  LuaObject *self = (LuaObject *)callable;
  lua_State *L = self->L;
  Py_ssize_t i, given = PyVectorcall_NARGS(count);
  int base = lua_gettop(L);
  lua_rawgeti(L, LUA_REGISTRYINDEX, self->reference);
  for (i = 0; i < given; i++)
    push(L, arguments[i]);
  return run(L, base);
}

static PyObject *new_coroutine(PyObject *function, PyObject *const *arguments, Py_ssize_t count)
{
  LuaObject *self = (LuaObject *)function, *made;
  Py_ssize_t i;
  lua_State *stack = lua_newthread(self->L);
  made = (LuaObject *)keep(self->L, &CoroutineType, stack);
  lua_rawgeti(stack, LUA_REGISTRYINDEX, self->reference);
  for (i = 0; i < count; i++)
    push(stack, arguments[i]);
  made->started = (int)count;
  return (PyObject *)made;
}

static PyObject *resume(LuaObject *self, int count)
{
  int status;
  release();
  status = lua_resume(self->stack, count);
  acquire();
  if (status > LUA_YIELD)
    return failure(self->stack);
  if (status != LUA_YIELD && lua_gettop(self->stack) == 0)
    return NULL;
  return results(self->stack, 0);
}

static PyObject *coroutine_next(PyObject *object)
{
  LuaObject *self = (LuaObject *)object;
  int count = self->started < 0 ? 0 : self->started;
  self->started = -1;
  return resume(self, count);
}

static PyObject *coroutine_send(PyObject *object, PyObject *value)
{
  LuaObject *self = (LuaObject *)object;
  push(self->stack, value);
  return resume(self, 1);
}

static PyObject *get_item(PyObject *object, PyObject *key)
{
  LuaObject *self = (LuaObject *)object;
  lua_State *L = self->L;
  PyObject *value;
  lua_rawgeti(L, LUA_REGISTRYINDEX, self->reference);
  push(L, key);
  lua_gettable(L, -2);
  value = to_python(L, lua_gettop(L));
  lua_pop(L, 2);
  return value;
}

static int set_item(PyObject *object, PyObject *key, PyObject *value)
{
  LuaObject *self = (LuaObject *)object;
  lua_State *L = self->L;
  lua_rawgeti(L, LUA_REGISTRYINDEX, self->reference);
  push(L, key);
  push(L, value != NULL ? value : Py_None);
  lua_settable(L, -3);
  lua_pop(L, 1);
  return 0;
}

static PyObject *get_attribute(PyObject *object, PyObject *name)
{
  if (name == name_values || name == name_items)
    return PyObject_GenericGetAttr(object, name);
  return get_item(object, name);
}

static Py_ssize_t get_length(PyObject *object)
{
  LuaObject *self = (LuaObject *)object;
  Py_ssize_t length;
  lua_rawgeti(self->L, LUA_REGISTRYINDEX, self->reference);
  length = (Py_ssize_t)lua_objlen(self->L, -1);
  lua_pop(self->L, 1);
  return length;
}

static PyObject *iterate(LuaObject *self, int keys, int values)
{
  Iteration *made = PyObject_New(Iteration, &IterationType);
  made->L = self->L;
  made->stack = lua_newthread(self->L);
  made->reference = luaL_ref(self->L, LUA_REGISTRYINDEX);
  made->keys = keys;
  made->values = values;
  lua_rawgeti(made->stack, LUA_REGISTRYINDEX, self->reference);
  lua_pushnil(made->stack);
  return (PyObject *)made;
}

static PyObject *iterate_keys(PyObject *self)
{
  return iterate((LuaObject *)self, 1, 0);
}

static PyObject *iterate_values(PyObject *self, PyObject *unused)
{
  return iterate((LuaObject *)self, 0, 1);
}

static PyObject *iterate_items(PyObject *self, PyObject *unused)
{
  return iterate((LuaObject *)self, 1, 1);
}

static void drop_iteration(Iteration *self)
{
  luaL_unref(self->L, LUA_REGISTRYINDEX, self->reference);
  PyObject_Free(self);
}

static PyObject *iteration_next(PyObject *object)
{
  Iteration *self = (Iteration *)object;
  lua_State *L = self->stack;
  PyObject *item;
  if (lua_gettop(L) < 2 || !lua_next(L, 1))
    return NULL;
  if (self->keys && self->values) {
    item = PyTuple_New(2);
    PyTuple_SET_ITEM(item, 0, to_python(L, 2));
    PyTuple_SET_ITEM(item, 1, to_python(L, 3));
  } else {
    item = to_python(L, self->keys ? 2 : 3);
  }
  lua_pop(L, 1);
  return item;
}

/* -- runtimes ---------------------------------------------------------------------------------- */

static PyObject *new_runtime(PyTypeObject *type, PyObject *arguments, PyObject *options)
{
  Runtime *self = PyObject_New(Runtime, type);
  lua_State *L = self->L = luaL_newstate();
  luaL_openlibs(L);
  lua_pushlightuserdata(L, (void *)&WRAPPED);
  lua_newtable(L);
  luaL_register(L, NULL, wrapped_functions);
  lua_rawset(L, LUA_REGISTRYINDEX);
  luaL_register(L, "python", python_functions);
  lua_settop(L, 0);
  return (PyObject *)self;
}

/* Values of a runtime may be alive after it, so the state is left alone. */
static void drop_runtime(PyObject *self)
{
  PyObject_Free(self);
}

static PyObject *run_code(lua_State *L, const char *before, PyObject *const *arguments, Py_ssize_t count)
{
  Py_ssize_t i;
  lua_pushfstring(L, "%s%s", before, PyUnicode_AsUTF8(arguments[0]));
  if (luaL_loadstring(L, lua_tostring(L, -1)) != 0)
    return failure(L);
  lua_remove(L, -2);
  for (i = 1; i < count; i++)
    push(L, arguments[i]);
  return run(L, 0);
}

static PyObject *evaluate(PyObject *self, PyObject *const *arguments, Py_ssize_t count)
{
  return run_code(((Runtime *)self)->L, "return ", arguments, count);
}

static PyObject *execute(PyObject *self, PyObject *const *arguments, Py_ssize_t count)
{
  return run_code(((Runtime *)self)->L, "", arguments, count);
}

static PyObject *new_table(PyObject *self, PyObject *unused)
{
  lua_State *L = ((Runtime *)self)->L;
  lua_newtable(L);
  return keep(L, &TableType, NULL);
}

static PyObject *table_from(PyObject *self, PyObject *source)
{
  lua_State *L = ((Runtime *)self)->L;
  Py_ssize_t i = 0;
  if (PyDict_CheckExact(source)) {
    PyObject *key, *value;
    lua_createtable(L, 0, (int)PyDict_GET_SIZE(source));
    while (PyDict_Next(source, &i, &key, &value)) {
      push(L, key);
      push(L, value);
      lua_rawset(L, -3);
    }
  } else {
    PyObject *items = PySequence_Fast(source, "a dict or what can be iterated is expected");
    if (items == NULL)
      return NULL;
    lua_createtable(L, (int)PySequence_Fast_GET_SIZE(items), 0);
    for (; i < PySequence_Fast_GET_SIZE(items); i++) {
      push(L, PySequence_Fast_GET_ITEM(items, i));
      lua_rawseti(L, -2, (int)i + 1);
    }
    Py_DECREF(items);
  }
  return keep(L, &TableType, NULL);
}

/* -- the module -------------------------------------------------------------------------------- */

static PyMethodDef runtime_methods[] = {
  {"eval", (PyCFunction)(void (*)(void))evaluate, METH_FASTCALL, NULL},
  {"execute", (PyCFunction)(void (*)(void))execute, METH_FASTCALL, NULL},
  {"table", new_table, METH_NOARGS, NULL},
  {"table_from", table_from, METH_O, NULL},
  {NULL, NULL, 0, NULL}
};
static PyMethodDef function_methods[] = {
  {"coroutine", (PyCFunction)(void (*)(void))new_coroutine, METH_FASTCALL, NULL}, {NULL, NULL, 0, NULL}
};
static PyMethodDef table_methods[] = {
  {"values", iterate_values, METH_NOARGS, NULL}, {"items", iterate_items, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}
};
static PyMethodDef coroutine_methods[] = {{"send", coroutine_send, METH_O, NULL}, {NULL, NULL, 0, NULL}};

static PyMappingMethods table_mapping = {get_length, get_item, set_item};

static PyTypeObject RuntimeType = {
  PyVarObject_HEAD_INIT(NULL, 0).tp_name = "lupa.luajit21.LuaRuntime",
  .tp_basicsize = sizeof(Runtime),
  .tp_flags = Py_TPFLAGS_DEFAULT,
  .tp_new = new_runtime,
  .tp_dealloc = drop_runtime,
  .tp_methods = runtime_methods,
};
static PyTypeObject FunctionType = {
  PyVarObject_HEAD_INIT(NULL, 0).tp_name = "lupa.luajit21._LuaFunction",
  .tp_basicsize = sizeof(LuaObject),
  .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL,
  .tp_dealloc = (destructor)drop,
  .tp_call = PyVectorcall_Call,
  .tp_vectorcall_offset = offsetof(LuaObject, call),
  .tp_methods = function_methods,
};
static PyTypeObject TableType = {
  PyVarObject_HEAD_INIT(NULL, 0).tp_name = "lupa.luajit21._LuaTable",
  .tp_basicsize = sizeof(LuaObject),
  .tp_flags = Py_TPFLAGS_DEFAULT,
  .tp_dealloc = (destructor)drop,
  .tp_getattro = get_attribute,
  .tp_setattro = set_item,
  .tp_as_mapping = &table_mapping,
  .tp_iter = iterate_keys,
  .tp_methods = table_methods,
};
static PyTypeObject CoroutineType = {
  PyVarObject_HEAD_INIT(NULL, 0).tp_name = "lupa.luajit21._LuaThread",
  .tp_basicsize = sizeof(LuaObject),
  .tp_flags = Py_TPFLAGS_DEFAULT,
  .tp_dealloc = (destructor)drop,
  .tp_iter = PyObject_SelfIter,
  .tp_iternext = coroutine_next,
  .tp_methods = coroutine_methods,
};
static PyTypeObject IterationType = {
  PyVarObject_HEAD_INIT(NULL, 0).tp_name = "lupa.luajit21._LuaIter",
  .tp_basicsize = sizeof(Iteration),
  .tp_flags = Py_TPFLAGS_DEFAULT,
  .tp_dealloc = (destructor)drop_iteration,
  .tp_iter = PyObject_SelfIter,
  .tp_iternext = iteration_next,
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "luajit21", .m_size = -1};

PyMODINIT_FUNC PyInit_luajit21(void)
{
  PyTypeObject *types[] = {&RuntimeType, &FunctionType, &TableType, &CoroutineType, &IterationType};
  PyObject *module = PyModule_Create(&definition);
  size_t i;
  name_values = PyUnicode_InternFromString("values");
  name_items = PyUnicode_InternFromString("items");
  for (i = 0; i < sizeof types / sizeof *types; i++)
    if (PyType_Ready(types[i]) < 0)
      return NULL;
  if (module == NULL || PyModule_AddObject(module, "LuaRuntime", Py_NewRef((PyObject *)&RuntimeType)) < 0)
    return NULL;
  return module;
}
