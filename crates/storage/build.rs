//! `embed_migrations!` reads the folder when this crate is compiled, but cargo does not know that; and what was
//! embedded cannot be read back, so a hash of it is passed on.

use std::error::Error;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=../../migrations");
    let mut files = Vec::new();
    for folder in fs::read_dir("../../migrations")? {
        let folder = folder?.path();
        if folder.is_dir() {
            files.push(folder.join("up.sql"));
        }
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        fs::read(file)?.hash(&mut hasher);
    }
    println!("cargo::rustc-env=MILLRACE_MIGRATIONS_HASH={:016x}", hasher.finish());
    Ok(())
}
