//! A shared connection comes about.

use std::io;
use std::path::Path;
use std::time::Duration;

use millrace_http::multiplex::greeting;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// How long a service may take to say which core a connection is answered on. Over HTTP/1.1 each request has its own
/// patience with one that hangs.
const GREETING_TIMEOUT: Duration = Duration::from_millis(250);
/// How many connections are tried before one to another core will do.
const MOST_TRIES: usize = 256;

/// Connects to a thread of the service that stays on the core `own`, where it has one there: between two cores, each side
/// wakes the other's, and both wait for that. The service hands out connections to its threads in turn, so the right one
/// comes after a few.
///
/// # Errors
/// When nobody listens there, or says nothing.
pub(super) async fn connect(socket: &Path, own: Option<u32>) -> io::Result<UnixStream> {
    let mut tries = 1;
    loop {
        let mut stream = UnixStream::connect(socket).await?;
        match (timeout(GREETING_TIMEOUT, greeting::read(&mut stream)).await??, own) {
            (Some(core), Some(own)) if core != own && tries < MOST_TRIES => tries += 1,
            _ => return Ok(stream),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use bytes::BytesMut;
    use tempfile::TempDir;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    use super::*;

    /// A service whose threads stay on these cores and take connections in turn: each is told its place among all.
    fn service(folder: &TempDir, cores: &'static [Option<u32>]) -> PathBuf {
        let socket = folder.path().join("it.mux");
        let listener = UnixListener::bind(&socket).unwrap();
        tokio::spawn(async move {
            for (place, core) in (1..).zip(cores.iter().cycle()) {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut greeting = BytesMut::new();
                greeting::put(&mut greeting, *core);
                stream.write_all(&greeting).await.unwrap();
                stream.write_u32(place).await.unwrap();
            }
        });
        socket
    }

    /// Which of the connections to it a thread keeps.
    async fn kept(cores: &'static [Option<u32>], own: Option<u32>) -> u32 {
        let folder = TempDir::new().unwrap();
        let mut stream = connect(&service(&folder, cores), own).await.unwrap();
        stream.read_u32().await.unwrap()
    }

    #[tokio::test]
    async fn a_thread_asks_the_one_on_its_own_core() {
        assert_eq!(kept(&[Some(0), Some(1), Some(2), Some(3)], Some(2)).await, 3);
    }

    #[tokio::test]
    async fn a_thread_or_a_service_that_runs_on_any_core_takes_what_comes() {
        assert_eq!(kept(&[Some(0), Some(1)], None).await, 1);
        assert_eq!(kept(&[None], Some(1)).await, 1);
    }

    #[tokio::test]
    async fn where_the_service_has_other_cores_one_of_them_will_do() {
        assert_eq!(kept(&[Some(0), Some(1)], Some(5)).await, 256);
    }

    #[tokio::test]
    async fn who_says_nothing_is_not_waited_for() {
        let folder = TempDir::new().unwrap();
        let socket = folder.path().join("it.mux");
        let _silent = UnixListener::bind(&socket).unwrap();
        let kind = connect(&socket, None).await.unwrap_err().kind();
        assert_eq!(kind, io::ErrorKind::TimedOut);
    }
}
