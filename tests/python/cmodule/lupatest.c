/* A Lua module in C that uses a good part of Lua's C API; built by test_binary_modules.py. */

#include <lauxlib.h>
#include <lua.h>

#define COUNTER "lupatest.counter"

static int collected = 0;

/* call(f, ...): the results of f(...), unprotected. */
static int call(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* pcall(f, ...): the status and what f returned or raised. */
static int protected_call(lua_State *L)
{
    int status;
    luaL_checkany(L, 1);
    status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    lua_pushinteger(L, status);
    lua_insert(L, 1);
    return lua_gettop(L);
}

/* fail(text): raises text as an error, with the position of the caller. */
static int fail(lua_State *L)
{
    return luaL_error(L, "failed: %s", luaL_checkstring(L, 1));
}

/* throw(value): raises any value as an error. */
static int throw_value(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    return lua_error(L);
}

/* each(table, f): f(key, value) for each pair, by lua_next; the number of pairs. */
static int each(lua_State *L)
{
    lua_Integer count = 0;
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkany(L, 2);
    lua_settop(L, 2);
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        lua_pushvalue(L, 2);
        lua_pushvalue(L, -3);
        lua_pushvalue(L, -3);
        lua_call(L, 2, 0);
        lua_pop(L, 1);
        count++;
    }
    lua_pushinteger(L, count);
    return 1;
}

/* references in the registry: keep(value) -> number, kept(number) -> value, release(number) */
static int keep(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    lua_pushinteger(L, luaL_ref(L, LUA_REGISTRYINDEX));
    return 1;
}

static int kept(lua_State *L)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, (int)luaL_checkinteger(L, 1));
    return 1;
}

static int release(lua_State *L)
{
    luaL_unref(L, LUA_REGISTRYINDEX, (int)luaL_checkinteger(L, 1));
    return 0;
}

/* yield(...): yields its arguments from C. */
static int yield(lua_State *L)
{
    return lua_yield(L, lua_gettop(L));
}

/* adder(n): a C closure that adds n. */
static int add_upvalue(lua_State *L)
{
    lua_pushnumber(L, luaL_checknumber(L, 1) + lua_tonumber(L, lua_upvalueindex(1)));
    return 1;
}

static int adder(lua_State *L)
{
    lua_pushnumber(L, luaL_checknumber(L, 1));
    lua_pushcclosure(L, add_upvalue, 1);
    return 1;
}

/* counter(n): a userdata with methods add(k), value() and a destructor. */
static lua_Integer *check_counter(lua_State *L)
{
    return (lua_Integer *)luaL_checkudata(L, 1, COUNTER);
}

static int new_counter(lua_State *L)
{
    lua_Integer start = luaL_optinteger(L, 1, 0);
    *(lua_Integer *)lua_newuserdata(L, sizeof(lua_Integer)) = start;
    luaL_getmetatable(L, COUNTER);
    lua_setmetatable(L, -2);
    return 1;
}

static int counter_add(lua_State *L)
{
    *check_counter(L) += luaL_optinteger(L, 2, 1);
    lua_settop(L, 1);
    return 1;
}

static int counter_value(lua_State *L)
{
    lua_pushinteger(L, *check_counter(L));
    return 1;
}

static int counter_tostring(lua_State *L)
{
    lua_pushfstring(L, "counter at %d", (int)*check_counter(L));
    return 1;
}

static int counter_gc(lua_State *L)
{
    check_counter(L);
    collected++;
    return 0;
}

/* collected(): how many counters were destroyed. */
static int count_collected(lua_State *L)
{
    lua_pushinteger(L, collected);
    return 1;
}

static int cleaned = 0;

static void clean(int *variable)
{
    (void)variable;
    cleaned++;
}

/* Raises in a frame that has something to clean up, after it has used coroutines, which makes the state forget that a hook runs. */
static void hook(lua_State *L, lua_Debug *ar)
{
    int variable __attribute__((cleanup(clean))) = 0;
    lua_State *co;
    (void)ar;
    lua_sethook(L, NULL, 0, 0);
    co = lua_newthread(L);
    luaL_loadstring(co, "error('in a coroutine')");
    lua_resume(co, 0);
    lua_pop(L, 1);
    luaL_loadstring(L, "return");
    lua_pcall(L, 0, 0, 0);
    luaL_error(L, "raised by a hook");
}

/* set_hook(): sets that hook. */
static int set_hook(lua_State *L)
{
    lua_sethook(L, hook, LUA_MASKCOUNT, 1);
    return 0;
}

/* cleaned(): how often its frame was unwound. */
static int count_cleaned(lua_State *L)
{
    lua_pushinteger(L, cleaned);
    return 1;
}

static const luaL_Reg functions[] = {
    {"call", call},       {"pcall", protected_call}, {"fail", fail},           {"throw", throw_value},
    {"each", each},       {"keep", keep},            {"kept", kept},           {"release", release},
    {"yield", yield},     {"adder", adder},          {"counter", new_counter}, {"collected", count_collected},
    {"set_hook", set_hook}, {"cleaned", count_cleaned},
    {NULL, NULL},
};

static const luaL_Reg counter_methods[] = {
    {"add", counter_add},
    {"value", counter_value},
    {"__tostring", counter_tostring},
    {"__gc", counter_gc},
    {NULL, NULL},
};

int luaopen_lupatest(lua_State *L)
{
    luaL_newmetatable(L, COUNTER);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    luaL_register(L, NULL, counter_methods);
    lua_newtable(L);
    luaL_register(L, NULL, functions);
    return 1;
}
