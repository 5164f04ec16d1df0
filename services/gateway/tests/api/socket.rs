//! A client of a WebSocket, as somebody else has written it.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use millrace_testkit::wait;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async, connect_async};

use crate::gateway::DEADLINE;

/// An open socket.
pub(crate) struct Socket<S = MaybeTlsStream<TcpStream>>(WebSocketStream<S>);

/// What the gateway answered in place of opening one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) code: String,
}

impl Socket {
    /// Asks for a socket with these headers.
    pub(crate) async fn open(
        gateway: impl Into<SocketAddr>,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Refused> {
        let mut request = format!("ws://{}{path}", gateway.into()).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match timeout(DEADLINE, connect_async(request)).await.expect("an answer") {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(answer)) => {
                let body = answer.body().as_deref().unwrap_or_default();
                let problem: Value = serde_json::from_slice(body).unwrap_or_default();
                let code = problem["code"].as_str().unwrap_or_default().to_owned();
                Err(Refused { status: answer.status().as_u16(), code })
            }
            Err(error) => unreachable!("{error}"),
        }
    }

    /// The same, once it is open: auth answers on the broker a moment after it listens.
    pub(crate) async fn ready(
        gateway: impl Into<SocketAddr>,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Self {
        let mut socket = Self::open_in_time(gateway, path, headers).await;
        assert_eq!(socket.told().await["type"], "ready");
        socket
    }

    /// The same, with all that it is told still to be read.
    pub(crate) async fn open_in_time(
        gateway: impl Into<SocketAddr>,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Self {
        let gateway = gateway.into();
        let opened = wait::until_some("auth answers", async || {
            Some(Self::open(gateway, path, headers).await)
                .filter(|opened| !matches!(opened, Err(refused) if refused.status == 503))
        });
        opened.await.unwrap()
    }
}

impl Socket<TcpStream> {
    /// A socket over a connection that somebody else has made.
    pub(crate) async fn over(connection: TcpStream, url: &str, key: &str) -> Self {
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("x-api-key", key.parse().unwrap());
        Self(client_async(request, connection).await.unwrap().0)
    }
}

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Socket<S> {
    /// The next thing that is told.
    pub(crate) async fn told(&mut self) -> Value {
        loop {
            match timeout(DEADLINE, self.0.next()).await.expect("something is told in time") {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).unwrap(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => unreachable!("the socket ended: {other:?}"),
            }
        }
    }

    /// The next thing of this type that is told.
    pub(crate) async fn told_of(&mut self, kind: &str) -> Value {
        loop {
            let told = self.told().await;
            if told["type"] == kind {
                return told;
            }
        }
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    pub(crate) async fn say_bytes(&mut self, bytes: Vec<u8>) {
        self.0.send(Message::binary(bytes)).await.unwrap();
    }

    /// With what code it ends before anything is told.
    pub(crate) async fn ended_unheard(&mut self) -> u16 {
        loop {
            match timeout(DEADLINE, self.0.next()).await.expect("it ends in time") {
                Some(Ok(Message::Close(Some(farewell)))) => return farewell.code.into(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => unreachable!("something came before its end: {other:?}"),
            }
        }
    }

    /// With what code and reason it ends, whatever is told before.
    pub(crate) async fn ended(&mut self) -> (u16, String) {
        loop {
            match timeout(DEADLINE, self.0.next()).await.expect("it ends in time") {
                Some(Ok(Message::Close(Some(farewell)))) => {
                    return (farewell.code.into(), farewell.reason.to_string());
                }
                Some(Ok(_)) => {}
                other => unreachable!("it ended without a farewell: {other:?}"),
            }
        }
    }
}
