use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use futures_util::StreamExt;
use millrace_domain::access::Role;
use millrace_domain::notification::Notification;
use millrace_messaging::notifications;
use millrace_storage::cohorts as stored;
use reqwest::Method;
use serde_json::{Value, json};

use crate::chronicle::{chance, did, invent, tell, tell_in_disorder};
use crate::definition::cohorts::Past;
use crate::people::Person;
use crate::stage::{Project, Stage, alike, problem};

const PATH: &str = "/api/v1/cohorts";

/// In the middle of what happens, so that some of it has not happened yet. In New York it is the day before.
fn clock() -> DateTime<Utc> {
    "2025-04-10T02:00:00Z".parse().unwrap()
}

fn definitions() -> Vec<Value> {
    let buyers = json!({"did": {"event_type": "buy"}});
    let pro = json!({"property": "plan", "op": "eq", "value": "pro"});
    vec![
        buyers.clone(),
        json!({"did": {"event_type": "visit", "days": 20}}),
        json!({"did": {"event_type": "visit", "at_least": 3, "days": 45}}),
        json!({"did": {"event_type": "visit", "at_least": 5}}),
        json!({"did": {"at_least": 4, "from": "2025-02-01", "to": "2025-03-09"}}),
        json!({"did": {"event_type": "visit", "filter": pro, "at_least": 2, "days": 60}}),
        json!({"had": {"property": "path", "op": "in", "value": ["/p/1", "/p/2", "/p/3"]}}),
        json!({"had": {"property": "plan", "op": "neq", "value": "free", "days": 7}}),
        json!({"users": ["user-1", "user-7", "user-39", "nobody"]}),
        json!({"users": []}),
        json!({"not": {"users": ["user-0", "user-3"]}}),
        json!({"and": [
            buyers,
            {"not": {"did": {"event_type": "signup", "days": 30}}},
            {"or": [{"users": ["user-2"]}, {"did": {"from": "2025-03-01", "to": "2025-03-01"}}]},
        ]}),
    ]
}

#[actix_web::test]
async fn a_cohort_has_the_users_that_its_definition_says() {
    for (home, elsewhere) in [("Asia/Kolkata", "UTC"), ("America/New_York", "America/New_York")] {
        Box::pin(equals_its_definition(home, elsewhere)).await;
    }
}

async fn equals_its_definition(home: &str, elsewhere: &str) {
    let mut random = chance();
    let stage = Stage::at(clock).await;
    let (project, neighbour) = (stage.project(home).await, stage.project(home).await);
    let editor = Person::member(&stage, project.id, "editor", Role::Editor).await;
    let history = invent(&mut random, 300);
    tell_in_disorder(&stage, &neighbour, &invent(&mut random, 30), &mut random).await;
    tell_in_disorder(&stage, &project, &history[..200], &mut random).await;
    stage.compact().await;
    tell_in_disorder(&stage, &project, &history, &mut random).await;

    let zone: Tz = home.parse().unwrap();
    let past = Past { history: &history, zone, today: clock().with_timezone(&zone).date_naive() };
    for (place, definition) in definitions().into_iter().enumerate() {
        let content = json!({"name": "Some", "definition": definition});
        let id = editor.post(&stage, PATH, content).await.good().id();
        let members = past.members(&definition);
        let found = all_members(&stage, &project, &id).await;
        assert!(found.iter().eq(members.iter()), "{definition}\n{found:?}\nnot {members:?}");
        // A few of them, others in each project, are asked about: each is as long as a story.
        if (place + usize::from(home == elsewhere)) % 4 == 0 {
            as_a_filter(&stage, &project, elsewhere, &id, &members).await;
        }
    }
}

/// The members of a cohort, page by page, as many as its size says.
async fn all_members(stage: &Stage, project: &Project, id: &str) -> BTreeSet<String> {
    let (mut members, mut cursor) = (BTreeSet::new(), String::new());
    loop {
        let page = stage.ask(project, &format!("{PATH}/{id}/members?limit=7{cursor}")).await.body;
        for member in page["data"].as_array().unwrap() {
            assert!(members.insert(member["user_id"].as_str().unwrap().to_owned()), "nobody comes twice");
        }
        let Some(next) = page["next_cursor"].as_str() else {
            assert_eq!(page["size"], members.len());
            return members;
        };
        cursor = format!("&cursor={next}");
    }
}

/// Every kind of question says of a cohort what it says of the users that are in it, and of all others.
async fn as_a_filter(stage: &Stage, project: &Project, zone: &str, id: &str, members: &BTreeSet<&str>) {
    let steps = json!([{"event_type": "visit"}, {"event_type": "buy"}]);
    let only = |op: &str| json!({"field": "cohort", "op": op, "value": id});
    let named = |op: &str| match members.is_empty() {
        true => json!({"field": "user_id", "op": op, "value": ["nobody at all"]}),
        false => json!({"field": "user_id", "op": op, "value": members}),
    };
    let pro = json!({"property": "plan", "op": "in", "value": ["pro", "team"]});
    for (of_cohort, of_users) in [
        (only("in"), named("in")),
        (only("not_in"), named("not_in")),
        (json!({"or": [only("in"), pro]}), json!({"or": [named("in"), pro]})),
    ] {
        for question in [
            json!({"kind": "active_users", "window": "week"}),
            json!({"kind": "top_events"}),
            json!({"kind": "retention", "interval": "week", "periods": 3, "start_event": "signup"}),
            json!({"kind": "trends", "interval": "week", "measure": "users", "breakdown": "plan"}),
            json!({"kind": "trends", "interval": "month", "series": [
                {"measure": "users", "event_type": "visit"}, {"measure": "count"},
                {"measure": "p95", "property": "amount"},
            ]}),
            json!({"kind": "funnel", "steps": steps, "window": "30d"}),
            json!({"kind": "funnel", "steps": steps, "window": "30d", "order": "strict", "breakdown": "plan"}),
            json!({"kind": "paths", "start_event": "visit", "gap": "14d"}),
            json!({"kind": "sessions", "interval": "month"}),
            json!({"kind": "lifecycle", "interval": "month"}),
            json!({"kind": "stickiness", "interval": "week"}),
        ] {
            let ask = async |filter: &Value| {
                let mut question = question.clone();
                (question["from"], question["to"]) = ("2025-02-20".into(), "2025-04-20".into());
                (question["timezone"], question["filter"]) = (zone.into(), filter.clone());
                stage.answer(project, &question).await.body
            };
            let (cohort, users) = (ask(&of_cohort).await, ask(&of_users).await);
            assert!(alike(&cohort, &users), "{question} {of_cohort}\n{cohort}\nnot {users}");
        }
    }
}

#[actix_web::test]
async fn sets_answer_for_a_cohort_and_a_change_shows_at_once() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let editor = Person::member(&stage, project.id, "editor", Role::Editor).await;
    let events = [
        did("ada", "buy", "2026-11-01T12:00:00Z"),
        did("ada", "visit", "2026-11-02T12:00:00Z"),
        did("bob", "visit", "2026-11-02T12:00:00Z"),
    ];
    tell(&mut stage.teller(), &project, &events).await;
    let buyers = json!({"name": "Buyers", "definition": {"did": {"event_type": "buy"}}});
    let kept = editor.post(&stage, PATH, buyers).await.good();
    let path = format!("{PATH}/{}", kept.id());
    let question = json!({
        "kind": "active_users", "from": "2026-11-02", "to": "2026-11-02",
        "filter": {"field": "cohort", "op": "in", "value": [kept.id()]},
    });
    let active = async || {
        let answer = stage.answer(&project, &question).await;
        assert_eq!(answer.source, "rollup");
        answer.body["data"][0]["users"].clone()
    };
    assert_eq!(active().await, 1);
    // A purchase of another month makes a buyer.
    tell(&mut stage.teller(), &project, &[did("bob", "buy", "2026-05-01T12:00:00Z")]).await;
    assert_eq!(active().await, 2);
    let listed = json!({"definition": {"users": ["cy"]}});
    let changed = editor.patch(&stage, &path, &kept.tag, listed).await.good();
    assert_eq!(active().await, 0);
    // Who is deleted leaves the lists.
    tell(&mut stage.teller(), &project, &[did("cy", "visit", "2026-11-02T12:00:00Z")]).await;
    assert_eq!(active().await, 1);
    stored::forget_user(&mut *stage.connection().await, project.id, "cy").await.unwrap();
    assert_eq!(editor.get(&stage, &path).await.good().body["definition"], json!({"users": []}));

    assert_eq!(editor.delete(&stage, &path, Some(&changed.tag)).await.status, 412, "the list has changed");
    assert_eq!(editor.delete(&stage, &path, Some("*")).await.status, 204);
    let (status, refused) = problem(stage.query(&project, &question)).await;
    assert_eq!((status, &refused["errors"][0]["code"]), (422, &json!("unknown_cohort")));
    assert_eq!(problem(stage.request(&format!("{path}/members"), &project.key)).await.0, 404);
}

#[actix_web::test]
async fn a_cohort_is_kept_changed_and_deleted_and_the_team_hears_of_it() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let ada = Person::member(&stage, project.id, "ada", Role::Viewer).await;
    let bob = Person::member(&stage, project.id, "bob", Role::Editor).await;
    let mut heard = notifications::listen(&stage.broker().await, project.id).await.unwrap();
    let content = json!({"name": "Buyers", "definition": {"did": {"event_type": "buy"}}});
    let kept = bob.post(&stage, PATH, content).await.good();
    let path = format!("{PATH}/{}", kept.id());
    assert_eq!(ada.get(&stage, &format!("{path}/members")).await.good().body["size"], 0);
    bob.patch(&stage, &path, &kept.tag, json!({"name": "Customers"})).await.good();
    bob.delete(&stage, &path, Some("*")).await.good();
    for (kind, name) in
        [("cohort_created", "Buyers"), ("cohort_updated", "Customers"), ("cohort_deleted", "Customers")]
    {
        let told: Notification = serde_json::from_slice(&heard.next().await.unwrap()).unwrap();
        assert_eq!(
            (told.kind.as_str(), told.actor_id, &told.details["name"]),
            (kind, Some(bob.id), &json!(name))
        );
        assert_eq!(told.about.cohort_id.unwrap().to_string(), kept.id());
        assert!(told.audience.has(Some(ada.id)));
    }
}

#[actix_web::test]
async fn nobody_overwrites_a_cohort_that_they_have_not_seen_and_every_mistake_is_named() {
    let stage = Stage::set().await;
    let project = stage.project("UTC").await;
    let ada = Person::member(&stage, project.id, "ada", Role::Editor).await;
    let everybody = json!({"did": {}});
    for (content, field) in [
        (json!({"definition": everybody}), "name"),
        (json!({"name": "  ", "definition": everybody}), "name"),
        (json!({"name": "a"}), "definition"),
        (json!({"name": "a", "definition": []}), "definition"),
        (json!({"name": "a", "definition": {"and": [{"did": {"times": 1}}]}}), "definition.and[0].did.times"),
        (json!({"name": "a", "definition": everybody, "colour": "red"}), "colour"),
    ] {
        let refused = ada.post(&stage, PATH, content.clone()).await;
        assert_eq!((refused.status, &refused.body["errors"][0]["field"]), (422, &json!(field)), "{content}");
    }

    let many: Vec<String> = (0..10_000).map(|n| format!("somebody-{n}")).collect();
    let kept = ada.post(&stage, PATH, json!({"name": "Many", "definition": {"users": many}})).await.good();
    let path = format!("{PATH}/{}", kept.id());
    let too_many = json!({"name": "Many", "definition": {"users": ["x".repeat(4 << 20)]}});
    assert_eq!(ada.post(&stage, PATH, too_many).await.status, 413);
    let first = ada.patch(&stage, &path, &kept.tag, json!({"name": "Most"})).await.good();
    assert_eq!(first.body["definition"], kept.body["definition"], "what is absent stays");
    let second = ada.patch(&stage, &path, &kept.tag, json!({"name": "All"})).await;
    assert_eq!((second.status, &second.body["current"]["name"]), (412, &json!("Most")));
    assert_eq!(ada.delete(&stage, &path, Some(&kept.tag)).await.status, 412);
    assert_eq!(ada.send(&stage, Method::DELETE, &path, None, None).await.status, 428);

    for name in ["Few", "All", "Few"] {
        ada.post(&stage, PATH, json!({"name": name, "definition": everybody})).await.good();
    }
    let first = ada.get(&stage, &format!("{PATH}?limit=3")).await.good().body;
    let rest = format!("{PATH}?limit=3&cursor={}", first["next_cursor"].as_str().unwrap());
    let rest = ada.get(&stage, &rest).await.good().body;
    let names = |page: &Value| -> Vec<Value> {
        page["data"].as_array().unwrap().iter().map(|cohort| cohort["name"].clone()).collect()
    };
    assert_eq!(
        (names(&first), names(&rest)),
        (vec!["All".into(), "Few".into(), "Few".into()], vec!["Most".into()])
    );
}

/// The examples of docs/definitions.md.
#[actix_web::test]
async fn cohorts_of_the_little_history() {
    let stage = Stage::at(|| "2026-11-05T12:00:00Z".parse().unwrap()).await;
    let project = stage.project("UTC").await;
    let editor = Person::member(&stage, project.id, "editor", Role::Editor).await;
    tell(&mut stage.teller(), &project, &crate::examples::little_history()).await;
    for (definition, members) in [
        (json!({"did": {"event_type": "login", "at_least": 3}}), vec!["ada"]),
        (json!({"did": {"days": 2}}), vec!["ada", "bob"]),
        (json!({"not": {"did": {"from": "2026-11-02", "to": "2026-11-02"}}}), vec!["bob"]),
        (json!({"or": [{"users": ["cy", "dan"]}, {"did": {"at_least": 3}}]}), vec!["ada", "cy"]),
    ] {
        let id =
            editor.post(&stage, PATH, json!({"name": "Some", "definition": definition})).await.good().id();
        assert_eq!(
            all_members(&stage, &project, &id).await,
            members.iter().map(ToString::to_string).collect()
        );
        if definition["or"].is_array() {
            let filter = json!({"field": "cohort", "op": "in", "value": id});
            let dau =
                json!({"kind": "active_users", "from": "2026-11-01", "to": "2026-11-04", "filter": filter});
            let answer = stage.answer(&project, &dau).await.body;
            let users: Vec<&Value> =
                answer["data"].as_array().unwrap().iter().map(|day| &day["users"]).collect();
            assert_eq!(users, [1, 2, 0, 1]);
        }
    }
}
