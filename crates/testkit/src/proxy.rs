//! A wire that can be cut: a TCP proxy between a service and one of its servers.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use url::Url;

/// Passes bytes on, until it is told to cut.
#[derive(Debug)]
pub struct ChaosProxy {
    address: SocketAddr,
    open: Arc<watch::Sender<bool>>,
}

impl ChaosProxy {
    /// A proxy in front of the server that `url` names.
    pub async fn before(url: &str) -> Self {
        let target: Url = url.parse().expect("a server's address is a URL");
        let host = target.host_str().expect("a server's address has a host").to_owned();
        let port = target.port().expect("a test server's address has a port");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (open, _) = watch::channel(true);
        let open = Arc::new(open);
        let wire = Arc::clone(&open);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let mut state = wire.subscribe();
                if !*state.borrow() {
                    continue; // dropped: the client sees its connection closed
                }
                let target = (host.clone(), port);
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(target).await else { return };
                    // Small messages go both ways; held back for company they would take milliseconds each.
                    let _ = (near.set_nodelay(true), far.set_nodelay(true));
                    let mut near = near;
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = state.wait_for(|open| !open) => {}
                    }
                });
            }
        });
        Self { address, open }
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
        self.open.send_replace(false);
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.open.send_replace(true);
    }
}
