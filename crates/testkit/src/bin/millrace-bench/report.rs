//! Figures as a table for people and as JSON for programs.

use std::fs;
use std::path::PathBuf;

use serde::Serialize;

/// One row: what was measured, the figure, and what it is held against.
#[derive(Serialize)]
struct Row {
    what: String,
    figure: f64,
    unit: &'static str,
    peer: Option<Peer>,
}

#[derive(Serialize)]
struct Peer {
    what: &'static str,
    figure: f64,
}

/// The figures of one benchmark.
pub struct Report {
    name: &'static str,
    rows: Vec<Row>,
}

impl Report {
    pub fn new(name: &'static str) -> Self {
        println!("\n{name}\n{}", "-".repeat(name.len()));
        Self { name, rows: Vec::new() }
    }

    /// A figure that stands for itself.
    pub fn add(&mut self, what: &str, figure: f64, unit: &'static str) {
        println!("{what:<44} {figure:>12.1} {unit}");
        self.rows.push(Row { what: what.to_owned(), figure, unit, peer: None });
    }

    /// A figure beside its peer of the same run.
    pub fn compare(&mut self, what: &str, figure: f64, unit: &'static str, peer: &'static str, peers: f64) {
        println!("{what:<44} {figure:>12.1} {unit:<10} {peer}: {peers:.1} ({:.1}%)", 100.0 * figure / peers);
        let peer = Some(Peer { what: peer, figure: peers });
        self.rows.push(Row { what: what.to_owned(), figure, unit, peer });
    }

    /// Writes `target/bench/<name>.json`.
    pub fn finish(self) -> anyhow::Result<()> {
        let folder = PathBuf::from("target/bench");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("{}.json", self.name)), serde_json::to_string_pretty(&self.rows)?)?;
        Ok(())
    }
}
