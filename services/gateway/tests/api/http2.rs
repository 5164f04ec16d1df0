//! HTTP/2 frame by frame (RFC 9113), for what no client's library would send.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::gateway::DEADLINE;
use crate::tls::Authority;

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// `GET https://localhost/`, compressed (RFC 7541).
const GET: &[u8] = b"\x82\x87\x84\x41\x09localhost";

/// A connection on which frames are sent.
pub(crate) struct Frames(TlsStream<TcpStream>);

impl Frames {
    pub(crate) async fn to(address: SocketAddr, authority: &Authority) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let connector = TlsConnector::from(Arc::new(authority.http2()));
        let name = ServerName::try_from("localhost").unwrap();
        let mut frames = Self(connector.connect(name, stream).await.unwrap());
        let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frame(SETTINGS, 0, 0, b"").as_slice()].concat();
        frames.0.write_all(&preface).await.unwrap();
        frames
    }

    /// Sends these bytes for as long as they are taken; whether they all were.
    async fn send(&mut self, bytes: &[u8]) -> bool {
        let sent = async { self.0.write_all(bytes).await.is_ok() && self.0.flush().await.is_ok() };
        timeout(DEADLINE, sent).await.expect("they are taken or refused")
    }

    /// A head that goes on and on, and never ends: whether the other side put an end to it.
    pub(crate) async fn never_ending_head(mut self) -> bool {
        if !self.send(&frame(HEADERS, END_STREAM, 1, GET)).await {
            return true;
        }
        let field = [b"\x00\x01x\x7f\x81\x01".as_slice(), &[b'v'; 256]].concat();
        let part = frame(CONTINUATION, 0, 1, &field.repeat(60));
        for _ in 0..4_000 {
            if !self.send(&part).await {
                return true;
            }
        }
        self.ended().await
    }

    /// Asks and takes it back, again and again: whether the other side had enough.
    pub(crate) async fn rapid_resets(mut self) -> bool {
        let no_more_interest = 8_u32.to_be_bytes();
        for stream in (1..40_000).step_by(2) {
            let asked = frame(HEADERS, END_STREAM | END_HEADERS, stream, GET);
            let taken_back = frame(RST_STREAM, 0, stream, &no_more_interest);
            if !self.send(&[asked, taken_back].concat()).await {
                return true;
            }
        }
        self.ended().await
    }

    /// So many heads that are small on the wire and 4 MiB each when they are read: an entry of the table, again and
    /// again.
    pub(crate) async fn inflating_heads(mut self, heads: u32) {
        let entry = [b"\x40\x01x\x7f\xa1\x1e".as_slice(), &[b'v'; 4_000]].concat();
        self.send(&frame(HEADERS, END_STREAM | END_HEADERS, 1, &[GET, &entry].concat())).await;
        let reference = [b"\x82\x87\x84".as_slice(), &[0xbe; 1_000]].concat();
        for stream in 1..=heads {
            self.send(&frame(HEADERS, END_STREAM | END_HEADERS, 2 * stream + 1, &reference)).await;
        }
        // Whatever becomes of them: an answer to the last one, or the end.
        self.hears(|kind, stream| kind == GOAWAY || stream == 2 * heads + 1).await;
    }

    /// Whether the other side ends the connection.
    pub(crate) async fn ended(&mut self) -> bool {
        self.hears(|kind, _| kind == GOAWAY).await;
        true
    }

    /// Reads frames until there is such a one, or no more.
    async fn hears(&mut self, what: impl Fn(u8, u32) -> bool) {
        let reading = async {
            loop {
                let mut head = [0; 9];
                if self.0.read_exact(&mut head).await.is_err() {
                    return;
                }
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
                let mut payload = vec![0; usize::try_from(length).unwrap()];
                if self.0.read_exact(&mut payload).await.is_err() {
                    return;
                }
                if what(head[3], u32::from_be_bytes([head[5], head[6], head[7], head[8]])) {
                    return;
                }
            }
        };
        timeout(DEADLINE, reading).await.expect("there is such a frame, or an end");
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [length.as_slice(), &[kind, flags], &stream.to_be_bytes(), payload].concat()
}
