//! `bilayer restart`

use std::path::Path;

use super::{start, stop};
use crate::failure::Failure;
use crate::installation::find;

pub(super) async fn run(config: Option<&Path>) -> Result<(), Failure> {
    let service = find(config)?;
    stop::stop(&service).await?;
    start::start(&service).await
}
