use std::borrow::Cow;
use std::ops::Range;
use std::str::Utf8Error;

/// What is at the beginning of some CSV (RFC 4180, with LF or CRLF).
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Scan {
    /// A record of `text` bytes, `whole` with its line end.
    Record { text: usize, whole: usize },
    /// A record that goes on after the bytes that there are.
    Unfinished,
    /// No record, and why.
    Broken(&'static str),
}

/// Where a cell's content lies, and whether it contains doubled quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    content: Range<usize>,
    doubled: bool,
}

impl Cell {
    /// The content of the cell of this record.
    pub(crate) fn read<'a>(&self, record: &'a [u8]) -> Result<Cow<'a, str>, Utf8Error> {
        let text = str::from_utf8(record.get(self.content.clone()).unwrap_or_default())?;
        Ok(if self.doubled { Cow::Owned(text.replace("\"\"", "\"")) } else { Cow::Borrowed(text) })
    }
}

/// Finds the record at the beginning of `bytes` and its cells; `ended` when nothing follows them.
///
/// It is strict about quotes: a closing one must be followed by a comma or a line end. A quote that
/// was opened by mistake is thus discovered at the next quote of the file, not at its end, and the
/// lines between them are not lost. (The csv crate reads leniently and would swallow them; nor does
/// it tell a record's bytes and the line it begins on.)
pub(crate) fn scan(bytes: &[u8], ended: bool, cells: &mut Vec<Cell>) -> Scan {
    cells.clear();
    let mut at = 0;
    loop {
        let scanned =
            if bytes.get(at) == Some(&b'"') { quoted(bytes, at, ended) } else { plain(bytes, at, ended) };
        match scanned {
            Ok((cell, end)) => {
                cells.push(cell);
                match bytes.get(end) {
                    Some(b',') => at = end + 1,
                    Some(b'\r') => return Scan::Record { text: end, whole: end + 2 },
                    Some(_) => return Scan::Record { text: end, whole: end + 1 },
                    None => return Scan::Record { text: end, whole: end },
                }
            }
            Err(other) => return other,
        }
    }
}

/// The cell at `at`, and where the comma, the line end or the end of input after it is.
fn quoted(bytes: &[u8], at: usize, ended: bool) -> Result<(Cell, usize), Scan> {
    let (begin, mut doubled) = (at + 1, false);
    let mut search = begin;
    let close = loop {
        let rest = bytes.get(search..).unwrap_or_default();
        let Some(found) = rest.iter().position(|byte| *byte == b'"') else {
            return Err(if ended { Scan::Broken("a quoted cell is not closed") } else { Scan::Unfinished });
        };
        if rest.get(found + 1) != Some(&b'"') {
            break search + found;
        }
        doubled = true;
        search += found + 2;
    };
    let cell = Cell { content: begin..close, doubled };
    match (bytes.get(close + 1), bytes.get(close + 2)) {
        (Some(b',' | b'\n'), _) | (Some(b'\r'), Some(b'\n')) => Ok((cell, close + 1)),
        (None, _) | (Some(b'\r'), None) if !ended => Err(Scan::Unfinished),
        (None, _) => Ok((cell, close + 1)),
        _ => Err(Scan::Broken("a closing quote is followed by more text")),
    }
}

fn plain(bytes: &[u8], at: usize, ended: bool) -> Result<(Cell, usize), Scan> {
    let rest = bytes.get(at..).unwrap_or_default();
    let end = match rest.iter().position(|byte| matches!(byte, b',' | b'\n')) {
        Some(found)
            if rest.get(found) == Some(&b'\n') && found > 0 && rest.get(found - 1) == Some(&b'\r') =>
        {
            at + found - 1
        }
        Some(found) => at + found,
        None if ended => bytes.len(),
        None => return Err(Scan::Unfinished),
    };
    Ok((Cell { content: at..end, doubled: false }, end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cells(text: &str) -> Vec<String> {
        let mut cells = Vec::new();
        let Scan::Record { .. } = scan(text.as_bytes(), true, &mut cells) else {
            panic!("no record: {text}")
        };
        cells.iter().map(|cell| cell.read(text.as_bytes()).unwrap().into_owned()).collect()
    }

    #[test]
    fn cells_are_plain_or_quoted() {
        assert_eq!(cells("a,b,\n"), ["a", "b", ""]);
        assert_eq!(cells("a,\"b, \"\"c\"\"\nd\",e\r\nnext"), ["a", "b, \"c\"\nd", "e"]);
        assert_eq!(cells("\"\",\"\"\"\""), ["", "\""]);
        assert_eq!(cells("5\" disk,x"), ["5\" disk", "x"]);
    }

    #[test]
    fn a_record_ends_with_its_line() {
        let mut cells = Vec::new();
        assert_eq!(scan(b"a,b\r\nc", false, &mut cells), Scan::Record { text: 3, whole: 5 });
        assert_eq!(scan(b"a,\"b\"\nc", false, &mut cells), Scan::Record { text: 5, whole: 6 });
        assert_eq!(scan(b"a,b", true, &mut cells), Scan::Record { text: 3, whole: 3 });
        assert_eq!(scan(b"a,\"b\"", true, &mut cells), Scan::Record { text: 5, whole: 5 });
    }

    #[test]
    fn a_quote_out_of_place_is_noticed_where_it_is() {
        let mut cells = Vec::new();
        assert!(matches!(scan(b"a,\"b\n1,\"{", false, &mut cells), Scan::Broken(_)));
        assert!(matches!(scan(b"a,\"b\n1,2\n", true, &mut cells), Scan::Broken(_)));
        assert_eq!(scan(b"a,\"b\n1,2\n", false, &mut cells), Scan::Unfinished);
    }

    proptest! {
        /// What the csv crate writes is read back, and no prefix of it is mistaken for a record.
        #[test]
        fn any_cells_survive(wanted in prop::collection::vec("[a-z ,\"\n\r]{0,8}", 1..6), crlf: bool) {
            let terminator = if crlf { csv::Terminator::CRLF } else { csv::Terminator::Any(b'\n') };
            let mut writer = csv::WriterBuilder::new().terminator(terminator).from_writer(Vec::new());
            writer.write_record(&wanted).unwrap();
            let text = writer.into_inner().unwrap();
            let mut cells = Vec::new();
            let scanned = scan(&text, false, &mut cells);
            prop_assert_eq!(scanned, Scan::Record { text: text.len() - 1 - usize::from(crlf), whole: text.len() });
            let read: Vec<_> = cells.iter().map(|cell| cell.read(&text).unwrap().into_owned()).collect();
            prop_assert_eq!(read, wanted);
            for end in 0..text.len() {
                prop_assert_eq!(scan(&text[..end], false, &mut cells), Scan::Unfinished);
            }
        }

        #[test]
        fn nothing_makes_it_panic(bytes in prop::collection::vec(prop::sample::select(b"a,\"\r\n".to_vec()), 0..40), ended: bool) {
            let mut cells = Vec::new();
            if let Scan::Record { text, whole } = scan(&bytes, ended, &mut cells) {
                prop_assert!(text <= whole && whole <= bytes.len());
            }
        }
    }
}
