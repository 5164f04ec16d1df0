//! A MaxMind DB of one network, written by hand: https://maxmind.github.io/MaxMind-DB/.

/// A database in which the addresses of 192.0.2.0/24 are in `country`.
pub(crate) fn of_documentation_addresses(country: &str) -> Vec<u8> {
    const PREFIX: [u8; 3] = [192, 0, 2];
    const NODES: u32 = 24;
    let mut file = Vec::new();
    for depth in 0..NODES {
        let bit = PREFIX[usize::try_from(depth / 8).unwrap()] >> (7 - depth % 8) & 1;
        // Behind the last bit is the data, 16 bytes behind the tree; the other way there is nothing.
        let onward = if depth + 1 == NODES { NODES + 16 } else { depth + 1 };
        let records = if bit == 0 { [onward, NODES] } else { [NODES, onward] };
        records.iter().for_each(|record| file.extend_from_slice(&record.to_be_bytes()[1..]));
    }
    file.extend_from_slice(&[0; 16]);
    file.extend(map(&[("country", map(&[("iso_code", text(country))]))]));
    file.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    file.extend(map(&[
        ("node_count", number(6, NODES)),
        ("record_size", number(5, 24)),
        ("ip_version", number(5, 4)),
        ("database_type", text("Test-Country")),
        ("languages", vec![0, 4]),
        ("binary_format_major_version", number(5, 2)),
        ("binary_format_minor_version", number(5, 0)),
        ("build_epoch", vec![4, 2, 0x65, 0, 0, 0]),
        ("description", map(&[])),
    ]));
    file
}

fn control(kind: u8, size: usize) -> u8 {
    kind << 5 | u8::try_from(size).unwrap()
}

fn text(text: &str) -> Vec<u8> {
    [&[control(2, text.len())], text.as_bytes()].concat()
}

fn number(kind: u8, value: u32) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let bytes = if kind == 5 { &bytes[2..] } else { &bytes[..] };
    [&[control(kind, bytes.len())], bytes].concat()
}

fn map(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let members_bytes = members.iter().flat_map(|(name, value)| [text(name), value.clone()].concat());
    std::iter::once(control(7, members.len())).chain(members_bytes).collect()
}
