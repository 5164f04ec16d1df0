//! Where a service listens.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper::header::HeaderValue;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_util::either::Either;
use url::{Host, Url};

/// How long a connection may take to come about. Services are neighbours: one that takes longer is away, and the
/// client is better told so than kept waiting.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Where the instances of a service listen: a URL such as `http://127.0.0.1:8081`, or `unix:/run/millrace/auth.sock` for a
/// neighbour on this machine; or several, separated by commas.
#[derive(Clone, Debug)]
pub struct Origin {
    instances: Arc<[Instance]>,
    /// Counts connections, so that each instance gets its share.
    turn: Arc<AtomicUsize>,
}

/// A connection to an instance.
pub type Stream = Either<TcpStream, UnixStream>;

#[derive(Debug)]
struct Instance {
    place: Place,
    /// The value of `Host` there.
    authority: HeaderValue,
}

#[derive(Debug)]
enum Place {
    /// The host and port of a URL.
    Net(String, u16),
    /// A socket in the file system: half the work of a connection over the network, on both sides.
    Unix(PathBuf),
}

/// Why a text is not an origin.
#[derive(Debug, thiserror::Error)]
pub enum OriginError {
    /// It is not a URL.
    #[error("not a URL: {0}")]
    Url(#[from] url::ParseError),
    /// It is a URL of another kind.
    #[error(
        "must look like http://host:port, without a path, a query or credentials, or like unix:/path/to/socket"
    )]
    NotAnOrigin,
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let instances: Result<_, _> = text.split(',').map(|url| url.trim().parse()).collect();
        Ok(Self { instances: instances?, turn: Arc::default() })
    }
}

impl FromStr for Instance {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let url = Url::parse(text)?;
        if let Some(path) = text.strip_prefix("unix:") {
            if !path.starts_with('/') {
                return Err(OriginError::NotAnOrigin);
            }
            let authority = HeaderValue::from_static("localhost");
            return Ok(Self { place: Place::Unix(path.into()), authority });
        }
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        let anonymous = url.username().is_empty() && url.password().is_none();
        if url.scheme() != "http" || !bare || !anonymous {
            return Err(OriginError::NotAnOrigin);
        }
        let host = url.host().ok_or(OriginError::NotAnOrigin)?;
        let port = url.port_or_known_default().ok_or(OriginError::NotAnOrigin)?;
        let authority = format!("{host}:{port}").parse().map_err(|_not_ascii| OriginError::NotAnOrigin)?;
        let host = match host {
            Host::Domain(name) => name.to_owned(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        Ok(Self { place: Place::Net(host, port), authority })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, instance) in self.instances.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            match &instance.place {
                Place::Net(..) => {
                    write!(f, "{comma}http://{}", instance.authority.to_str().unwrap_or_default())?;
                }
                Place::Unix(path) => write!(f, "{comma}unix:{}", path.display())?,
            }
        }
        Ok(())
    }
}

impl Origin {
    /// How many there are: at least one.
    #[must_use]
    pub fn instances(&self) -> usize {
        self.instances.len().max(1)
    }

    /// The socket of the only instance, if it is a neighbour.
    #[must_use]
    pub fn neighbour(&self) -> Option<&Path> {
        match &*self.instances {
            [Instance { place: Place::Unix(socket), .. }] => Some(socket),
            _ => None,
        }
    }

    /// A new connection to the instance whose turn it is, or to the next one that takes it, and the value of `Host` in a
    /// request to it.
    ///
    /// # Errors
    /// When nobody listens at any of them, or nobody answers in time.
    pub async fn connect(&self) -> io::Result<(Stream, HeaderValue)> {
        let count = self.instances.len();
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % count.max(1);
        let mut outcome = Err(io::ErrorKind::NotFound.into());
        for instance in self.instances.iter().cycle().skip(first).take(count) {
            outcome = instance.connect().await.map(|stream| (stream, instance.authority.clone()));
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }
}

impl Instance {
    async fn connect(&self) -> io::Result<Stream> {
        timeout(CONNECT_TIMEOUT, self.place.connect()).await.map_err(|_elapsed| {
            io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {CONNECT_TIMEOUT:?}"))
        })?
    }
}

impl Place {
    async fn connect(&self) -> io::Result<Stream> {
        match self {
            Self::Net(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                // A chunk goes out when it is there, not when there is more of it.
                stream.set_nodelay(true)?;
                Ok(Either::Left(stream))
            }
            Self::Unix(path) => Ok(Either::Right(UnixStream::connect(path).await?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_a_host_and_a_port() {
        for (text, authority) in [
            ("http://127.0.0.1:8081", "127.0.0.1:8081"),
            ("http://ingest", "ingest:80"),
            ("http://[::1]:9/", "[::1]:9"),
            ("http://a:1, http://b:2", "a:1,http://b:2"),
        ] {
            assert_eq!(text.parse::<Origin>().unwrap().to_string(), format!("http://{authority}"));
        }
        let neighbours = "unix:/run/a.sock,http://b:2";
        assert_eq!(neighbours.parse::<Origin>().unwrap().to_string(), neighbours);
    }

    #[test]
    fn anything_more_is_refused() {
        let texts = [
            "ingest:8082",
            "https://ingest",
            "http://ingest/v1",
            "http://ingest?a",
            "http://u:p@ingest",
            "http://",
            "http://a:1,",
            "unix:a.sock",
            "unix:",
            "",
        ];
        for text in texts {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }
}
