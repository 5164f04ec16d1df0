use std::io::{self, Read};

/// Most bytes that a row may have. No event is near as large; a row that is larger is a sign that
/// its end was missed.
pub(crate) const LARGEST_ROW: usize = 1024 * 1024;

const CHUNK: usize = 128 * 1024;

/// The part of an input that is being looked at, and the line on which it begins.
pub(crate) struct Window {
    source: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    line: u64,
    ended: bool,
}

impl Window {
    pub(crate) fn new(source: Box<dyn Read + Send>) -> Self {
        Self { source, buffer: Vec::new(), start: 0, line: 1, ended: false }
    }

    /// What has been read and not consumed.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    /// The number of the line on which [`bytes`](Self::bytes) begins, from 1.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    /// Whether the input ends where [`bytes`](Self::bytes) end.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// Whether a row may still continue beyond what has been read.
    pub(crate) fn may_grow(&self) -> bool {
        !self.ended && self.bytes().len() < LARGEST_ROW
    }

    /// Reads some more; false at the end of the input.
    pub(crate) fn grow(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        let filled = self.buffer.len();
        self.buffer.resize(filled + CHUNK, 0);
        let read = loop {
            match self.source.read(self.buffer.get_mut(filled..).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        self.buffer.truncate(filled + read.as_ref().map_or(0, |count| *count));
        self.ended = read? == 0;
        Ok(!self.ended)
    }

    /// Leaves the first `count` bytes behind.
    pub(crate) fn consume(&mut self, count: usize) {
        let count = count.min(self.bytes().len());
        self.line += newlines(self.bytes().get(..count).unwrap_or_default());
        self.start += count;
    }

    /// Consumes a byte order mark, if there is one. UTF-16 is refused: every row would be broken.
    pub(crate) fn skip_mark(&mut self) -> io::Result<()> {
        while self.bytes().len() < 3 && self.grow()? {}
        match self.bytes() {
            [0xef, 0xbb, 0xbf, ..] => self.consume(3),
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "it is UTF-16; convert it to UTF-8 first",
                ));
            }
            _ => {}
        }
        Ok(())
    }

    /// Consumes everything up to the first byte for which `stop` holds; false if there is none.
    pub(crate) fn skip_until(&mut self, mut stop: impl FnMut(u8) -> bool) -> io::Result<bool> {
        loop {
            if let Some(found) = self.bytes().iter().position(|byte| stop(*byte)) {
                self.consume(found);
                return Ok(true);
            }
            self.consume(self.bytes().len());
            if !self.grow()? {
                return Ok(false);
            }
        }
    }

    /// The length of the first line without and with its end; `None` when it is longer than a row
    /// may be. The last line of an input may have no end.
    pub(crate) fn first_line(&mut self) -> io::Result<Option<(usize, usize)>> {
        let mut searched = 0;
        loop {
            let unsearched = self.bytes().get(searched..).unwrap_or_default();
            if let Some(found) = unsearched.iter().position(|byte| *byte == b'\n') {
                let end = searched + found;
                let text = self.bytes().get(..end).unwrap_or_default();
                return Ok(Some((text.strip_suffix(b"\r").unwrap_or(text).len(), end + 1)));
            }
            searched = self.bytes().len();
            if self.ended() {
                return Ok(Some((searched, searched)));
            }
            if !self.may_grow() {
                return Ok(None);
            }
            self.grow()?;
        }
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Gives a few bytes at a time, so that everything happens at the edge of what has been read.
    struct Trickle(io::Cursor<Vec<u8>>, usize);

    impl Read for Trickle {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(buffer.len());
            self.0.read(&mut buffer[..count])
        }
    }

    pub(crate) fn trickle(text: &[u8], step: usize) -> Window {
        Window::new(Box::new(Trickle(io::Cursor::new(text.to_vec()), step)))
    }

    #[test]
    fn lines_are_counted_as_they_are_left_behind() {
        let mut window = trickle(b"a\nb\r\n\nlast", 2);
        let mut lines = Vec::new();
        while !window.bytes().is_empty() || window.grow().unwrap() {
            let (text, whole) = window.first_line().unwrap().unwrap();
            lines.push((window.line(), window.bytes()[..text].to_vec()));
            window.consume(whole);
        }
        assert_eq!(lines, [(1, b"a".to_vec()), (2, b"b".to_vec()), (3, Vec::new()), (4, b"last".to_vec())]);
    }

    #[test]
    fn marks_are_skipped_and_utf_16_is_refused() {
        let mut window = trickle(b"\xef\xbb\xbfa", 1);
        window.skip_mark().unwrap();
        assert!(window.grow().unwrap());
        assert_eq!(window.bytes(), b"a");
        assert!(trickle(b"\xff\xfea\0", 1).skip_mark().is_err());
        assert!(trickle(b"", 1).skip_mark().is_ok());
    }

    #[test]
    fn a_line_without_an_end_is_not_read_forever() {
        let mut window = trickle(&vec![b'x'; 3 * LARGEST_ROW], 1 << 20);
        assert_eq!(window.first_line().unwrap(), None);
        assert!(window.bytes().len() < LARGEST_ROW + CHUNK + 1);
    }
}
