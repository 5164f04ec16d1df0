use std::io::{self, Cursor, Read};

use flate2::read::MultiGzDecoder;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Undoes gzip and zstd, which are known by their first bytes whatever the name says.
///
/// # Errors
/// When the first bytes cannot be read.
pub fn inflated(mut file: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut magic = Vec::with_capacity(4);
    (&mut file).take(4).read_to_end(&mut magic)?;
    let (gzip, zstd) = (magic.starts_with(&GZIP), magic.starts_with(&ZSTD));
    let whole = Cursor::new(magic).chain(file);
    if gzip {
        // One file may hold several gzip members, as `cat a.gz b.gz` makes them.
        Ok(Box::new(MultiGzDecoder::new(io::BufReader::with_capacity(128 * 1024, whole))))
    } else if zstd {
        Ok(Box::new(zstd::Decoder::new(whole)?))
    } else {
        Ok(Box::new(whole))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn compression_is_known_by_content() {
        let text = b"event_type\nlogin\n";
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text).unwrap();
        let gzip = gzip.finish().unwrap();
        let zstd = zstd::encode_all(&text[..], 1).unwrap();
        for (input, times) in
            [(text.to_vec(), 1), (gzip.clone(), 1), ([gzip.clone(), gzip].concat(), 2), (zstd, 1)]
        {
            let mut output = Vec::new();
            inflated(Cursor::new(input)).unwrap().read_to_end(&mut output).unwrap();
            assert_eq!(output, text.repeat(times));
        }
    }

    #[test]
    fn short_and_empty_inputs_are_read_whole() {
        for input in ["", "a", "abc"] {
            let mut output = String::new();
            inflated(Cursor::new(input)).unwrap().read_to_string(&mut output).unwrap();
            assert_eq!(output, input);
        }
    }
}
