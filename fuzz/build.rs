//! Compiles and links what counts the edges of C code.

fn main() {
    println!("cargo::rerun-if-changed=edges.c");
    cc::Build::new().file("edges.c").link_lib_modifier("+whole-archive").compile("edges");
    println!("cargo::rustc-link-arg=-Wl,--wrap=__sanitizer_cov_trace_pc");
}
