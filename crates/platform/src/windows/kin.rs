//! Who descends from a process: for hosts that refuse jobs, and for agents whose programs are not in theirs.
//!
//! Windows tells of each process the id of the one that started it, also when that is long gone and its id is another's. A
//! child is younger than its parent, so a parent that is younger is not the parent. What a process started that is gone itself
//! cannot be told any more, unless that was the root, whose id is held.

use std::collections::HashMap;
use std::io;
use std::os::windows::io::AsRawHandle as _;

use windows_sys::Win32::Foundation::ERROR_NO_MORE_FILES;
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};

use super::handle::{owned, succeeded};
use super::root::Root;
use super::stream::is;

/// The living descendants of a process, each held open. Those that may not be opened are not told.
pub(super) fn descendants(root: &Root) -> io::Result<Vec<Root>> {
    let parents = parents()?;
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for (pid, parent) in &parents {
        children.entry(*parent).or_default().push(*pid);
    }
    let mut found = Vec::new();
    let mut ahead = vec![(root.pid(), root.created()?)];
    while let Some((parent, created)) = ahead.pop() {
        // Taken out, so that ids that were used again cannot make a ring.
        for pid in children.remove(&parent).unwrap_or_default() {
            let Ok(Some(child)) = Root::open(pid) else { continue };
            if let Ok(at) = child.created()
                && at >= created
                && pid != root.pid()
                && !child.has_ended()
            {
                ahead.push((pid, at));
                found.push(child);
            }
        }
    }
    Ok(found)
}

/// Every process and the one that started it.
fn parents() -> io::Result<Vec<(u32, u32)>> {
    // SAFETY: takes plain values only.
    let snapshot = owned(unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0) })?;
    let mut entry = PROCESSENTRY32W { dwSize: size_of::<PROCESSENTRY32W>() as u32, ..Default::default() };
    let mut found = Vec::new();
    // SAFETY: the snapshot is alive; the entry says its own size and is ours to be written.
    let mut next = succeeded(unsafe { Process32FirstW(snapshot.as_raw_handle(), &mut entry) });
    while next.is_ok() {
        found.push((entry.th32ProcessID, entry.th32ParentProcessID));
        // SAFETY: as above.
        next = succeeded(unsafe { Process32NextW(snapshot.as_raw_handle(), &mut entry) });
    }
    match next {
        Err(error) if !is(&error, ERROR_NO_MORE_FILES) => Err(error),
        _ => Ok(found),
    }
}
