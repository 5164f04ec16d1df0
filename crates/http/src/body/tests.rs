use std::io::Write;

use super::*;

const LIMIT: usize = 1 << 20;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bare_deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    brotli::BrotliCompress(&mut &bytes[..], &mut wire, &brotli::enc::BrotliEncoderParams::default()).unwrap();
    wire
}

fn all(bytes: &[u8]) -> Vec<(Encoding, Vec<u8>)> {
    vec![
        (Encoding::Gzip, gzip(bytes)),
        (Encoding::Deflate, zlib(bytes)),
        (Encoding::Deflate, bare_deflate(bytes)),
        (Encoding::Brotli, brotli(bytes)),
        (Encoding::Zstd, zstd::encode_all(bytes, 19).unwrap()),
    ]
}

#[test]
fn each_encoding_gives_back_what_went_in() {
    let text = b"{\"event_type\":\"a\"}".repeat(1000);
    for (encoding, wire) in all(&text) {
        assert_eq!(inflate(encoding, &wire, LIMIT).unwrap(), text, "{encoding:?}");
    }
}

#[test]
fn exactly_the_limit_passes_and_one_byte_more_does_not() {
    for (encoding, wire) in all(&vec![b' '; LIMIT]) {
        assert_eq!(inflate(encoding, &wire, LIMIT).unwrap().len(), LIMIT, "{encoding:?}");
        assert!(matches!(inflate(encoding, &wire, LIMIT - 1), Err(BodyError::TooLarge(_))), "{encoding:?}");
    }
}

#[test]
fn garbage_is_called_corrupt() {
    for encoding in [Encoding::Gzip, Encoding::Deflate, Encoding::Brotli, Encoding::Zstd] {
        assert!(matches!(
            inflate(encoding, b"\x01\x02not encoded at all", LIMIT),
            Err(BodyError::Corrupt(_))
        ));
    }
}

#[test]
fn a_body_cut_short_is_called_corrupt() {
    let text: Vec<u8> = (0..2_000u32).flat_map(u32::to_le_bytes).collect();
    for (encoding, wire) in all(&text) {
        let cut = &wire[..wire.len() / 2];
        assert!(matches!(inflate(encoding, cut, LIMIT), Err(BodyError::Corrupt(_))), "{encoding:?}");
    }
}
