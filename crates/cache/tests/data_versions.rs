//! Versions of a project's data on a real Redis.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on panics"
)]

use std::collections::BTreeMap;

use millrace_cache::data_versions::{DataVersions, Month};
use millrace_domain::ids::ProjectId;
use millrace_testkit::servers;

fn month(day: &str) -> Month {
    Month::of(format!("{day}T12:00:00Z").parse().unwrap())
}

#[tokio::test]
async fn a_version_changes_with_the_months_that_it_is_of_and_with_no_others() {
    let versions = DataVersions::new(&servers::redis_url()).unwrap();
    let (shop, blog) = (ProjectId::new(), ProjectId::new());
    let autumn =
        async |project| versions.of(project, month("2026-09-01")..=month("2026-11-30")).await.unwrap();
    let renew = async |project, day| {
        let months = [month(day)].into();
        versions.renew(&BTreeMap::from([(project, months)])).await.unwrap();
    };
    let mut known = vec![autumn(shop).await];
    for day in ["2026-09-01", "2026-10-15", "2026-11-30", "2026-11-30"] {
        renew(shop, day).await;
        let version = autumn(shop).await;
        assert!(!known.contains(&version), "{day} shows");
        known.push(version);
    }
    for (project, day) in [(shop, "2026-08-31"), (shop, "2026-12-01"), (blog, "2026-10-15")] {
        renew(project, day).await;
        assert_eq!(Some(&autumn(shop).await), known.last(), "{day} does not");
    }
    let all = versions.of(shop, Month::FIRST..=Month::LAST).await.unwrap();
    assert_ne!(all, autumn(shop).await);
    versions.renew_all(shop).await.unwrap();
    assert!(!known.contains(&autumn(shop).await), "what concerns all of them shows");
}
