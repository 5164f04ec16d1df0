//! The arrows of `docs/architecture.md`: which package may depend on which. They make sentences true that no review
//! could keep true: ingest cannot touch the database, only the worker writes events, the gateway holds no data.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Every package of ours and what it may build on. Dependencies of tests are free.
const ALLOWED: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("runtime", &[]),
    ("rows", &[]),
    ("files", &[]),
    ("schemas", &[]),
    ("security", &["domain"]),
    ("storage", &["domain"]),
    ("messaging", &["domain"]),
    ("cache", &["domain"]),
    ("http", &["domain", "security"]),
    ("gateway", &["domain", "http", "runtime", "security", "cache", "messaging"]),
    (
        "auth",
        &[
            "domain",
            "http",
            "runtime",
            "security",
            "cache",
            "messaging",
            "storage",
            "files",
            "rows",
            "schemas",
        ],
    ),
    ("ingest", &["domain", "http", "runtime", "security", "cache", "messaging"]),
    ("worker", &["domain", "runtime", "messaging", "storage", "cache", "files", "rows", "schemas"]),
    ("analytics", &["domain", "http", "runtime", "security", "cache", "messaging", "storage"]),
    ("cli", &["domain", "runtime", "security", "cache", "messaging", "storage", "rows"]),
    ("testkit", &["domain", "security", "storage", "cli"]),
];

fn arrows() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo describes the workspace");
    let ours = |name: &str| name.strip_prefix("millrace-").map(str::to_owned);
    metadata
        .packages
        .iter()
        .map(|package| {
            let name = ours(&package.name).expect("every package's name begins with millrace-");
            let builds_on =
                package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
            (name, builds_on.filter_map(|dependency| ours(&dependency.name)).collect())
        })
        .collect()
}

#[test]
fn no_package_builds_on_what_it_must_not_know() {
    let arrows = arrows();
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        ALLOWED.iter().map(|(name, may)| (*name, may.iter().copied().collect())).collect();
    let drawn: BTreeSet<&str> = arrows.keys().map(String::as_str).collect();
    assert_eq!(drawn, allowed.keys().copied().collect(), "every package is in the table and no other");
    for (name, builds_on) in &arrows {
        let found: BTreeSet<&str> = builds_on.iter().map(String::as_str).collect();
        let forbidden: Vec<_> = found.difference(&allowed[name.as_str()]).collect();
        assert!(forbidden.is_empty(), "{name} must not depend on {forbidden:?}");
    }
}

#[test]
fn folders_and_packages_have_the_same_names() {
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo describes the workspace");
    for package in &metadata.packages {
        let folder =
            package.manifest_path.parent().and_then(|folder| folder.file_name()).expect("it is in a folder");
        assert_eq!(package.name.as_str(), format!("millrace-{folder}"));
    }
}
