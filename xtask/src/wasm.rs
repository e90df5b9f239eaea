//! Shows that the core needs no host.

use anyhow::{Context, Result, bail, ensure};

use crate::process::{cargo, read, run};
use crate::{root, targets};

/// Builds the core for a target without an operating system, links a program around it and reads what that imports.
pub(crate) fn wasm() -> Result<()> {
    depends_on_nothing()?;
    targets::ensure(targets::WASM)?;
    run(&mut cargo(["build", "--release", "--package", "bilayer-core", "--target", targets::WASM]))?;
    // A standard library that was built from source has no bitcode, without which link-time optimisation fails.
    let mut link = cargo(["build", "--release", "--package", "pure", "--target", targets::WASM]);
    run(link.env("CARGO_PROFILE_RELEASE_LTO", "off"))?;
    let module = root().join("target").join(targets::WASM).join("release/pure.wasm");
    let bytes = std::fs::read(&module).with_context(|| format!("cannot read {}", module.display()))?;
    let imports = imports(&bytes)?;
    ensure!(imports.is_empty(), "the core asks its host for: {}", imports.join(", "));
    println!("the linked core ({} bytes of WebAssembly) imports nothing from a host", bytes.len());
    Ok(())
}

/// No dependency but what the compiler brings.
fn depends_on_nothing() -> Result<()> {
    let tree = read(&mut cargo([
        "tree",
        "--package",
        "bilayer-core",
        "--edges",
        "normal,build",
        "--prefix",
        "none",
    ]))?;
    let others: Vec<_> = tree.lines().skip(1).collect();
    ensure!(others.is_empty(), "bilayer-core depends on {}", others.join(", "));
    Ok(())
}

/// The imports of a module, as `module.name`, from its import section (WebAssembly core specification 5.5.5).
fn imports(module: &[u8]) -> Result<Vec<String>> {
    const IMPORT_SECTION: u8 = 2;
    let mut reader = Reader { bytes: module };
    ensure!(reader.take(8)? == b"\0asm\x01\0\0\0", "not a WebAssembly module of version 1");
    while !reader.bytes.is_empty() {
        let id = reader.take(1)?[0];
        let length = reader.number()?;
        let mut section = Reader { bytes: reader.take(length)? };
        if id == IMPORT_SECTION {
            return (0..section.number()?).map(|_| section.import()).collect();
        }
    }
    Ok(Vec::new())
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let Some((taken, rest)) = self.bytes.split_at_checked(length) else {
            bail!("the module ends too early")
        };
        self.bytes = rest;
        Ok(taken)
    }

    /// An unsigned number of at most 32 bits in LEB128.
    fn number(&mut self) -> Result<usize> {
        let mut number = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.take(1)?[0];
            number |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        bail!("a number in the module is too long")
    }

    fn name(&mut self) -> Result<&'a str> {
        let length = self.number()?;
        Ok(std::str::from_utf8(self.take(length)?)?)
    }

    /// One import: two names and a description, whose length depends on its kind.
    fn import(&mut self) -> Result<String> {
        let name = format!("{}.{}", self.name()?, self.name()?);
        match self.take(1)?[0] {
            0 => drop(self.number()?),
            1 => {
                self.take(1)?;
                self.limits()?;
            }
            2 => self.limits()?,
            3 => drop(self.take(2)?),
            kind => bail!("{name}: unknown kind of import {kind}"),
        }
        Ok(name)
    }

    fn limits(&mut self) -> Result<()> {
        let has_maximum = self.take(1)?[0] & 1 == 1;
        self.number()?;
        if has_maximum {
            self.number()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod test {
    use super::imports;

    const HEADER: &[u8] = b"\0asm\x01\0\0\0";

    #[test]
    fn a_module_without_an_import_section_imports_nothing() {
        let module = [HEADER, &[1, 4, 1, 0x60, 0, 0]].concat();
        assert!(imports(&module).unwrap().is_empty());
    }

    #[test]
    fn imports_of_every_kind_are_named() {
        let section = [
            &[4][..],
            b"\x03env\x03now\x00\x00",
            b"\x03env\x03mem\x02\x00\x01",
            b"\x01t\x01t\x01\x70\x01\x01\x02",
            b"\x01g\x01g\x03\x7f\x00",
        ]
        .concat();
        let module = [HEADER, &[2, u8::try_from(section.len()).unwrap()], &section].concat();
        assert_eq!(imports(&module).unwrap(), ["env.now", "env.mem", "t.t", "g.g"]);
    }

    #[test]
    fn a_cut_module_is_an_error() {
        assert!(imports(&[HEADER, &[2, 9, 1, 3]].concat()).is_err());
        assert!(imports(b"ELF").is_err());
    }
}
