//! Theory of operation follows with the code.
fn main() {}
