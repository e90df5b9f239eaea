//! Reading a log that is written and rotated while it is read: `PATH`, and older lines in `PATH.1`, `PATH.2`, …

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use same_file::Handle;

/// A line longer than this is read in pieces: whoever writes the log keeps lines short, but this end does not rely on it.
const LINE_MAX: u64 = 64 << 10;

/// The last `n` lines that `wanted` lets pass, oldest first, rotated files included, and the place to go on from.
pub(crate) fn last_lines(
    path: &Path,
    n: usize,
    wanted: impl Fn(&str) -> bool,
) -> io::Result<(Vec<String>, Follower)> {
    let (mut follower, mut last) = (Follower::open(path)?, VecDeque::new());
    let keep = |lines: &mut VecDeque<String>, line: String| {
        if wanted(&line) {
            lines.push_back(line);
        }
        if lines.len() > n {
            lines.pop_front();
        }
    };
    follower.lines(|line| keep(&mut last, line))?;
    for number in 1.. {
        if last.len() >= n {
            break;
        }
        let Ok(older) = File::open(numbered(path, number)) else { break };
        let mut lines = VecDeque::new();
        each_line(&mut BufReader::new(older), &mut String::new(), |line| keep(&mut lines, line))?;
        let room = n - last.len();
        lines.drain(..lines.len().saturating_sub(room));
        lines.append(&mut last);
        last = lines;
    }
    Ok((last.into(), follower))
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// A place in a log that stays right while the file is rotated under it.
pub(crate) struct Follower {
    path: PathBuf,
    /// Which file `reader` reads, whatever it is called by now.
    file: Handle,
    reader: BufReader<File>,
    /// A line whose end has not been written yet.
    partial: String,
}

impl Follower {
    /// Begins at the start of the file.
    fn open(path: &Path) -> io::Result<Self> {
        let file = Handle::from_path(path)?;
        let reader = BufReader::new(file.as_file().try_clone()?);
        Ok(Self { path: path.to_owned(), file, reader, partial: String::new() })
    }

    /// Hands over every complete line that was written since the last call, also those in a file that came after this one.
    pub(crate) fn lines(&mut self, mut line: impl FnMut(String)) -> io::Result<()> {
        loop {
            // Look first, read after: what was written before the rotation is then still read from the old file.
            let newer = self.newer()?;
            each_line(&mut self.reader, &mut self.partial, &mut line)?;
            let Some(file) = newer else { return self.rewind_if_emptied() };
            self.reader = BufReader::new(file.as_file().try_clone()?);
            self.file = file;
        }
    }

    /// The file that has taken this one's place, if one has.
    fn newer(&self) -> io::Result<Option<Handle>> {
        let file = match Handle::from_path(&self.path) {
            Ok(file) => file,
            // Between the rename and the first line of the new file there is none.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok((file != self.file).then_some(file))
    }

    /// A rotation that cannot rename empties the file instead.
    fn rewind_if_emptied(&mut self) -> io::Result<()> {
        let position = self.reader.stream_position()?;
        if self.reader.get_ref().metadata()?.len() < position {
            self.reader.seek(SeekFrom::Start(0))?;
            self.partial.clear();
        }
        Ok(())
    }
}

/// Every complete line up to the end of what is written; the rest stays in `partial`.
fn each_line(
    reader: &mut impl BufRead,
    partial: &mut String,
    mut line: impl FnMut(String),
) -> io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        bytes.clear();
        if reader.by_ref().take(LINE_MAX).read_until(b'\n', &mut bytes)? == 0 {
            return Ok(());
        }
        partial.push_str(&String::from_utf8_lossy(&bytes));
        if partial.ends_with('\n') || partial.len() as u64 >= LINE_MAX {
            line(std::mem::take(partial).trim_end_matches(['\n', '\r']).to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("bilayer-follow-{name}-{}", std::process::id()));
            fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        fn write(&self, name: &str, text: &str) {
            let mut file = File::options().append(true).create(true).open(self.0.join(name)).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn collect(follower: &mut Follower) -> Vec<String> {
        let mut lines = Vec::new();
        follower.lines(|line| lines.push(line)).unwrap();
        lines
    }

    #[test]
    fn the_last_lines_reach_back_into_rotated_files() {
        let folder = Folder::new("last");
        folder.write("a.log.2", "1\n2\n");
        folder.write("a.log.1", "3\n4\n");
        folder.write("a.log", "5\n6\n");
        let last = |n| last_lines(&folder.0.join("a.log"), n, |_| true).unwrap().0;
        assert_eq!(last(1), ["6"]);
        assert_eq!(last(3), ["4", "5", "6"]);
        assert_eq!(last(100), ["1", "2", "3", "4", "5", "6"]);
        assert!(last(0).is_empty());
        let even =
            last_lines(&folder.0.join("a.log"), 2, |line| line.parse::<u32>().unwrap() % 2 == 0).unwrap().0;
        assert_eq!(even, ["4", "6"]);
    }

    #[test]
    fn following_loses_no_line_at_a_rotation() {
        let folder = Folder::new("rotate");
        folder.write("a.log", "1\n2");
        let path = folder.0.join("a.log");
        let (lines, mut follower) = last_lines(&path, 10, |_| true).unwrap();
        assert_eq!(lines, ["1"]);
        folder.write("a.log", " two\n3\n");
        fs::rename(&path, folder.0.join("a.log.1")).unwrap();
        assert_eq!(collect(&mut follower), ["2 two", "3"]);
        folder.write("a.log.1", "late\n");
        folder.write("a.log", "4\n");
        assert_eq!(collect(&mut follower), ["late", "4"]);
        assert!(collect(&mut follower).is_empty());
    }

    #[test]
    fn a_file_that_was_emptied_is_read_from_its_start() {
        let folder = Folder::new("emptied");
        folder.write("a.log", "1\n2\n");
        let path = folder.0.join("a.log");
        let (_, mut follower) = last_lines(&path, 10, |_| true).unwrap();
        File::create(&path).unwrap();
        assert!(collect(&mut follower).is_empty());
        folder.write("a.log", "3\n");
        assert_eq!(collect(&mut follower), ["3"]);
    }
}
