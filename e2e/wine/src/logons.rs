//! Logons of accounts, which Wine 8 does not have: its `LogonUserW` succeeds with a handle of nothing.
//!
//! A library of the same name beside the program stands in for Wine's. It has that one function, and passes every other on to
//! Wine's own under another name; which there are, is read from that.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::bed::{Bed, PROGRAMS, read};

/// Wine's own, under the name that the stand-in passes calls on to.
const OWN: &str = r"C:\windows\system32\advapi32_wine.dll";
const WINES: &str = r"C:\windows\system32\advapi32.dll";
/// Who was logged on, a line each: account, password, type and provider.
const LOGONS: &str = r"C:\bilayer-bed\logons.txt";

impl Bed {
    /// From now on programs of the bed's folder can log on accounts.
    pub(crate) fn play_logons(&self) -> Result<()> {
        fs::copy(self.path(WINES), self.path(OWN))?;
        let tables = read(Command::new("x86_64-w64-mingw32-objdump").arg("-p").arg(self.path(WINES)))?;
        let (_, names) = tables.split_once("[Ordinal/Name Pointer] Table").context("a table of names")?;
        let names = names.lines().skip(1).take_while(|line| line.contains('['));
        let names: Vec<&str> = names.filter_map(|line| line.split_whitespace().last()).collect();
        ensure!(names.contains(&"LogonUserW") && names.len() > 500, "advapi32 has {} functions", names.len());
        let passed_on = names.iter().filter(|name| **name != "LogonUserW");
        let mut list: String = passed_on.map(|name| format!("  {name} = advapi32_wine.{name}\n")).collect();
        list.insert_str(0, "LIBRARY advapi32\nEXPORTS\n  LogonUserW = bed_LogonUserW\n");
        let exports = self.prefix().join("advapi32.def");
        fs::write(&exports, list)?;
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("advapi32.c");
        let mut compile = Command::new("x86_64-w64-mingw32-gcc");
        compile.args(["-std=c11", "-O2", "-Wall", "-Werror", "-shared", "-o"]);
        compile.arg(self.path(&format!(r"{PROGRAMS}\advapi32.dll"))).arg(source).arg(exports);
        read(&mut compile)?;
        let key = r"HKCU\Software\Wine\AppDefaults\bilayer.exe\DllOverrides";
        self.run(["reg", "add", key, "/v", "advapi32", "/d", "native,builtin", "/f"])?;
        Ok(())
    }

    /// Every logon so far: account, password, type and provider.
    pub(crate) fn logons(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path(LOGONS)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}
