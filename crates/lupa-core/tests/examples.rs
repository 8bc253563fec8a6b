//! The example runs, and says what the README shows.

#[path = "../examples/embed.rs"]
#[allow(dead_code, unreachable_pub)]
mod embed_example;

#[test]
fn embed_says_what_the_readme_shows() {
    let text = embed_example::embed().unwrap();
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
