//! Who sent an event, as a message names them.

use std::net::IpAddr;

use millrace_domain::ids::KeyId;
use uuid::Uuid;

use super::v1;
use crate::source::Source;

/// The sender of one event.
pub(super) fn once(source: &Source) -> v1::Source {
    v1::Source { events: 1, ..to_wire(source) }
}

/// The sender of events that are yet to be counted.
pub(super) fn to_wire(source: &Source) -> v1::Source {
    v1::Source {
        events: 0,
        request_id: source.request_id.clone(),
        key_id: source.key_id.map(|key| key.0.as_bytes().to_vec()).unwrap_or_default(),
        user_agent: source.user_agent.clone().unwrap_or_default(),
        address: match source.address {
            Some(IpAddr::V4(address)) => address.octets().to_vec(),
            Some(IpAddr::V6(address)) => address.octets().to_vec(),
            None => Vec::new(),
        },
    }
}

/// What is not understood is left out: nothing depends on it.
pub(super) fn from_wire(source: &v1::Source) -> Source {
    let v4 = <[u8; 4]>::try_from(source.address.as_slice()).map(IpAddr::from);
    let address = v4.or_else(|_other| <[u8; 16]>::try_from(source.address.as_slice()).map(IpAddr::from));
    Source {
        key_id: Uuid::from_slice(&source.key_id).ok().map(KeyId),
        ..Source::of(&source.request_id).with_user_agent(Some(&source.user_agent)).with_address(address.ok())
    }
}
