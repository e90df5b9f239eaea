//! The configuration, from outside: what a file may say, and what is said about one that is wrong.

mod arbitrary;
mod file;
mod machine;
mod mistakes;
mod reference;
mod reload;
mod render;
mod schema;
mod valid;
