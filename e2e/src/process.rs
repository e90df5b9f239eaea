//! What the kernel says about a process inside the container, read from outside.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::bed::Bed;

/// A process, by its pid inside the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    /// Inside the container.
    pub(crate) pid: u32,
    folder: PathBuf,
}

impl Bed {
    /// Every process whose program is `program`, by its file name.
    pub(crate) fn processes(&self, program: &str) -> Result<Vec<Process>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.path("/proc"))?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let process = Process { pid, folder: entry.path() };
            if process.program().is_some_and(|name| name == program) && !process.is_dead() {
                found.push(process);
            }
        }
        found.sort_by_key(|process| process.pid);
        Ok(found)
    }

    /// The main process of a service whose program is `program`, where there is one: systemd's own child.
    pub(crate) fn main_process(&self, program: &str) -> Result<Option<Process>> {
        let mut processes = self.processes(program)?.into_iter();
        Ok(processes.find(|process| process.status("PPid").as_deref() == Some("1")))
    }

    /// A process by its pid.
    pub(crate) fn process(&self, pid: u32) -> Process {
        Process { pid, folder: self.path(&format!("/proc/{pid}")) }
    }
}

impl Process {
    /// Whether it is gone or a zombie.
    pub(crate) fn is_dead(&self) -> bool {
        self.status("State").is_none_or(|state| state.starts_with(['Z', 'X']))
    }

    /// Real, effective, saved and file-system user id.
    pub(crate) fn uids(&self) -> Result<Vec<u32>> {
        self.numbers("Uid")
    }

    /// Real, effective, saved and file-system group id.
    pub(crate) fn gids(&self) -> Result<Vec<u32>> {
        self.numbers("Gid")
    }

    /// Supplementary groups.
    pub(crate) fn groups(&self) -> Result<Vec<u32>> {
        self.numbers("Groups")
    }

    /// A line of `/proc/PID/status` (proc(5)).
    pub(crate) fn status(&self, key: &str) -> Option<String> {
        let text = fs::read_to_string(self.folder.join("status")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.map(|value| value.trim().to_owned())
    }

    /// The path of its cgroup of version 2 inside the container.
    pub(crate) fn cgroup(&self) -> Result<String> {
        let text = fs::read_to_string(self.folder.join("cgroup"))?;
        let path =
            text.lines().find_map(|line| line.strip_prefix("0::")).context("no cgroup of version 2")?;
        // Read from outside, the path begins at the host's cgroup of the container.
        Ok(path.find("/user.slice").map_or(path, |at| &path[at..]).to_owned())
    }

    /// Its environment at birth.
    pub(crate) fn environment(&self) -> Result<BTreeMap<String, String>> {
        let bytes = fs::read(self.folder.join("environ"))?;
        let text = String::from_utf8_lossy(&bytes);
        let entry =
            |entry: &str| entry.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
        Ok(text.split('\0').filter_map(entry).collect())
    }

    /// Voluntary context switches of all its threads so far.
    pub(crate) fn switches(&self) -> Result<u64> {
        let mut sum = 0;
        for task in fs::read_dir(self.folder.join("task"))?.flatten() {
            let status = fs::read_to_string(task.path().join("status"))?;
            let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            sum += line.context("a thread counts its switches")?.trim().parse::<u64>()?;
        }
        Ok(sum)
    }

    /// The processes that it has started, or has become the parent of: proc(5), `/proc/PID/task/TID/children`.
    pub(crate) fn children(&self) -> Result<Vec<u32>> {
        let mut children = Vec::new();
        for task in fs::read_dir(self.folder.join("task"))?.flatten() {
            let text = fs::read_to_string(task.path().join("children"))?;
            children.extend(text.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
        Ok(children)
    }

    /// What is mapped into it, as length in bytes and what it is mapped from: proc(5), `/proc/PID/maps`.
    pub(crate) fn mappings(&self) -> Result<Vec<(u64, String)>> {
        let maps = fs::read_to_string(self.folder.join("maps"))?;
        let mapping = |line: &str| {
            let (start, end) = line.split_once(' ')?.0.split_once('-')?;
            let (start, end) = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
            Some((end - start, line.split_whitespace().nth(5).unwrap_or_default().to_owned()))
        };
        maps.lines().map(|line| mapping(line).with_context(|| format!("a mapping {line}"))).collect()
    }

    /// The names of its threads, in their order.
    pub(crate) fn threads(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for task in fs::read_dir(self.folder.join("task"))?.flatten() {
            names.push(fs::read_to_string(task.path().join("comm"))?.trim().to_owned());
        }
        Ok(names)
    }

    /// Its open file descriptors: number and what it leads to.
    pub(crate) fn descriptors(&self) -> Result<BTreeMap<u32, String>> {
        let mut open = BTreeMap::new();
        for entry in fs::read_dir(self.folder.join("fd"))?.flatten() {
            let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            open.insert(number, fs::read_link(entry.path())?.to_string_lossy().into_owned());
        }
        Ok(open)
    }

    /// Its command line, with blanks in between.
    pub(crate) fn arguments(&self) -> Option<String> {
        let bytes = fs::read(self.folder.join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&bytes).replace('\0', " "))
    }

    fn program(&self) -> Option<String> {
        let bytes = fs::read(self.folder.join("cmdline")).ok()?;
        let first = bytes.split(|&byte| byte == 0).next()?;
        let path = String::from_utf8_lossy(first).into_owned();
        Some(path.rsplit('/').next()?.to_owned())
    }

    fn numbers(&self, key: &str) -> Result<Vec<u32>> {
        let line = self.status(key).with_context(|| format!("process {} has no {key}", self.pid))?;
        line.split_whitespace().map(|number| Ok(number.parse()?)).collect()
    }
}
