//! `bilayer completions SHELL`

use clap::CommandFactory;

use crate::args::Arguments;
use crate::failure::Failure;
use crate::screen;

pub(super) fn run(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "bilayer", &mut script);
    screen::print(&String::from_utf8_lossy(&script))
}
