use std::collections::{BTreeMap, BTreeSet};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::command::{Ended, millrace, run};
use crate::far_end::{FarEnd, INGEST_KEY, READ_KEY};

const SMALL: [&str; 7] = ["demo", "--until", "2026-03-31", "--days", "30", "--users", "300"];

fn demo(args: &[&str]) -> Ended {
    run(&[&SMALL, args].concat())
}

fn send(far_end: &FarEnd, args: &[&str]) -> Ended {
    demo(&[&["--url", &far_end.url, "--key", INGEST_KEY, "--read-key", READ_KEY], args].concat())
}

#[test]
fn the_same_seed_prints_the_same_bytes() {
    let prints = [&["--print"][..], &["--print"], &["--print", "--seed", "2"]].map(|args| {
        let ended = demo(args);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.stdout
    });
    assert!(prints[0].lines().count() > 1_000);
    assert!(prints[0] == prints[1], "two runs differ");
    assert!(prints[0] != prints[2], "the seed makes no difference");
}

#[test]
fn the_story_is_one_that_a_dashboard_can_tell() {
    let ended = demo(&["--print"]);
    let events: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut types: BTreeMap<&str, usize> = BTreeMap::new();
    let mut countries = BTreeSet::new();
    for event in &events {
        *types.entry(event["event_type"].as_str().unwrap()).or_default() += 1;
        countries.insert(event["properties"]["country"].as_str().unwrap());
        assert!(event["properties"]["plan"].is_string());
    }
    for (more, less) in [
        ("page_view", "product_viewed"),
        ("product_viewed", "added_to_cart"),
        ("added_to_cart", "checkout_started"),
        ("checkout_started", "order_completed"),
    ] {
        assert!(types[more] > types[less] && types[less] > 0, "{types:?}");
    }
    for other in ["search", "signup", "login"] {
        assert!(types.contains_key(other), "{types:?}");
    }
    assert!(countries.contains("IN") && countries.len() > 6, "{countries:?}");
}

#[test]
fn sending_twice_doubles_nothing() {
    let far_end = FarEnd::start();
    let first = send(&far_end, &[]);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    let printed = demo(&["--print"]).stdout.lines().count();
    assert_eq!(first.summary()["accepted"], printed.to_string());
    let second = send(&far_end, &[]);
    assert_eq!(
        (second.summary()["accepted"], second.summary()["duplicates"]),
        ("0", first.summary()["sent"])
    );
}

#[test]
fn a_project_with_events_is_left_alone_on_request() {
    let far_end = FarEnd::start();
    let first = send(&far_end, &["--if-empty"]);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert_ne!(first.summary()["accepted"], "0");
    let second = send(&far_end, &["--if-empty"]);
    assert_eq!((second.code, second.summary()["sent"]), (Some(0), "0"), "{}", second.stderr);
}

#[test]
fn what_lies_in_the_future_is_printed_but_not_sent() {
    let far_end = FarEnd::start();
    let future = ["demo", "--until", "2999-01-01", "--days", "2", "--users", "20"];
    let sent = run(&[&future[..], &["--url", &far_end.url, "--key", INGEST_KEY]].concat());
    assert_eq!((sent.code, sent.summary()["sent"]), (Some(0), "0"), "{}", sent.stderr);
    assert!(run(&[&future[..], &["--print"]].concat()).stdout.lines().count() > 20);
}

#[test]
fn it_goes_on_live_until_it_is_interrupted() {
    let far_end = FarEnd::start();
    let args = ["--live", "--visits-per-minute", "600", "--url", &far_end.url, "--key", INGEST_KEY];
    let child = millrace(&[&SMALL[..], &args].concat()).stdin(Stdio::null()).spawn().unwrap();
    let recent = || {
        let kept = far_end.kept();
        kept.iter().filter(|event| event["occurred_at"].as_str().unwrap() > "2026-04-02").count()
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while recent() < 20 {
        assert!(Instant::now() < deadline, "nothing happens");
        std::thread::yield_now();
    }
    let interrupted = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupted.unwrap().success());
    let ended = Ended::from(child.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.summary()["accepted"], far_end.kept().len().to_string());
}
