//! Figures as a table for people and as JSON for programs.

use std::path::PathBuf;
use std::{fmt, fs};

use serde::Serialize;

/// One row: what was measured, the figure, and what it is held against.
#[derive(Serialize)]
struct Row {
    what: String,
    figure: f64,
    unit: &'static str,
    peer: Option<Peer>,
    limit: Option<Limit>,
}

#[derive(Serialize)]
struct Peer {
    what: &'static str,
    figure: f64,
}

/// What a figure has to keep.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    AtLeast(f64),
    Below(f64),
}

impl Limit {
    fn is_kept(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(least) => figure >= least,
            Self::Below(most) => figure < most,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "at least {least}"),
            Self::Below(most) => write!(f, "below {most}"),
        }
    }
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
        self.rows.push(Row { what: what.to_owned(), figure, unit, peer: None, limit: None });
    }

    /// A figure beside what it has to keep.
    pub fn hold(&mut self, what: &str, figure: f64, unit: &'static str, limit: Limit) {
        let verdict = if limit.is_kept(figure) { "kept" } else { "NOT KEPT" };
        println!("{what:<44} {figure:>12.1} {unit:<10} limit: {limit}, {verdict}");
        self.rows.push(Row { what: what.to_owned(), figure, unit, peer: None, limit: Some(limit) });
    }

    /// A figure beside its peer of the same run.
    pub fn compare(&mut self, what: &str, figure: f64, unit: &'static str, peer: &'static str, peers: f64) {
        println!("{what:<44} {figure:>12.1} {unit:<10} {peer}: {peers:.1} ({:.1}%)", 100.0 * figure / peers);
        let peer = Some(Peer { what: peer, figure: peers });
        self.rows.push(Row { what: what.to_owned(), figure, unit, peer, limit: None });
    }

    /// A figure beside its peer of the same run, which has to keep a limit as well.
    pub fn hold_beside(
        &mut self,
        what: &str,
        (figure, unit): (f64, &'static str),
        limit: Limit,
        (peer, peers): (&'static str, f64),
    ) {
        let verdict = if limit.is_kept(figure) { "kept" } else { "NOT KEPT" };
        println!("{what:<44} {figure:>12.1} {unit:<10} limit: {limit}, {verdict}; {peer}: {peers:.1}");
        let peer = Some(Peer { what: peer, figure: peers });
        self.rows.push(Row { what: what.to_owned(), figure, unit, peer, limit: Some(limit) });
    }

    /// Writes `target/bench/<name>.json`.
    pub fn finish(self) -> anyhow::Result<()> {
        let folder = PathBuf::from("target/bench");
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("{}.json", self.name)), serde_json::to_string_pretty(&self.rows)?)?;
        Ok(())
    }
}

/// The middle one of some figures, the larger of the middle two; 0 of none.
pub fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}
