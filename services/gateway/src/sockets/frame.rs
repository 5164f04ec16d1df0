//! Frames of the WebSocket protocol from a server ([RFC 6455](https://www.rfc-editor.org/rfc/rfc6455#section-5.2)).
//!
//! What a server sends is not masked, so a frame is the same for all of its clients: it is made once and shared.

use actix_web::web::Bytes;

/// The most bytes a control frame may carry.
const MAX_CONTROL: usize = 125;

const FINAL: u8 = 0x80;
const TEXT: u8 = 0x1;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// A whole text.
#[must_use]
pub fn text(text: &str) -> Bytes {
    frame(TEXT, text.as_bytes())
}

/// A question whether the client is there.
#[must_use]
pub fn ping() -> Bytes {
    frame(PING, b"")
}

/// The answer to such a question.
#[must_use]
pub fn pong(payload: &[u8]) -> Bytes {
    frame(PONG, payload.get(..MAX_CONTROL).unwrap_or(payload))
}

/// A farewell. The reason is cut to what fits.
#[must_use]
pub fn close(code: u16, reason: &str) -> Bytes {
    let mut end = reason.len().min(MAX_CONTROL - size_of::<u16>());
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut payload = code.to_be_bytes().to_vec();
    payload.extend_from_slice(reason.get(..end).unwrap_or_default().as_bytes());
    frame(CLOSE, &payload)
}

fn frame(opcode: u8, payload: &[u8]) -> Bytes {
    let mut frame = Vec::with_capacity(payload.len() + 10);
    frame.push(FINAL | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short), _) if short < 126 => frame.push(short),
        (_, Ok(medium)) => {
            frame.push(126);
            frame.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend_from_slice(&u64::try_from(payload.len()).unwrap_or(u64::MAX).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_those_of_the_protocol() {
        assert_eq!(&text("Hello")[..], b"\x81\x05Hello", "the example of section 5.7");
        assert_eq!(&ping()[..], b"\x89\x00");
        assert_eq!(&close(1000, "bye")[..], b"\x88\x05\x03\xe8bye");
        assert_eq!(&text(&"x".repeat(126))[..4], b"\x81\x7e\x00\x7e");
        assert_eq!(&text(&"x".repeat(65_536))[..10], b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00");
        let long = close(4000, &"ü".repeat(100));
        assert_eq!((long.len(), long[1]), (2 + 2 + 122, 124), "cut between two characters");
    }
}
