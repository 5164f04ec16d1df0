//! docs/definitions.md, read and held to what it says.
//!
//! Of its fenced blocks, those called `events` are a history, a line each: user, type, time and, if any, properties. It is
//! what every `question` behind it is about, up to the next one. An `answer` says what the question before it is answered
//! with: its fields, of which the real answer may have more.

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::chronicle::{Happened, did, tell};
use crate::stage::{Project, Stage, alike};

const PAGE: &str = include_str!("../../../../docs/definitions.md");

fn clock() -> DateTime<Utc> {
    "2026-11-05T12:00:00Z".parse().unwrap()
}

/// The kinds and the texts of the fenced blocks.
fn blocks() -> Vec<(&'static str, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(&str, String)> = None;
    for line in PAGE.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(kind), None) => open = Some((kind, String::new())),
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some((kind, text))) => open = Some((kind, text + line + "\n")),
            (None, None) => {}
        }
    }
    blocks
}

fn happened(line: &str) -> Happened {
    let mut words = line.splitn(2, ' ').flat_map(|part| part.trim_start().splitn(2, ' '));
    let (user, kind, rest) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap().trim());
    let (time, properties) = rest.split_once(' ').unwrap_or((rest, "{}"));
    did(user, kind, time).with(serde_json::from_str(properties).unwrap())
}

/// Whether an answer has all that is expected of it.
fn holds(answer: &Value, expected: &Value) -> bool {
    match (answer, expected) {
        (Value::Object(answer), Value::Object(expected)) => expected
            .iter()
            .all(|(name, expected)| answer.get(name).is_some_and(|answer| holds(answer, expected))),
        (Value::Array(answer), Value::Array(expected)) => {
            answer.len() == expected.len() && answer.iter().zip(expected).all(|(a, b)| holds(a, b))
        }
        _ => alike(answer, expected),
    }
}

#[actix_web::test]
async fn the_page_of_definitions_is_true() {
    let stage = Stage::at(clock).await;
    let mut project: Option<Project> = None;
    let mut answer: Option<(Value, Value)> = None;
    let mut answers = 0;
    for (kind, text) in blocks() {
        match kind {
            "events" => {
                let events: Vec<Happened> = text.lines().map(happened).collect();
                let told = stage.project("UTC").await;
                tell(&mut stage.teller(), &told, &events).await;
                project = Some(told);
            }
            "question" => {
                assert!(answer.is_none(), "every question has its answer");
                let question: Value = serde_json::from_str(&text).unwrap();
                let body = stage.answer(project.as_ref().unwrap(), &question).await.body;
                answer = Some((question, body));
            }
            "answer" => {
                let (question, answer) = answer.take().unwrap();
                let expected: Value = serde_json::from_str(&text).unwrap();
                assert!(holds(&answer, &expected), "{question}\n{answer}\nnot: {expected}");
                answers += 1;
            }
            _ => panic!("what is a block of {kind:?}?"),
        }
    }
    assert!(answers >= 15, "the page has {answers} examples");
}
