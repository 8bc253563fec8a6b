//! Lua code composed of templates by an input's bytes.
//!
//! In a template `$s` is a statement, `$e` an expression, `$v` a variable, `$k` a string, `$f` a field's name, `$n` a
//! small number, `$p` a pattern and `$m` a metamethod. All loops end, by themselves or by the time limit.
//!
//! Left out because they are known to be unsafe, or not ours to guard: the FFI library, bytecode, files and processes,
//! `jit.attach` and a raised `maxtrace` (LuaJIT's traces that find no memory), metatables taken from host objects
//! (without their `__gc` the objects are never dropped), and a ruined registry (likewise).

use arbitrary::{Result, Unstructured};

const STATEMENTS: &[&str] = &[
    "$v = $e",
    "local $v = $e",
    "$v, $v = $e",
    "$s $s",
    "$s $s $s",
    "if type($e) == 'table' then $s end",
    "if $e then $s else $s end",
    "for i = 1, $n do $s end",
    "for i = $n, $n, -3 do $s if i == $n then break end end",
    "local n = 0 while n < $n do n = n + 1 $s end",
    "local n = 0 repeat n = n + 1 $s until n > $n or $e",
    "for key, value in pairs($e) do $s end",
    "for i, value in ipairs($e) do $s end",
    "for key in next, $e do $v = key end",
    "for x, y in $e, $e do $s break end",
    "$v[$e] = $e",
    "$v.$f = $e",
    "rawset($v, $e, $e)",
    "$v[#$v + 1] = $e",
    "table.insert($e, $e)",
    "table.insert($v, $n, $e)",
    "table.sort($e, function(a, b, ...) $s return $e end)",
    "table.sort($e)",
    "setmetatable($e, {$m = $e, $m = function(...) $s return $e end})",
    "setmetatable($e, {__mode = 'kv'})",
    "setmetatable($e, $e)",
    "setmetatable(_G, {__index = function(_, name) return nil end})",
    "pcall(function(...) $s end, $e)",
    "$v, $v = pcall($e, $e)",
    "xpcall(function(...) $s end, function(e, ...) $s return e end)",
    "$v = select(2, xpcall($e, $e, $e))",
    "error($e)",
    "error($e, $n)",
    "assert($e, $e)",
    "do return $e end",
    "do return $e($e) end",
    "do return $e, $e, $e end",
    "do local _ = $e($e, $e) end",
    "coroutine.yield($e)",
    "$v = coroutine.yield($e, $e)",
    "$v = coroutine.create(function(...) $s end)",
    "$v = coroutine.wrap(function(...) $s $s return ... end)",
    "$v, $v = coroutine.resume($e, $e)",
    "while coroutine.resume($v) do $s end",
    "collectgarbage()",
    "collectgarbage('step', $n)",
    "collectgarbage('stop') $s collectgarbage('restart')",
    "collectgarbage('setpause', $n * 10)",
    "local p = newproxy(true) getmetatable(p).__gc = function(...) $s end p = nil",
    "local p = newproxy(true) getmetatable(p).$m = function(...) $s return $e end $v = p",
    "debug.sethook(function(...) if hook_budget() then $s end end, 'crl', $n)",
    "debug.sethook(function(...) if hook_budget() then error($e) end end, 'c')",
    "debug.sethook()",
    "$v = {debug.getlocal($n, $n)}",
    "debug.setlocal($n, $n, $e)",
    "debug.setupvalue($e, $n, $e)",
    "debug.upvaluejoin($e, $n, $e, $n)",
    "$v = debug.getinfo($e)",
    "local x = $v if type(x) ~= 'userdata' then debug.setmetatable(x, {$m = function(...) $s return $e end}) end",
    "for _, x in ipairs {1, true, print} do debug.setmetatable(x, {$m = $e}) end",
    "local x = $v if type(x) == 'userdata' then pcall(debug.getmetatable(x).__gc, x) end",
    "setfenv($e, $e)",
    "jit.off()",
    "jit.on() for i = 1, 100 do $v = i end",
    "jit.flush()",
    "for i = 1, 60 do $v = $e end",
    "for i = 1, 60 do $v = (tonumber($v) or 0) + i end",
    // The host.
    "host.call(function(...) $s return $e end, $e)",
    "$v = host.call($e, $e)",
    "host.raise($e)",
    "host.fail($k)",
    "host.end_all($e)",
    "host.keep($e)",
    "$v = host.kept($n)",
    "host.forget($n)",
    "$v = host.object($e)",
    "$v = host.user($n)",
    "$v:run(function(...) $s end)",
    "$v:set($e)",
    "$v.field = $e",
    "host.eval($e)",
    "host.collect()",
    "host.close()",
    "host.limit($n)",
    "host.interrupt()",
    "host.resume($e, $e)",
    "host.throw($e, $e)",
    "host.end_coroutine($e)",
    "for key, value in host.pairs, $e, $n do $s break end",
];

const EXPRESSIONS: &[&str] = &[
    "nil",
    "true",
    "false",
    "$n",
    "$k",
    "$v",
    "...",
    "{}",
    "{$e, $e}",
    "{$e, $e, x = $e, [$e] = $e}",
    "{$v}",
    "-1.5",
    "0/0",
    "1/0",
    "2^53",
    "1e308",
    "function(...) $s end",
    "function(a, ...) $s return $e end",
    "function(a, b) return b, a end",
    "(function(...) $s return $e, ... end)($e)",
    "setmetatable({}, {$m = function(...) $s return $e end})",
    "setmetatable({$e}, {$m = $e, $m = $e})",
    "setmetatable({}, {__index = $v, __newindex = $v, __call = $v})",
    "$v[$e]",
    "$v.$f",
    "$v($e)",
    "$v:$f($e)",
    "$e + $e",
    "$e * $n",
    "$e % $e",
    "-$e",
    "#$e",
    "not $e",
    "$e == $e",
    "$e < $e",
    "$e <= $e",
    "$e .. $e",
    "$e and $e",
    "$e or $e",
    "tostring($e)",
    "tonumber($e)",
    "tonumber($e, $n)",
    "type($e)",
    "select($n, $e, $e)",
    "select('#', $e, $e)",
    "unpack($e)",
    "unpack({$e, $e}, $n, $n)",
    "next($e)",
    "rawget($e, $e)",
    "rawequal($e, $e)",
    "getmetatable($e)",
    "getfenv($n)",
    "load($k)",
    "load(function(...) return $e end)",
    "loadstring($e, $k, 't', $e)",
    "require($k)",
    "coroutine.running()",
    "coroutine.status($e)",
    "coroutine.create($e)",
    "coroutine.wrap($e)",
    "coroutine.wrap($e)($e)",
    "string.find($k, $p)",
    "string.gsub($k, $p, $e)",
    "string.gsub($k, $p, function(...) $s return $e end)",
    "string.gmatch($k, $p)()",
    "string.match($k, $p, $n)",
    "string.format($k, $e, $e)",
    "string.format('%5.2f %d %q %s %x', $e, $e, $e, $e, $e)",
    "string.rep($k, $n)",
    "string.rep($k, $n, $k)",
    "string.sub($e, $n, -$n)",
    "string.byte($e, $n, $n)",
    "string.char($n, $n)",
    "string.reverse($e)",
    "string.upper($e)",
    "string.dump and pcall(string.dump, $e)",
    "table.concat($e, $k)",
    "table.remove($e)",
    "table.remove($e, $n)",
    "math.floor($e)",
    "math.max($e, $e)",
    "math.random($n)",
    "bit.bxor($e, $e)",
    "bit.lshift($e, $n)",
    "debug.traceback($e)",
    "debug.traceback($e, $e, $n)",
    "debug.getinfo($n, 'nSluf')",
    "debug.getupvalue($e, $n)",
    "host.kept($n)",
    "host.object($e)",
    "host.user($n)",
    "host.call($e, $e)",
    "host.entries($e)",
    "host.text($e)",
];

const VARIABLES: &[&str] = &["a", "b", "c", "d", "e"];
const FIELDS: &[&str] = &["x", "field", "run", "set", "__index"];
const STRINGS: &[&str] = &[
    "'x'",
    "'field'",
    "'run'",
    "''",
    "'return 1'",
    "'return ...'",
    "'%s %d'",
    "'yx 12 (a)'",
    "'\\0\\255'",
    "'5'",
    "'jit.v'",
    "'string'",
];
const NUMBERS: &[&str] = &["0", "1", "2", "3", "7", "20", "100", "1000"];
const PATTERNS: &[&str] = &[
    "'.'",
    "'%w+'",
    "'()'",
    "'(x)(y?)'",
    "'%b()'",
    "'^.-$'",
    "'[%z]'",
    "'%f[%w]'",
    "'%'",
    "'['",
];
const METAMETHODS: &[&str] = &[
    "__index",
    "__newindex",
    "__call",
    "__tostring",
    "__len",
    "__eq",
    "__lt",
    "__le",
    "__add",
    "__concat",
    "__unm",
    "__mode",
    "__metatable",
    "__name",
    "__gc",
    "__pairs",
];

/// How deep templates may nest, and how long the code may get.
const DEPTH: u32 = 6;
const LENGTH: usize = 2000;

/// A chunk of some statements.
pub(crate) fn chunk(u: &mut Unstructured<'_>) -> Result<String> {
    let mut code = String::new();
    for _ in 0..u.int_in_range(1..=4)? {
        // Most statements raise an error; not all of them shall end the chunk.
        let statement = *u.choose(&["$s\n", "pcall(function(...) $s end)\n"])?;
        expand(statement, u, DEPTH, &mut code)?;
    }
    if u.ratio(1, 2)? {
        expand("return $e", u, DEPTH, &mut code)?;
    }
    Ok(code)
}

fn expand(template: &str, u: &mut Unstructured<'_>, depth: u32, code: &mut String) -> Result<()> {
    let mut parts = template.split('$');
    code.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (what, rest) = part.split_at(1);
        let small = depth == 0 || code.len() > LENGTH || u.is_empty();
        match what {
            "s" if small => code.push_str("a = nil"),
            "s" => expand(u.choose(STATEMENTS)?, u, depth - 1, code)?,
            "e" if small => code.push_str(u.choose(VARIABLES)?),
            // In brackets, so that it can be called and indexed.
            "e" => {
                code.push('(');
                expand(u.choose(EXPRESSIONS)?, u, depth - 1, code)?;
                code.push(')');
            }
            "v" => code.push_str(u.choose(VARIABLES)?),
            "n" => code.push_str(u.choose(NUMBERS)?),
            "p" => code.push_str(u.choose(PATTERNS)?),
            "m" => code.push_str(u.choose(METAMETHODS)?),
            "k" => code.push_str(u.choose(STRINGS)?),
            "f" => code.push_str(u.choose(FIELDS)?),
            _ => unreachable!("a template's ${what}"),
        }
        code.push_str(rest);
    }
    Ok(())
}
