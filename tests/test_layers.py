"""The layers: which crate may name what, and where `unsafe` may stand (see docs/architecture.md).

The checks read Rust as a list of tokens, so comments and strings may say what they like.
"""

import pathlib
import re

import pytest

CRATES = pathlib.Path(__file__).resolve().parents[1] / "crates"

BINDING = CRATES / "lupa-py" / "src"

# The modules of lupa-py that may use pyo3::ffi and `unsafe`: one or two, and only for speed.
ALLOWED = {"gil", "capi"}

TOKEN = re.compile(
    r"""
    (?P<comment> //[^\n]* | /\* )
  | (?P<string> (?:br|cr|r)(?P<hashes>\#*)"(?:.|\n)*?"(?P=hashes) | [bc]?"(?:\\(?:.|\n)|[^"\\])*" )
  | (?P<char> b?'(?:\\(?:x[0-9a-fA-F]{2}|u\{[^}]*\}|.)|[^'\\\n])' )
  | (?P<lifetime> '[A-Za-z_]\w* )
  | (?P<ident> (?:r\#)?[A-Za-z_]\w* )
  | (?P<number> [0-9][0-9A-Za-z_]*(?:\.[0-9][0-9A-Za-z_]*)? )
  | (?P<punct> :: | => | -> | \S )
    """,
    re.VERBOSE,
)
BLOCK_COMMENT_EDGE = re.compile(r"/\*|\*/")


class Token:
    def __init__(self, kind, text, line):
        self.kind = kind
        self.text = text
        self.line = line

    def __repr__(self):
        return f"{self.line}:{self.text}"


def tokenize(source):
    """Split Rust source into tokens; strings and comments are one token each."""
    tokens, position = [], 0
    while True:
        match = TOKEN.search(source, position)
        if match is None:
            return tokens
        kind, end = match.lastgroup if match.lastgroup != "hashes" else "string", match.end()
        if match.group() == "/*":  # block comments nest
            depth = 1
            while depth:
                edge = BLOCK_COMMENT_EDGE.search(source, end)
                assert edge, "a comment without an end"
                depth += 1 if edge.group() == "/*" else -1
                end = edge.end()
        text = source[match.start() : end]
        tokens.append(Token(kind, text, source.count("\n", 0, match.start()) + 1))
        position = end


def code(tokens):
    return [token for token in tokens if token.kind != "comment"]


def named(tokens, pattern):
    """The identifiers that match `pattern` as a whole."""
    return [
        token
        for token in tokens
        if token.kind == "ident" and re.fullmatch(pattern, token.text.replace("r#", ""))
    ]


def unsafe_without_reason(tokens):
    """The `unsafe` blocks and impls in whose statement no comment with SAFETY: comes before them."""
    found = []
    for index, token in enumerate(tokens):
        if token.kind != "ident" or token.text != "unsafe":
            continue
        following = next((other for other in tokens[index + 1 :] if other.kind != "comment"), None)
        if following is None or following.text not in ("{", "impl"):
            continue
        if not has_reason(tokens, index):
            found.append(token)
    return found


def has_reason(tokens, index):
    position = index - 1
    while position >= 0:
        token = tokens[position]
        if token.kind == "comment" and "SAFETY:" in token.text:
            return True
        if token.kind == "punct":
            if token.text in ";{":
                return False
            if token.text == "}":
                start = start_of_earlier_block(tokens, position)
                if start is None:
                    return False
                position = start
        position -= 1
    return False


def start_of_earlier_block(tokens, end):
    """Where an `unsafe { … }` begins whose `}` stands at `end` in the middle of an expression."""
    following = next((token for token in tokens[end + 1 :] if token.kind != "comment"), None)
    if following is None or following.kind != "punct":
        return None
    depth = 0
    for position in range(end, -1, -1):
        if tokens[position].kind == "punct" and tokens[position].text in "{}":
            depth += 1 if tokens[position].text == "}" else -1
            if depth == 0:
                return position - 1 if position and tokens[position - 1].text == "unsafe" else None
    return None


def declared_functions(tokens):
    """The names of the functions that Rust source declares."""
    return {
        following.text
        for token, following in zip(tokens, tokens[1:])
        if token.text == "fn" and token.kind == following.kind == "ident"
    }


ITEM_WORDS = {
    "pub",
    "crate",
    "use",
    "mod",
    "fn",
    "const",
    "type",
    "struct",
    "enum",
    "trait",
    "unsafe",
}


def hidden_names(tokens):
    """What `#[doc(hidden)]` keeps from users: the names of such items and variants, and of the traits with such members.

    Without its trait in scope nobody calls a method of it.
    """
    hidden, blocks, header = set(), [], None
    tokens = code(tokens)
    texts = [token.text for token in tokens]
    for index, token in enumerate(tokens):
        if token.text == "{":
            blocks.append(header)
            header = None
        elif token.text == "}":
            blocks.pop()
        elif token.text == ";":
            header = None
        elif token.text == "trait":
            header = texts[index + 1]
        elif texts[index : index + 7] == ["#", "[", "doc", "(", "hidden", ")", "]"]:
            trait = next((name for name in reversed(blocks) if name), None)
            hidden.add(trait or item_name(tokens[index + 7 :]))
    return hidden


def item_name(tokens):
    """The name of the item that begins here, attributes and what comes before the name left out."""
    position = 0
    while tokens[position].text == "#":
        while tokens[position].text != "]":
            position += 1
        position += 1
    imported = any(token.text == "use" for token in tokens[position : position + 4])
    names = []
    for token in tokens[position:]:
        if token.kind == "ident" and token.text not in ITEM_WORDS:
            names.append(token.text)
            if not imported:
                break
        elif imported and token.text == ";":
            break
    return names[-1]


def rust_files(*parts):
    root = CRATES.joinpath(*parts)
    files = sorted(
        path for path in root.rglob("*.rs") if "target" not in path.relative_to(root).parts
    )
    assert files, f"no Rust files in {root}"
    return files


def violations(files, find):
    """What `find` finds in the tokens of the files, as text for a message."""
    found = []
    for path in files:
        for token in find(tokenize(path.read_text(encoding="utf-8"))):
            found.append(f"{path.relative_to(CRATES)}:{token.line}: {token.text}")
    return found


def dependencies(manifest):
    """The names in the [dependencies] tables of a Cargo.toml, build and dev tables left out."""
    names, inside = set(), False
    for line in manifest.splitlines():
        if line.startswith("["):
            table = line.strip(" []")
            inside = table == "dependencies" or table.endswith(".dependencies")
            if table.startswith("dependencies."):
                names.add(table.partition(".")[2])
        elif inside and re.match(r"[\w-]+", line):
            names.add(re.match(r"[\w-]+", line).group())
    return names


PYTHON_NAMES = r"pyo3\w*|_?Py_\w+|_?Py[A-Z]\w*"
LUA_PREFIXES = r"luajit_sys|luaL_\w+|luaJIT_\w+|luaopen_\w+|lua_State"


def find_ffi(tokens):
    return named(tokens, "ffi|pyo3_ffi")


def find_unsafe(tokens):
    return named(tokens, "unsafe")


# the rules


def test_lupa_py_never_names_luajit_sys():
    assert (
        violations(rust_files("lupa-py", "src"), lambda tokens: named(tokens, LUA_PREFIXES)) == []
    )
    assert "luajit-sys" not in dependencies(
        (CRATES / "lupa-py" / "Cargo.toml").read_text(encoding="utf-8")
    )


def test_lupa_py_uses_what_lupa_core_documents():
    hidden = set()
    for path in rust_files("lupa-core", "src"):
        hidden |= hidden_names(tokenize(path.read_text(encoding="utf-8")))
    # Of each kind: a module that is exported, a variant, a trait with hidden members.
    assert {"via", "Raised", "HostFn"} <= hidden
    names = "|".join(sorted(hidden))
    assert violations(rust_files("lupa-py", "src"), lambda tokens: named(tokens, names)) == []


@pytest.mark.parametrize("crate", ["luajit-sys", "lupa-core"])
def test_the_lower_crates_never_name_python(crate):
    assert violations(rust_files(crate), lambda tokens: named(tokens, PYTHON_NAMES)) == []
    assert not [
        name
        for name in dependencies((CRATES / crate / "Cargo.toml").read_text(encoding="utf-8"))
        if name.startswith("pyo3") or name == "lupa-py"
    ]


def test_luajit_sys_never_names_lupa_core():
    assert (
        violations(rust_files("luajit-sys"), lambda tokens: named(tokens, "lupa_core|lupa_py"))
        == []
    )


def test_raw_lua_calls_stand_only_in_raw():
    declared = set()
    for path in rust_files("luajit-sys", "src"):
        declared |= declared_functions(code(tokenize(path.read_text(encoding="utf-8"))))
    functions = {name for name in declared if name.startswith("lua")}
    assert {"lua_pushnil", "luaL_newstate", "lua_gettop"} <= functions
    raw = CRATES / "lupa-core" / "src" / "raw"
    files = [
        path
        for path in rust_files("lupa-core")
        if raw not in path.parents and path.name != "build.rs"
    ]
    pattern = "|".join(sorted(functions)) + "|" + LUA_PREFIXES
    assert violations(files, lambda tokens: named(tokens, pattern)) == []
    assert (
        violations(rust_files("lupa-core", "src", "raw"), lambda tokens: named(tokens, pattern))
        != []
    )


def is_allowed(path):
    """Whether a file is of a module of the binding that may."""
    if BINDING not in path.parents:
        return False
    return path.relative_to(BINDING).parts[0].removesuffix(".rs") in ALLOWED


def test_pyo3_ffi_stands_only_where_it_is_for_speed():
    assert len(ALLOWED) <= 2
    files = [path for path in rust_files("lupa-py", "src") if not is_allowed(path)]
    assert violations(files, find_ffi) == []


def find_locked_cells(tokens):
    """PyO3's and Rust's ways to make a value once, which take a lock, and the types of PyO3 that are such a value."""
    tokens = code(tokens)
    cells = "PyOnceLock|GILOnceCell|OnceLock|LazyLock|Once|PySequence|PyMapping"
    interned = [
        token
        for token, following in zip(tokens, tokens[1:])
        if (token.text, following.text) == ("intern", "!")
    ]
    return named(tokens, cells) + interned


def test_the_binding_makes_nothing_under_a_lock_that_a_fork_leaves_locked():
    # `gil::GilOnce` needs none.
    assert violations(rust_files("lupa-py", "src"), find_locked_cells) == []
    source = 'intern!(py, "x"); static A: PyOnceLock<T>; PyString::intern(py, "intern!")'
    assert [token.text for token in find_locked_cells(tokenize(source))] == ["PyOnceLock", "intern"]


def test_unsafe_stands_only_where_it_may():
    allowed = [CRATES / "luajit-sys", CRATES / "lupa-core" / "src" / "raw"]
    files = [
        path
        for path in rust_files()
        if not is_allowed(path) and not any(place in path.parents for place in allowed)
    ]
    assert violations(files, find_unsafe) == []


def test_every_unsafe_block_says_why():
    assert violations(rust_files(), unsafe_without_reason) == []


# the checker itself


def texts(tokens):
    return [token.text for token in tokens]


@pytest.mark.parametrize(
    "source, expected",
    [
        ("a // unsafe\nb", ["a", "b"]),
        ("a /* x /* unsafe */ y */ b", ["a", "b"]),
        (
            'f("unsafe { // }", b"\\"ffi", c"x")',
            ["f", "(", '"unsafe { // }"', ",", 'b"\\"ffi"', ",", 'c"x"', ")"],
        ),
        ('r#"a "unsafe" b"# x', ['r#"a "unsafe" b"#', "x"]),
        (
            "'a' b'\\'' '\\u{1F600}' &'a str '\"' x",
            ["'a'", "b'\\''", "'\\u{1F600}'", "&", "'a", "str", "'\"'", "x"],
        ),
        ("r#unsafe::x->y", ["r#unsafe", "::", "x", "->", "y"]),
        ("0..10 1.5e3_f64 0xff_u8", ["0", ".", ".", "10", "1.5e3_f64", "0xff_u8"]),
    ],
)
def test_the_tokenizer(source, expected):
    assert texts(code(tokenize(source))) == expected


def test_the_tokenizer_counts_lines():
    tokens = tokenize('a\n/* \n\n */ b\n"x\ny" c')
    assert [(token.text[:1], token.line) for token in tokens] == [
        ("a", 1),
        ("/", 2),
        ("b", 4),
        ('"', 5),
        ("c", 6),
    ]


@pytest.mark.parametrize(
    "find, source",
    [
        (lambda tokens: named(tokens, LUA_PREFIXES), "use luajit_sys as sys;"),
        (lambda tokens: named(tokens, LUA_PREFIXES), "fn f(l: *mut lua_State) {}"),
        (lambda tokens: named(tokens, LUA_PREFIXES), "sys::luaL_ref(l, t)"),
        (lambda tokens: named(tokens, PYTHON_NAMES), "use pyo3::prelude::*;"),
        (lambda tokens: named(tokens, PYTHON_NAMES), "fn f(o: *mut PyObject) {}"),
        (lambda tokens: named(tokens, PYTHON_NAMES), "Py_IncRef(o)"),
        (find_ffi, "use pyo3::ffi;"),
        (find_ffi, "use pyo3::{Python, ffi};"),
        (find_ffi, "let x = pyo3 :: ffi :: Py_None();"),
        (find_unsafe, "unsafe { f() }"),
        (find_unsafe, "unsafe fn f() {}"),
        (find_unsafe, "#[unsafe(no_mangle)] fn f() {}"),
    ],
)
def test_names_that_are_found(find, source):
    assert len(find(tokenize(source))) == 1
    assert find(tokenize("// " + source)) == []
    assert find(tokenize("/* " + source + " */")) == []
    assert find(tokenize('let text = r##"' + source + '"##;')) == []


@pytest.mark.parametrize(
    "source",
    [
        "#![forbid(unsafe_code)]",
        "let ffi_like = lua_version();",
        "struct Python; let copy = Pyramid;",
        "fn pushes_to_lua() {}",
    ],
)
def test_names_that_are_not_found(source):
    tokens = tokenize(source)
    assert find_ffi(tokens) == find_unsafe(tokens) == named(tokens, LUA_PREFIXES) == []
    assert named(tokens, PYTHON_NAMES) == []


@pytest.mark.parametrize(
    "source",
    [
        "unsafe { f() }",
        "// A comment without the word.\nunsafe { f() }",
        "unsafe impl Send for X {}",
        "// SAFETY: reason\nlet x = unsafe { f() };\nlet y = unsafe { g() };",
        "// SAFETY: reason\nunsafe { f() }\nunsafe { g() }",
        "// SAFETY: reason\nfn f() { unsafe { g() } }",
        "fn f() { unsafe { g() } // SAFETY: too late\n}",
        'let text = "// SAFETY: no comment"; unsafe { f() }',
        "match x { /* SAFETY: a */ A => unsafe { f() }\n B => { unsafe { g() } } }",
    ],
)
def test_unsafe_without_a_reason_is_found(source):
    assert len(unsafe_without_reason(tokenize(source))) == 1


@pytest.mark.parametrize(
    "source",
    [
        "// SAFETY: reason\nunsafe { f() }",
        "// SAFETY: reason\n// that goes on\nunsafe impl Send for X {}",
        "// SAFETY: reason\nlet x = f(a, unsafe { g() });",
        "/* SAFETY: reason */ unsafe { f() }",
        "// SAFETY: one reason for both\nlet x = unsafe { f() } + unsafe { g() };",
        "// SAFETY: reason\n#[allow(x)]\nlet x = unsafe { f() };",
        "match x { // SAFETY: reason\n A => unsafe { f() },\n // SAFETY: another\n B => unsafe { g() } }",
        "unsafe fn f() {}",
        'unsafe extern "C" { fn f(); }',
        "unsafe trait T {}",
        'type F = unsafe extern "C" fn();',
    ],
)
def test_unsafe_with_a_reason_or_without_need_is_not_found(source):
    assert unsafe_without_reason(tokenize(source)) == []


def test_functions_are_found():
    source = (
        'unsafe extern "C" { /// fn not_me\n pub fn lua_gettop(l: *mut X) -> c_int; } fn other() {}'
    )
    assert declared_functions(code(tokenize(source))) == {"lua_gettop", "other"}


@pytest.mark.parametrize(
    "source, expected",
    [
        ("#[doc(hidden)] pub mod via { pub struct Inner; }", {"via"}),
        ("#[doc(hidden)]\n#[cfg(test)] pub use raw::faults;", {"faults"}),
        ("pub enum Error { A { x: u8 }, #[doc(hidden)] Raised, B }", {"Raised"}),
        ("pub trait HostFn<T> { #[doc(hidden)] fn invoke(&self) -> u8; }", {"HostFn"}),
        ("trait A { fn f() { if true {} } #[doc(hidden)] type T; } struct B;", {"A"}),
        ("trait A: B {} impl A for C { fn f() {} } #[doc(hidden)] pub const fn g() {}", {"g"}),
        ("/// Not #[doc(hidden)]\npub struct Shown;", set()),
        ('#[doc = "hidden"] pub struct Shown;', set()),
    ],
)
def test_hidden_names_are_found(source, expected):
    assert hidden_names(tokenize(source)) == expected


@pytest.mark.parametrize(
    "manifest, expected",
    [
        (
            '[dependencies]\nlupa-core = { path = "x" }\n[build-dependencies]\nluajit-sys = "1"\n',
            {"lupa-core"},
        ),
        ('[package]\nname = "x"\n[dependencies.pyo3]\nversion = "1"\n', {"pyo3"}),
        ("[target.'cfg(unix)'.dependencies]\nlibc.workspace = true\n", {"libc"}),
    ],
)
def test_dependencies_are_found(manifest, expected):
    assert dependencies(manifest) == expected
