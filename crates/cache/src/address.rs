//! What an address is counted under.

use std::net::IpAddr;

/// Whoever has one address of IPv6 has the 2^64 beside it.
pub(crate) fn name(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{:016x}", u128::from(address) >> 64),
    }
}
