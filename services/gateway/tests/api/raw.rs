//! Both ends of a connection, byte by byte, where it matters what is on the wire.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::gateway::DEADLINE;

/// A connection and what has been read ahead on it.
pub(crate) struct Wire {
    stream: TcpStream,
    ahead: Vec<u8>,
}

impl Wire {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) async fn accepted(listener: &TcpListener) -> Self {
        let (stream, _) = timeout(DEADLINE, listener.accept()).await.expect("somebody connects").unwrap();
        Self::over(stream)
    }

    pub(crate) fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self { stream, ahead: Vec::new() }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// The same, to somebody who may have heard enough.
    pub(crate) async fn send_as_far_as_it_is_taken(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Sends these bytes if the other side takes them: whether it did.
    pub(crate) async fn is_taken(&mut self, bytes: &[u8]) -> bool {
        timeout(DEADLINE, self.stream.write_all(bytes)).await.is_ok_and(|sent| sent.is_ok())
    }

    /// Sends these bytes over and over until the other side closes.
    pub(crate) async fn send_until_closed(&mut self, bytes: &[u8]) {
        let sending = async { while self.stream.write_all(bytes).await.is_ok() {} };
        timeout(DEADLINE, sending).await.expect("the other side closes");
    }

    /// Sends these bytes over and over, with pauses, until there is an answer: its head, in lower case.
    pub(crate) async fn drip(&mut self, bytes: &str, pause: Duration) -> String {
        timeout(DEADLINE, async {
            while timeout(pause, self.stream.readable()).await.is_err() {
                self.send_as_far_as_it_is_taken(bytes).await;
            }
        })
        .await
        .expect("there is an answer");
        self.read_head().await
    }

    /// Sends no more, and waits until the other side does not either.
    pub(crate) async fn close(mut self) {
        let _ = self.stream.shutdown().await;
        self.read_all().await;
    }

    /// Everything up to and with the first `end`, or less when the connection ends before.
    pub(crate) async fn read_to(&mut self, end: &str) -> String {
        let mut buffer = [0; 4096];
        loop {
            if let Some(at) = self.ahead.windows(end.len()).position(|window| window == end.as_bytes()) {
                let rest = self.ahead.split_off(at + end.len());
                return String::from_utf8(std::mem::replace(&mut self.ahead, rest)).unwrap();
            }
            match timeout(DEADLINE, self.stream.read(&mut buffer)).await.expect("more arrives") {
                Ok(0) | Err(_) => return String::from_utf8(std::mem::take(&mut self.ahead)).unwrap(),
                Ok(n) => self.ahead.extend_from_slice(&buffer[..n]),
            }
        }
    }

    /// A head, in lower case.
    pub(crate) async fn read_head(&mut self) -> String {
        self.read_to("\r\n\r\n").await.to_lowercase()
    }

    /// Everything until the other side closes.
    pub(crate) async fn read_all(&mut self) -> String {
        self.read_to("\0 never sent \0").await
    }

    /// How many bytes come until the other side closes.
    pub(crate) async fn count_all(&mut self) -> usize {
        let (mut buffer, mut count) = (vec![0; 65536], self.ahead.len());
        loop {
            match timeout(DEADLINE, self.stream.read(&mut buffer)).await.expect("more arrives") {
                Ok(0) | Err(_) => return count,
                Ok(n) => count += n,
            }
        }
    }

    /// Closes with a reset, as the kernel does for a process that was killed with data unread.
    pub(crate) fn reset(self) {
        self.stream.set_zero_linger().unwrap();
    }
}

pub(crate) async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}
