//! `bilayer schema`

use crate::failure::Failure;
use crate::screen;

pub(super) fn run() -> Result<(), Failure> {
    screen::print_json(&bilayer_ipc::schema::openrpc())
}
