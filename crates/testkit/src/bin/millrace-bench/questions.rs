//! What is asked about the population's month, and what answers it without Millrace.

use serde_json::Value;

/// Milliseconds within which an answer has to come: the first one after a start, one that is worked out, one that is kept.
pub struct Limits {
    pub first: f64,
    pub warm: Option<f64>,
    pub kept: f64,
}

/// What sets and counts answer.
const FROM_SETS: Limits = Limits { first: 200.0, warm: Some(10.0), kept: 2.0 };
const FUNNEL: Limits = Limits { first: 300.0, warm: None, kept: 2.0 };
const LARGE_FUNNEL: Limits = Limits { first: 1_000.0, warm: Some(300.0), kept: 2.0 };
const BREAKDOWN: Limits = Limits { first: 1_500.0, warm: None, kept: 2.0 };

/// A question, and what answers it without Millrace.
pub struct Question {
    pub what: &'static str,
    pub limits: Limits,
    /// What follows the gateway's address, or the body for `POST /api/v1/query`.
    pub asked: Asked,
    /// Its last row has a number of the answer,
    pub sql: &'static str,
    /// in this column.
    pub column: usize,
    /// As has the only row of this, which is there for SQL that may take too long.
    pub check: Option<&'static str>,
    /// That number, in the answer.
    pub number: fn(&Value) -> &Value,
}

#[derive(Clone, Copy)]
pub enum Asked {
    Get(&'static str),
    Query(&'static str),
}

use Asked::{Get, Query};

const IN_THE_MONTH: &str = "SELECT count(DISTINCT user_id) FROM events
    WHERE project_id = $1 AND occurred_at >= '2026-10-01' AND occurred_at < '2026-10-31'";

/// A funnel by SQL, from this step on. Simpler than the funnel: only the first attempt of each user counts.
macro_rules! funnel_sql {
    ($first:literal) => {
        concat!(
            "WITH one AS (SELECT user_no, min(occurred_at) AS at FROM events
                          WHERE project_id = $1 AND event_type = '",
            $first,
            "'
                          AND occurred_at >= '2026-10-01' AND occurred_at < '2026-10-31' GROUP BY 1),
                  two AS (SELECT one.user_no, one.at AS began, min(events.occurred_at) AS at FROM one JOIN events
                          ON events.project_id = $1 AND events.event_type = 'added_to_cart'
                          AND events.user_no = one.user_no AND events.occurred_at > one.at
                          AND events.occurred_at <= one.at + interval '7 days' GROUP BY 1, 2),
                  three AS (SELECT DISTINCT two.user_no FROM two JOIN events
                          ON events.project_id = $1 AND events.event_type = 'order_completed'
                          AND events.user_no = two.user_no AND events.occurred_at > two.at
                          AND events.occurred_at <= two.began + interval '7 days')
             SELECT (SELECT count(*) FROM one), (SELECT count(*) FROM two), (SELECT count(*) FROM three)"
        )
    };
}

/// The users of an event type in the month.
macro_rules! users_sql {
    ($event_type:literal) => {
        concat!(
            "SELECT count(DISTINCT user_no) FROM events WHERE project_id = $1 AND event_type = '",
            $event_type,
            "' AND occurred_at >= '2026-10-01' AND occurred_at < '2026-10-31'"
        )
    };
}

pub const QUESTIONS: [Question; 8] = [
    Question {
        what: "daily active users, 30 days",
        limits: FROM_SETS,
        asked: Get("/api/v1/stats/dau?from=2026-10-01&to=2026-10-30"),
        sql: "SELECT date_trunc('day', occurred_at), count(DISTINCT user_id) FROM events
              WHERE project_id = $1 AND occurred_at >= '2026-10-01' AND occurred_at < '2026-10-31' GROUP BY 1 ORDER BY 1",
        column: 1,
        check: None,
        number: |answer| &answer["data"][29]["users"],
    },
    Question {
        what: "weekly active users, 30 dates",
        limits: FROM_SETS,
        asked: Get("/api/v1/stats/wau?from=2026-10-01&to=2026-10-30"),
        sql: "SELECT day, count(DISTINCT user_id)
              FROM generate_series('2026-10-01'::timestamptz, '2026-10-30', interval '1 day') AS day
              JOIN events ON project_id = $1 AND occurred_at >= day - interval '6 days' AND occurred_at < day + interval '1 day'
              GROUP BY 1 ORDER BY 1",
        column: 1,
        check: Some(
            "SELECT count(DISTINCT user_id) FROM events
             WHERE project_id = $1 AND occurred_at >= '2026-10-24' AND occurred_at < '2026-10-31'",
        ),
        number: |answer| &answer["data"][29]["users"],
    },
    Question {
        what: "monthly active users, 30 dates",
        limits: FROM_SETS,
        asked: Get("/api/v1/stats/mau?from=2026-10-01&to=2026-10-30"),
        sql: "SELECT day, count(DISTINCT user_id)
              FROM generate_series('2026-10-01'::timestamptz, '2026-10-30', interval '1 day') AS day
              JOIN events ON project_id = $1 AND occurred_at >= day - interval '29 days' AND occurred_at < day + interval '1 day'
              GROUP BY 1 ORDER BY 1",
        column: 1,
        check: Some(IN_THE_MONTH),
        number: |answer| &answer["data"][29]["users"],
    },
    Question {
        what: "top events, 30 days",
        limits: FROM_SETS,
        asked: Get("/api/v1/stats/top-events?from=2026-10-01&to=2026-10-30"),
        sql: "SELECT event_type, count(*), count(DISTINCT user_id) FROM events
              WHERE project_id = $1 AND occurred_at >= '2026-10-01' AND occurred_at < '2026-10-31'
              GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 10",
        column: 2,
        check: None,
        number: |answer| &answer["data"][4]["users"],
    },
    Question {
        what: "retention, 30 daily cohorts, 7 periods",
        limits: FROM_SETS,
        asked: Get("/api/v1/stats/retention?interval=day&periods=7&mode=on&cohort=first_time&from=2026-10-01&to=2026-10-30"),
        sql: "WITH days AS (SELECT DISTINCT user_id, occurred_at::date AS day FROM events WHERE project_id = $1),
                   firsts AS (SELECT user_id, min(day) AS cohort FROM days GROUP BY 1)
              SELECT cohort, day - cohort AS period, count(*) FROM days JOIN firsts USING (user_id)
              WHERE day - cohort <= 7 AND cohort >= '2026-10-01' GROUP BY 1, 2 ORDER BY cohort DESC, period",
        column: 2,
        check: None,
        number: |answer| &answer["data"][0]["values"][7]["users"],
    },
    Question {
        what: "funnel of three steps, 30 days",
        limits: FUNNEL,
        asked: Query(
            r#"{"kind": "funnel", "from": "2026-10-01", "to": "2026-10-30", "window": "7d", "steps":
                [{"event_type": "search"}, {"event_type": "added_to_cart"}, {"event_type": "order_completed"}]}"#,
        ),
        sql: funnel_sql!("search"),
        column: 0,
        check: Some(users_sql!("search")),
        number: |answer| &answer["data"][0]["users"],
    },
    Question {
        what: "funnel of frequent events, 30 days",
        limits: LARGE_FUNNEL,
        asked: Query(
            r#"{"kind": "funnel", "from": "2026-10-01", "to": "2026-10-30", "window": "7d", "steps":
                [{"event_type": "page_view"}, {"event_type": "added_to_cart"}, {"event_type": "order_completed"}]}"#,
        ),
        sql: funnel_sql!("page_view"),
        column: 0,
        check: Some(users_sql!("page_view")),
        number: |answer| &answer["data"][0]["users"],
    },
    Question {
        what: "users of an event type by a property, 30 days",
        limits: BREAKDOWN,
        asked: Query(
            r#"{"kind": "trends", "from": "2026-10-01", "to": "2026-10-30", "interval": "month",
                "event_type": "page_view", "measure": "users", "breakdown": "plan"}"#,
        ),
        // By how often, as the answer has it.
        sql: "SELECT properties ->> 'plan', count(DISTINCT user_no) FROM events
              WHERE project_id = $1 AND event_type = 'page_view' AND occurred_at >= '2026-10-01' AND occurred_at < '2026-10-31'
              GROUP BY 1 ORDER BY count(*) DESC, 1",
        column: 1,
        check: None,
        number: |answer| &answer["data"][3]["total"],
    },
];
