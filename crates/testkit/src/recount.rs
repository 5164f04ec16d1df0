//! The roll-ups, counted again from the events by SQL alone.

use std::collections::BTreeMap;

use millrace_domain::ids::ProjectId;
use roaring::RoaringBitmap;

use crate::database::TestDatabase;

/// Asserts that counts and activity sets say exactly what the events say.
pub async fn assert_roll_ups_equal_the_events(database: &TestDatabase, project: ProjectId, zone: &str) {
    let client = database.client().await;
    let wrong_counts = client
        .query_one(
            "SELECT count(*) FROM
               (SELECT project_id, time_bucket('15 minutes', occurred_at) AS bucket, event_type, count(*) AS count
                FROM events GROUP BY 1, 2, 3) AS recount
             FULL JOIN event_counts USING (project_id, bucket, event_type)
             WHERE recount.count IS DISTINCT FROM event_counts.count",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(wrong_counts.get::<_, i64>(0), 0, "buckets whose count differs from the events");

    let rows = client
        .query(
            "SELECT to_char(occurred_at AT TIME ZONE $2, 'YYYY-MM-DD'), event_type, array_agg(DISTINCT user_no ORDER BY user_no)
             FROM events WHERE project_id = $1
             GROUP BY GROUPING SETS ((1, 2), (1))",
            &[&project.0, &zone],
        )
        .await
        .unwrap();
    let mut expected: BTreeMap<(String, String), RoaringBitmap> = BTreeMap::new();
    for row in rows {
        let users: Vec<i32> = row.get(2);
        let any_event = row.get::<_, Option<String>>(1).unwrap_or_default();
        expected
            .insert((any_event, row.get(0)), users.into_iter().map(|n| u32::try_from(n).unwrap()).collect());
    }
    let parts = client
        .query("SELECT event_type, day::text, users FROM activity WHERE project_id = $1", &[&project.0])
        .await
        .unwrap();
    let mut found: BTreeMap<(String, String), RoaringBitmap> = BTreeMap::new();
    for part in parts {
        let users = RoaringBitmap::deserialize_from(part.get::<_, &[u8]>(2)).unwrap();
        *found.entry((part.get(0), part.get(1))).or_default() |= users;
    }
    assert_eq!(found, expected, "users per event type ('' for any) and day");
}
