//! The manual page of the configuration, made from its document.

use std::fs;

use anyhow::{Context, Result};

use super::markdown;
use crate::root;

/// The document, which tests keep in step with the program.
const DOCUMENT: &str = "docs/configuration.md";

/// bilayer.toml(5). `source` is what the page belongs to, with its version.
pub(super) fn configuration(date: &str, source: &str) -> Result<String> {
    let file = root().join(DOCUMENT);
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(format!(
        ".TH bilayer.toml 5 {date} \"{source}\" Bilayer\n\
         .SH NAME\nbilayer.toml \\- configuration of Bilayer, a supervisor of programs in users\\(aq sessions\n\
         .SH DESCRIPTION\n{}.SH SEE ALSO\n\\fBbilayer\\fR(1), \\fBbilayer\\-config\\fR(1)\n",
        markdown::to_roff(&text)
    ))
}
