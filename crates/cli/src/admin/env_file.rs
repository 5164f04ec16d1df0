use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Only the owner reads it: it holds secrets.
const MODE: u32 = 0o600;

/// A file of `KEY=value` lines, some of which are ours.
#[derive(Debug)]
pub(super) struct EnvFile {
    path: PathBuf,
    lines: Vec<String>,
    changed: bool,
}

impl EnvFile {
    /// Reads the file. One that does not exist is empty.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            text => text.with_context(|| format!("cannot read {}", path.display()))?,
        };
        Ok(Self { path: path.to_owned(), lines: text.lines().map(str::to_owned).collect(), changed: false })
    }

    /// A value, as a shell that sources the file sees it: the last line counts. Ours need no quotes;
    /// a person may have put some.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let value = self.lines.iter().rev().find_map(|line| value_of(line, key))?;
        Some(value.trim().trim_matches(['"', '\''])).filter(|value| !value.is_empty())
    }

    /// Sets a value, where it was or else at the end. Other lines stay as they are.
    pub(super) fn set(&mut self, key: &str, value: &str) {
        if self.get(key) == Some(value) {
            return;
        }
        self.changed = true;
        let line = format!("{key}={value}");
        match self.lines.iter().rposition(|line| value_of(line, key).is_some()) {
            Some(at) => self.lines.splice(at..=at, [line]).for_each(drop),
            None => self.lines.push(line),
        }
    }

    /// Writes the file if something was set: all of it or nothing, readable for its owner alone.
    pub(super) fn save(&self) -> anyhow::Result<()> {
        let done = if self.changed { self.replace() } else { self.protect() };
        done.with_context(|| format!("cannot write {}", self.path.display()))
    }

    fn replace(&self) -> io::Result<()> {
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".{}", std::process::id()));
        let new = PathBuf::from(name);
        let written = self.write(&new).and_then(|()| fs::rename(&new, &self.path));
        if written.is_err() {
            // Nothing more can be done about a leftover; the error that matters is the first.
            let _ = fs::remove_file(&new);
        }
        written
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = File::options().write(true).create_new(true).mode(MODE).open(path)?;
        for line in &self.lines {
            writeln!(file, "{line}")?;
        }
        file.sync_all()
    }

    fn protect(&self) -> io::Result<()> {
        if self.path.exists() {
            fs::set_permissions(&self.path, Permissions::from_mode(MODE))
        } else {
            Ok(())
        }
    }
}

fn value_of<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.strip_prefix(key)?.strip_prefix('=')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("env");
        fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn other_lines_stay_as_they_are() {
        let (_folder, path) = file("# mine\nMILLRACE_URL=http://a\\ b\nKEY=old\n\nLAST='x y'");
        let mut env = EnvFile::read(&path).unwrap();
        env.set("KEY", "new");
        env.set("MORE", "1");
        env.save().unwrap();
        let written = fs::read_to_string(&path).unwrap();
        assert_eq!(written, "# mine\nMILLRACE_URL=http://a\\ b\nKEY=new\n\nLAST='x y'\nMORE=1\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn the_last_value_counts_as_in_a_shell() {
        let (_folder, path) = file("KEY=a\nKEYS=b\nKEY=\"c\"\nEMPTY=\n");
        let mut env = EnvFile::read(&path).unwrap();
        assert_eq!(env.get("KEY"), Some("c"));
        assert_eq!((env.get("EMPTY"), env.get("MISSING")), (None, None));
        env.set("KEY", "d");
        env.save().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "KEY=a\nKEYS=b\nKEY=d\nEMPTY=\n");
    }

    #[test]
    fn nothing_set_is_nothing_written_and_still_protected() {
        let (_folder, path) = file("KEY=a");
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let mut env = EnvFile::read(&path).unwrap();
        env.set("KEY", "a");
        env.save().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "KEY=a");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
    }

    #[test]
    fn a_file_that_is_not_there_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("env");
        let mut env = EnvFile::read(&path).unwrap();
        env.save().unwrap();
        assert!(!path.exists());
        env.set("KEY", "a");
        env.save().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "KEY=a\n");
    }
}
