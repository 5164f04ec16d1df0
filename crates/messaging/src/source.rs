//! Who sent an event: what the log says of the request beside its events.

use std::net::IpAddr;

use millrace_domain::ids::KeyId;

/// The most characters of a user agent that are passed on.
const MAX_USER_AGENT: usize = 500;

/// A request that brought events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// Its id.
    pub request_id: String,
    /// The API key it was sent with.
    pub key_id: Option<KeyId>,
    /// What the client called itself.
    pub user_agent: Option<String>,
    /// The client's address, where the operator wants events to have a country. It must not be stored anywhere.
    pub address: Option<IpAddr>,
}

impl Source {
    /// The request with this id; nothing else is known.
    #[must_use]
    pub fn of(request_id: &str) -> Self {
        Self { request_id: request_id.to_owned(), ..Self::default() }
    }

    /// Sent with this key.
    #[must_use]
    pub fn with_key(self, key: KeyId) -> Self {
        Self { key_id: Some(key), ..self }
    }

    /// Sent by a client that calls itself this.
    #[must_use]
    pub fn with_user_agent(self, agent: Option<&str>) -> Self {
        let agent = agent.filter(|agent| !agent.is_empty());
        Self { user_agent: agent.map(|agent| agent.chars().take(MAX_USER_AGENT).collect()), ..self }
    }

    /// Sent from this address.
    #[must_use]
    pub fn with_address(self, address: Option<IpAddr>) -> Self {
        Self { address, ..self }
    }

    /// What may be kept.
    #[must_use]
    pub fn without_address(&self) -> Self {
        Self { address: None, ..self.clone() }
    }
}

/// Events of a batch that follow each other and came from one source.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// How many; of the last run it may be more than there are.
    pub events: usize,
    /// Who sent them.
    pub source: &'a Source,
}
