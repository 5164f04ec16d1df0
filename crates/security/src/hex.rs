//! Bytes as hexadecimal digits: hashes between services, the master key in the environment, signatures.

use std::fmt::Write;

/// Writes two digits a byte.
pub(crate) fn encode(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads exactly 64 hexadecimal digits.
pub(crate) fn decode_32(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    // Looked at first, because `from_str_radix` also takes a sign.
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_in_either_case() {
        let bytes: [u8; 32] = std::array::from_fn(|i| u8::try_from(i * 8).unwrap());
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(decode_32(&digits), Some(bytes));
        assert_eq!(decode_32(&digits.to_uppercase()), Some(bytes));
    }

    #[test]
    fn only_64_digits_are_32_bytes() {
        for text in
            [String::new(), "0".repeat(63), "0".repeat(65), "+f".repeat(32), "zz".repeat(32), "ü".repeat(32)]
        {
            assert_eq!(decode_32(&text), None, "{text}");
        }
    }
}
