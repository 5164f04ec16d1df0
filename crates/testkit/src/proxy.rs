//! A wire that can be cut: a TCP proxy between a service and one of its servers.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use url::Url;

/// A fuse that never blows.
const NO_FUSE: u64 = u64::MAX;

/// Passes bytes on, until it is told to cut.
#[derive(Debug)]
pub struct ChaosProxy {
    address: SocketAddr,
    wire: Arc<Wire>,
}

#[derive(Debug)]
struct Wire {
    open: watch::Sender<bool>,
    /// How many bytes may still go to the server before the connection that carries the last of them is cut.
    fuse: AtomicU64,
    /// What of the next answer is kept back, if anything is.
    spoil: Mutex<Option<Spoil>>,
    /// How often the server has said something.
    answers: AtomicU64,
    /// How many milliseconds bytes to the server take.
    delay: AtomicU64,
}

/// What a client does not get of an answer, before its connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoil {
    /// All of it: the client cannot know whether it was heard.
    Whole,
    /// The last byte: the client sees an answer that ends early.
    LastByte,
}

impl ChaosProxy {
    /// A proxy in front of the server that `url` names.
    pub async fn before(url: &str) -> Self {
        let target: Url = url.parse().expect("a server's address is a URL");
        let host = target.host_str().expect("a server's address has a host").to_owned();
        let port = target.port().expect("a test server's address has a port");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let wire = Arc::new(Wire {
            open: watch::Sender::new(true),
            fuse: AtomicU64::new(NO_FUSE),
            spoil: Mutex::default(),
            answers: AtomicU64::new(0),
            delay: AtomicU64::new(0),
        });
        let shared = Arc::clone(&wire);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let wire = Arc::clone(&shared);
                if !*wire.open.borrow() {
                    continue; // dropped: the client sees its connection closed
                }
                let target = (host.clone(), port);
                tokio::spawn(async move {
                    let Ok(far) = TcpStream::connect(target).await else { return };
                    // Small messages go both ways; held back for company they would take milliseconds each.
                    let _ = (near.set_nodelay(true), far.set_nodelay(true));
                    let (near_reads, near_writes) = near.into_split();
                    let (far_reads, far_writes) = far.into_split();
                    let mut state = wire.open.subscribe();
                    tokio::select! {
                        () = wire.carry(near_reads, far_writes) => {}
                        () = wire.carry_back(far_reads, near_writes) => {}
                        _ = state.wait_for(|open| !open) => {}
                    }
                });
            }
        });
        Self { address, wire }
    }

    /// The server's address by way of the proxy.
    pub fn url(&self, direct: &str) -> String {
        let mut url: Url = direct.parse().expect("a server's address is a URL");
        url.set_host(Some("127.0.0.1")).expect("the URL takes a host");
        url.set_port(Some(self.address.port())).expect("the URL takes a port");
        url.into()
    }

    /// Cuts every connection and lets no new one through.
    pub fn cut(&self) {
        self.wire.open.send_replace(false);
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.wire.open.send_replace(true);
    }

    /// Makes the server far away: what is said to it takes so long.
    pub fn stretch(&self, delay: Duration) {
        let delay = u64::try_from(delay.as_millis()).expect("nobody waits that long");
        self.wire.delay.store(delay, Ordering::SeqCst);
    }

    /// Cuts the connection that carries the last of the next `bytes` bytes to the server, right behind that byte.
    /// New connections are let through.
    pub fn cut_after(&self, bytes: u64) {
        self.wire.fuse.store(bytes, Ordering::SeqCst);
    }

    /// Spoils the next thing that the server says, and cuts its connection. New connections are let through.
    pub fn spoil_answer(&self, spoil: Spoil) {
        *self.wire.spoil.lock().expect("nobody panicked with it") = Some(spoil);
    }

    /// How often the server has said something to anybody.
    pub fn answers(&self) -> u64 {
        self.wire.answers.load(Ordering::SeqCst)
    }

    /// Whether an answer is still to be spoilt.
    pub fn is_armed(&self) -> bool {
        self.wire.spoil.lock().expect("nobody panicked with it").is_some()
    }
}

impl Wire {
    /// Passes bytes to the server, until either side closes or the fuse blows.
    async fn carry(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            match self.delay.load(Ordering::SeqCst) {
                0 => {}
                delay => tokio::time::sleep(Duration::from_millis(delay)).await,
            }
            let length = u64::try_from(read).expect("a buffer's length fits");
            let burn = |left: u64| match left {
                NO_FUSE => None,
                left if left <= length => Some(NO_FUSE),
                left => Some(left - length),
            };
            let left = self.fuse.fetch_update(Ordering::SeqCst, Ordering::SeqCst, burn).unwrap_or(NO_FUSE);
            let passed = usize::try_from(left.min(length)).expect("no more than the buffer");
            if to.write_all(&buffer[..passed]).await.is_err() || left <= length {
                return;
            }
        }
    }

    /// Passes bytes to the client, until either side closes or an answer is to be spoilt.
    async fn carry_back(&self, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
        let mut buffer = vec![0; 16 << 10];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            self.answers.fetch_add(1, Ordering::SeqCst);
            let spoil = self.spoil.lock().expect("nobody panicked with it").take();
            let passed = match spoil {
                None => read,
                Some(Spoil::LastByte) => read - 1,
                Some(Spoil::Whole) => 0,
            };
            if to.write_all(&buffer[..passed]).await.is_err() || spoil.is_some() {
                return;
            }
        }
    }
}
