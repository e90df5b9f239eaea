//! A log file that is rotated by size and age, with a bound on the total.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bilayer_platform::{empty_file, open_to_append};

/// When the file is rotated and how much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Bytes at which a file is rotated.
    pub max_size: u64,
    /// The oldest files go once all together have more bytes than this; at least `max_size`.
    pub max_total: u64,
    /// A file whose youngest line is older than this goes.
    pub max_age: Duration,
}

impl Rotation {
    /// How many rotated files may stand beside the current one.
    fn kept(&self) -> u64 {
        (self.max_total / self.max_size.max(1)).saturating_sub(1).min(FILES_MAX)
    }
}

/// However small the files are, there are not more of them than this.
const FILES_MAX: u64 = 100;

/// A file is rotated at this age even if it is small, so that old lines can go with whole files.
const ROTATE_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// Appends lines to `PATH`; older lines are in `PATH.1` (the youngest) to `PATH.N`.
///
/// A line that cannot be written (the disk is full, say) is counted, and the count is written as soon as a line can be.
pub(super) struct RollingFile {
    path: PathBuf,
    rotation: Rotation,
    file: Option<File>,
    bytes: u64,
    begun: SystemTime,
    lost: u64,
}

impl RollingFile {
    /// Opens the file, or makes it. Where the disk has no room for it, it is made when there is: that is no reason not to work.
    pub(super) fn open(path: &Path, rotation: Rotation) -> io::Result<Self> {
        let file = match open_to_append(path) {
            Err(error) if is_for_want_of_room(&error) => None,
            file => Some(file?),
        };
        let metadata = file.as_ref().map(File::metadata).transpose()?;
        let begun = metadata.as_ref().and_then(|known| known.created().or_else(|_| known.modified()).ok());
        let begun = begun.unwrap_or_else(SystemTime::now);
        let bytes = metadata.map_or(0, |metadata| metadata.len());
        let opened = Self { path: path.to_owned(), rotation, bytes, begun, file, lost: 0 };
        opened.forget_old();
        Ok(opened)
    }

    /// Appends one line or several. Answers with what went wrong if that is the first time since it last went well.
    pub(super) fn append(&mut self, line: &str) -> Option<io::Error> {
        if self.is_due(line.len() as u64) {
            self.rotate();
        }
        if self.lost > 0 {
            let note = format!(
                "{:.3} WARN  | {} lines were lost: they could not be written\n",
                jiff::Timestamp::now(),
                self.lost
            );
            if self.write(&note).is_ok() {
                self.lost = 0;
            }
        }
        let error = self.write(line).err()?;
        let had_lost = self.lost > 0;
        self.lost += line.lines().count() as u64;
        (!had_lost).then_some(error)
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(open_to_append(&self.path)?);
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        if let Err(error) = file.write_all(text.as_bytes()) {
            // Half a line is none.
            let _ = file.set_len(self.bytes);
            return Err(error);
        }
        self.bytes += text.len() as u64;
        Ok(())
    }

    fn is_due(&self, more: u64) -> bool {
        let old =
            || self.begun.elapsed().is_ok_and(|elapsed| elapsed >= ROTATE_AFTER.min(self.rotation.max_age));
        self.bytes > 0 && (self.bytes + more > self.rotation.max_size || old())
    }

    /// Renames every file to the next number. A rename that fails loses old lines, never new ones.
    fn rotate(&mut self) {
        self.file = None;
        let kept = self.rotation.kept();
        for number in (1..kept).rev() {
            // Most numbers have no file yet.
            let _ = fs::rename(self.numbered(number), self.numbered(number + 1));
        }
        let moved =
            if kept == 0 { fs::remove_file(&self.path) } else { fs::rename(&self.path, self.numbered(1)) };
        if moved.is_err() {
            // It cannot be moved, so it is emptied: the bound on the total holds whatever happens.
            let _ = empty_file(&self.path);
        }
        self.bytes = 0;
        self.begun = SystemTime::now();
        self.forget_old();
    }

    /// Removes rotated files that are too old, or too many after the limits became smaller.
    fn forget_old(&self) {
        let kept = self.rotation.kept();
        for number in 1..=FILES_MAX {
            let path = self.numbered(number);
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            let age = metadata.modified().ok().and_then(|modified| modified.elapsed().ok());
            if number > kept || age.is_some_and(|age| age >= self.rotation.max_age) {
                let _ = fs::remove_file(&path);
            }
        }
    }

    fn numbered(&self, number: u64) -> PathBuf {
        PathBuf::from(format!("{}.{number}", self.path.display()))
    }
}

fn is_for_want_of_room(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("bilayer-log-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn the_total_is_bounded_and_the_youngest_lines_are_kept_in_order() {
        let folder = Folder::new("bound");
        let path = folder.0.join("a.log");
        let rotation = Rotation { max_size: 100, max_total: 300, max_age: DAY };
        let mut file = RollingFile::open(&path, rotation).unwrap();
        for number in 0..100 {
            file.append(&format!("line {number:04}\n"));
        }
        let mut names: Vec<_> =
            fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["a.log", "a.log.1", "a.log.2"]);
        let all: String = ["a.log.2", "a.log.1", "a.log"]
            .iter()
            .map(|name| fs::read_to_string(folder.0.join(name)).unwrap())
            .collect();
        assert!(all.len() <= 300, "{} bytes", all.len());
        let expected: String =
            (100 - all.lines().count()..100).map(|number| format!("line {number:04}\n")).collect();
        assert_eq!(all, expected);
    }

    #[test]
    fn opening_again_appends() {
        let folder = Folder::new("again");
        let path = folder.0.join("a.log");
        for text in ["one\n", "two\n"] {
            RollingFile::open(&path, Rotation { max_size: 1 << 20, max_total: 1 << 20, max_age: DAY })
                .unwrap()
                .append(text);
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
    }

    #[test]
    fn an_old_file_is_rotated_and_goes() {
        let folder = Folder::new("age");
        let path = folder.0.join("a.log");
        let rotation = Rotation { max_size: 1 << 20, max_total: 4 << 20, max_age: Duration::ZERO };
        let mut file = RollingFile::open(&path, rotation).unwrap();
        file.append("one\n");
        file.append("two\n");
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
        assert!(!folder.0.join("a.log.1").exists());
    }

    #[test]
    fn what_cannot_be_written_is_said_once_and_counted() {
        let folder = Folder::new("lost");
        let path = folder.0.join("a.log");
        let rotation = Rotation { max_size: 1 << 20, max_total: 1 << 20, max_age: DAY };
        let mut file = RollingFile::open(&path, rotation).unwrap();
        (file.file, file.path) = (None, folder.0.join("missing/a.log"));
        assert_eq!(file.append("one\ntwo\n").unwrap().kind(), ErrorKind::NotFound);
        assert!(file.append("three\n").is_none(), "once");
        file.path.clone_from(&path);
        assert!(file.append("four\n").is_none());
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("| 3 lines were lost") && text.ends_with("\nfour\n"), "{text}");
    }

    #[test]
    fn smaller_limits_remove_what_is_too_much() {
        let folder = Folder::new("smaller");
        let path = folder.0.join("a.log");
        for number in 1..=5 {
            fs::write(folder.0.join(format!("a.log.{number}")), "old").unwrap();
        }
        RollingFile::open(&path, Rotation { max_size: 100, max_total: 300, max_age: DAY }).unwrap();
        let left = (1..=5).filter(|number| folder.0.join(format!("a.log.{number}")).exists()).count();
        assert_eq!(left, 2);
    }
}
