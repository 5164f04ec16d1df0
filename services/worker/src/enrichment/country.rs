//! The country of an address, by a MaxMind DB file that the operator supplies (`country` or `city`, of any maker).

use std::net::IpAddr;
use std::path::Path;

use maxminddb::{MaxMindDbError, Reader, path};

/// A database of countries, in memory.
pub struct Countries(Reader<Vec<u8>>);

impl std::fmt::Debug for Countries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Countries").field(&self.0.metadata().database_type).finish()
    }
}

impl Countries {
    /// Reads the file.
    ///
    /// # Errors
    /// When it is not there, or not such a file.
    pub fn open(path: &Path) -> Result<Self, MaxMindDbError> {
        Reader::open_readfile(path).map(Self)
    }

    /// The country's ISO 3166-1 code in two letters; `None` where the database knows nothing.
    #[must_use]
    pub fn of(&self, address: IpAddr) -> Option<String> {
        self.0.lookup(address).ok()?.decode_path(&path!["country", "iso_code"]).ok()?
    }
}
