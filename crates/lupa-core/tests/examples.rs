//! The examples run to their ends: each checks itself what it comes to. That of the async server is run in `async.rs`.

#![allow(dead_code, unreachable_pub)]

macro_rules! examples {
    ($($(#[$attribute:meta])* $name:ident $path:literal;)*) => {$(
        $(#[$attribute])*
        #[path = $path]
        mod $name;

        $(#[$attribute])*
        #[test]
        fn $name() {
            $name::main().unwrap();
        }
    )*};
}

examples! {
    game "../examples/game.rs";
    inventory "../examples/inventory.rs";
    plugins "../examples/plugins.rs";
    #[cfg(feature = "serde")]
    config "../examples/config.rs";
    #[cfg(feature = "serde")]
    repl "../examples/repl.rs";
    #[cfg(feature = "serde")]
    rules "../examples/rules.rs";
}

#[cfg(feature = "async")]
#[path = "../examples/http.rs"]
mod http;

#[cfg(feature = "async")]
#[tokio::test]
async fn http() {
    http::run().await.unwrap();
}

#[path = "../examples/embed.rs"]
mod embed;

#[test]
fn embed_says_what_the_readme_shows() {
    let text = embed::embed().unwrap();
    assert_eq!(
        text,
        "ADA: 42\n\
         [1, 4, 9, 16], true\n\
         broken:2: attempt to index local 't' (a nil value)\n\
         58 is missing; Some(TooLittle { missing: 58 })\n"
    );
    let readme = include_str!("../README.md");
    assert!(readme.contains(&text), "the README shows another output");
}
