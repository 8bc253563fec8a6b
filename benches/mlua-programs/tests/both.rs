//! The programs and their ports say the same.

#![allow(dead_code)]

#[path = "../../../crates/lupa-core/examples/http.rs"]
mod http;
#[path = "../../../crates/lupa-core/examples/inventory.rs"]
mod inventory;
#[path = "../examples/http.rs"]
mod mlua_http;
#[path = "../examples/inventory.rs"]
mod mlua_inventory;
#[path = "../examples/repl.rs"]
mod mlua_repl;
#[path = "../../../crates/lupa-core/examples/repl.rs"]
mod repl;

#[test]
fn inventories() {
    assert_eq!(mlua_inventory::shop().unwrap(), inventory::shop().unwrap());
}

#[tokio::test]
async fn servers_and_clients() {
    let mut before = mlua_http::run().await.unwrap();
    // Lua code sees a traceback in the error.
    let (error, _traceback) = before[3].split_once('\n').unwrap();
    before[3] = error.to_owned();
    assert_eq!(before, http::run().await.unwrap());
}

#[test]
fn prompts() {
    let lines = mlua_repl::SESSION;
    let answers = mlua_repl::session(lines).unwrap();
    assert_eq!(answers, repl::session(lines).unwrap());
}

macro_rules! lines {
    ($name:literal) => {
        format!(
            "| {} | {} | [mlua](../../benches/mlua-programs/examples/{}.rs)",
            include_str!(concat!("../examples/", $name, ".rs"))
                .lines()
                .count(),
            include_str!(concat!("../../../crates/lupa-core/examples/", $name, ".rs"))
                .lines()
                .count(),
            $name,
        )
    };
}

#[test]
fn the_page_for_users_of_mlua_counts_their_lines() {
    let page = include_str!("../../../docs/rust/coming-from-mlua.md");
    for row in [lines!("http"), lines!("inventory"), lines!("repl")] {
        assert!(page.contains(&row), "{row}");
    }
}
