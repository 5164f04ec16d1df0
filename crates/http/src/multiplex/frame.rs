//! What goes over a shared connection: frames, each with the number of its request. Before those of the service
//! comes its [greeting](super::greeting).
//!
//! ```text
//! frame    length: u32, of what follows; number: u32; request or answer
//! request  method: u8 length, bytes; target: u32 length, bytes; fields; body: the rest
//! answer   status: u16; fields; body: the rest
//! fields   how many: u16; each: u16 length, name, u32 length, value
//! ```
//!
//! Numbers are big-endian. Those of requests are the client's choice, from 1, and an answer has that of its request. What
//! concerns a connection and not the message ([RFC 9110, 7.6.1](https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1)) has
//! no place among the fields. A frame from the service with the number 0 and nothing else says that it answers what it has
//! been sent and takes no more ([`LEAVING`]).

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Bytes of a frame at most, without its length.
pub const MAX_FRAME: usize = 64 * 1024 * 1024;
/// The number of the frame with which a service takes its leave.
pub const LEAVING: u32 = 0;

/// What arrived is not a frame, or a part of a message is missing or too long to be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a frame")]
pub struct NotAFrame;

/// A field of a head: its name, in lower case, and its value.
pub type Field = (Bytes, Bytes);

/// A request as it arrives.
#[derive(Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, ….
    pub method: Bytes,
    /// Path and query.
    pub target: Bytes,
    /// In the order they were sent.
    pub fields: Vec<Field>,
    /// All of it.
    pub body: Bytes,
}

/// An answer as it arrives.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// In the order they were sent.
    pub fields: Vec<Field>,
    /// All of it.
    pub body: Bytes,
}

/// Takes the next frame off what has been read: its number, and the message in it. `None` until it is all there.
///
/// # Errors
/// When its length is none that a frame has.
pub fn next(read: &mut BytesMut) -> Result<Option<(u32, Bytes)>, NotAFrame> {
    let Some(length) = read.first_chunk::<4>() else { return Ok(None) };
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_too_long| NotAFrame)?;
    if !(4..=MAX_FRAME).contains(&length) {
        return Err(NotAFrame);
    }
    if read.len() < 4 + length {
        return Ok(None);
    }
    read.advance(4);
    let mut frame = read.split_to(length).freeze();
    let number = frame.get_u32();
    Ok(Some((number, frame)))
}

/// Adds a request.
///
/// # Errors
/// When a part of it is too long to be one; then nothing is added.
pub fn put_request<'a>(
    to: &mut BytesMut,
    number: u32,
    (method, target): (&str, &str),
    fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    body: &[u8],
) -> Result<(), NotAFrame> {
    put(to, number, body, |to| {
        to.put_u8(method.len().try_into().map_err(|_too_long| NotAFrame)?);
        to.put_slice(method.as_bytes());
        to.put_u32(target.len().try_into().map_err(|_too_long| NotAFrame)?);
        to.put_slice(target.as_bytes());
        put_fields(to, fields)
    })
}

/// Adds an answer.
///
/// # Errors
/// When a part of it is too long to be one; then nothing is added.
pub fn put_answer<'a>(
    to: &mut BytesMut,
    number: u32,
    status: u16,
    fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    body: &[u8],
) -> Result<(), NotAFrame> {
    put(to, number, body, |to| {
        to.put_u16(status);
        put_fields(to, fields)
    })
}

/// Adds the word of a service that it takes no more requests.
pub fn put_leave(to: &mut BytesMut) {
    to.put_u32(4);
    to.put_u32(LEAVING);
}

fn put(
    to: &mut BytesMut,
    number: u32,
    body: &[u8],
    head: impl FnOnce(&mut BytesMut) -> Result<(), NotAFrame>,
) -> Result<(), NotAFrame> {
    let start = to.len();
    to.put_u32(0);
    to.put_u32(number);
    let put = head(to).and_then(|()| {
        let length = (to.len() - start - 4).saturating_add(body.len());
        let length = u32::try_from(length).ok().filter(|_| length <= MAX_FRAME).ok_or(NotAFrame)?;
        write_at(to, start, &length.to_be_bytes())
    });
    match put {
        Ok(()) => to.put_slice(body),
        Err(NotAFrame) => to.truncate(start),
    }
    put
}

fn put_fields<'a>(
    to: &mut BytesMut,
    fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
) -> Result<(), NotAFrame> {
    let place = to.len();
    let mut count = 0_u16;
    to.put_u16(count);
    for (name, value) in fields {
        count = count.checked_add(1).ok_or(NotAFrame)?;
        to.put_u16(name.len().try_into().map_err(|_too_long| NotAFrame)?);
        to.put_slice(name);
        to.put_u32(value.len().try_into().map_err(|_too_long| NotAFrame)?);
        to.put_slice(value);
    }
    write_at(to, place, &count.to_be_bytes())
}

/// Puts what was not known before in the place that was left for it.
fn write_at(to: &mut BytesMut, place: usize, bytes: &[u8]) -> Result<(), NotAFrame> {
    to.get_mut(place..place + bytes.len()).ok_or(NotAFrame)?.copy_from_slice(bytes);
    Ok(())
}

impl TryFrom<Bytes> for Request {
    type Error = NotAFrame;

    fn try_from(mut message: Bytes) -> Result<Self, NotAFrame> {
        let length = message.try_get_u8().map_err(|_missing| NotAFrame)?;
        let method = take(&mut message, length.into())?;
        let target = take_long(&mut message)?;
        Ok(Self { method, target, fields: take_fields(&mut message)?, body: message })
    }
}

impl TryFrom<Bytes> for Answer {
    type Error = NotAFrame;

    fn try_from(mut message: Bytes) -> Result<Self, NotAFrame> {
        let status = message.try_get_u16().map_err(|_missing| NotAFrame)?;
        Ok(Self { status, fields: take_fields(&mut message)?, body: message })
    }
}

fn take(message: &mut Bytes, length: usize) -> Result<Bytes, NotAFrame> {
    if length > message.len() { Err(NotAFrame) } else { Ok(message.split_to(length)) }
}

fn take_long(message: &mut Bytes) -> Result<Bytes, NotAFrame> {
    let length = message.try_get_u32().map_err(|_missing| NotAFrame)?;
    take(message, usize::try_from(length).map_err(|_too_long| NotAFrame)?)
}

fn take_fields(message: &mut Bytes) -> Result<Vec<Field>, NotAFrame> {
    let count = message.try_get_u16().map_err(|_missing| NotAFrame)?;
    // Two lengths at least for each: what is announced is not believed further than it is there.
    let mut fields = Vec::with_capacity(usize::from(count).min(message.len() / 6));
    for _ in 0..count {
        let length = message.try_get_u16().map_err(|_missing| NotAFrame)?;
        fields.push((take(message, length.into())?, take_long(message)?));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    type Fields = Vec<(Vec<u8>, Vec<u8>)>;

    fn fields() -> impl Strategy<Value = Fields> {
        vec((vec(any::<u8>(), 0..30), vec(any::<u8>(), 0..300)), 0..20)
    }

    fn slices(fields: &Fields) -> impl Iterator<Item = (&[u8], &[u8])> {
        fields.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    fn shared(fields: Fields) -> Vec<Field> {
        fields.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    proptest! {
        #[test]
        fn what_is_sent_arrives_however_it_is_cut(
            method in "[A-Z]{1,20}",
            target in "/[a-z]{0,40}",
            asked in fields(),
            answered in fields(),
            body in vec(any::<u8>(), 0..2_000),
            status in 100..=999_u16,
            piece in 1..200_usize,
        ) {
            let mut sent = BytesMut::new();
            put_request(&mut sent, 7, (&method, &target), slices(&asked), &body).unwrap();
            put_leave(&mut sent);
            put_answer(&mut sent, 8, status, slices(&answered), &body).unwrap();
            let (mut read, mut frames) = (BytesMut::new(), Vec::new());
            for piece in sent.chunks(piece) {
                read.extend_from_slice(piece);
                while let Some(frame) = next(&mut read).unwrap() {
                    frames.push(frame);
                }
            }
            prop_assert!(read.is_empty());
            let frames: [_; 3] = frames.try_into().unwrap();
            let [(7, request), (LEAVING, leave), (8, answer)] = frames else {
                panic!("other numbers");
            };
            prop_assert!(leave.is_empty());
            let body = Bytes::from(body);
            let request = Request::try_from(request).unwrap();
            let (method, target) = (method.into(), target.into());
            let sent = Request { method, target, fields: shared(asked), body: body.clone() };
            prop_assert_eq!(request, sent);
            let answer = Answer::try_from(answer).unwrap();
            prop_assert_eq!(answer, Answer { status, fields: shared(answered), body });
        }

        #[test]
        fn whatever_arrives_is_taken_or_refused(noise in vec(any::<u8>(), 0..600)) {
            let noise = Bytes::from(noise);
            let _ = next(&mut BytesMut::from(&noise[..]));
            let _ = Answer::try_from(noise.clone());
            let _ = Request::try_from(noise);
        }
    }

    #[test]
    fn what_is_cut_short_is_no_message() {
        let fields = vec![(b"accept".to_vec(), b"*/*".to_vec())];
        let mut sent = BytesMut::new();
        put_request(&mut sent, 1, ("GET", "/"), slices(&fields), b"").unwrap();
        let (_, whole) = next(&mut sent).unwrap().unwrap();
        for length in 0..whole.len() {
            assert_eq!(Request::try_from(whole.slice(..length)), Err(NotAFrame), "{length} bytes");
        }
    }

    #[test]
    fn a_length_that_no_frame_has_ends_it() {
        let too_long = u32::try_from(MAX_FRAME + 1).unwrap().to_be_bytes();
        for length in [[0; 4], 3_u32.to_be_bytes(), too_long, [255; 4]] {
            assert_eq!(next(&mut BytesMut::from(&length[..])), Err(NotAFrame));
        }
    }

    #[test]
    fn what_does_not_fit_leaves_nothing_behind() {
        let mut sent = BytesMut::from(&b"before"[..]);
        let too_long = vec![0; usize::from(u16::MAX) + 1];
        let fields = [(too_long.as_slice(), &b""[..])];
        assert_eq!(put_answer(&mut sent, 1, 200, fields.into_iter(), b""), Err(NotAFrame));
        assert_eq!(put_request(&mut sent, 1, (&"X".repeat(256), "/"), [].into_iter(), b""), Err(NotAFrame));
        assert_eq!(put_answer(&mut sent, 1, 200, [].into_iter(), &vec![0; MAX_FRAME]), Err(NotAFrame));
        assert_eq!(sent, &b"before"[..]);
    }
}
