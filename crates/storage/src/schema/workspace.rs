//! What teams keep: insights, dashboards, alerts, cohorts.

diesel::table! {
    insights (id) {
        id -> Uuid,
        project_id -> Uuid,
        title -> Text,
        body -> Text,
        query -> Nullable<Jsonb>,
        owner_id -> Nullable<Uuid>,
        visibility -> Text,
        tags -> Array<Text>,
        version -> BigInt,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    alerts (id) {
        id -> Uuid,
        project_id -> Uuid,
        insight_id -> Uuid,
        name -> Text,
        owner_id -> Nullable<Uuid>,
        visibility -> Text,
        condition -> Jsonb,
        times -> SmallInt,
        every_seconds -> Integer,
        enabled -> Bool,
        by_mail -> Bool,
        webhook_url -> Nullable<Text>,
        version -> BigInt,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    alert_states (alert_id) {
        alert_id -> Uuid,
        firing -> Bool,
        against -> SmallInt,
        number -> Nullable<Double>,
        previous -> Nullable<Double>,
        error -> Nullable<Text>,
        evaluated_at -> Nullable<Timestamptz>,
        due_at -> Timestamptz,
        holder -> Nullable<Uuid>,
    }
}

diesel::table! {
    alert_events (id) {
        id -> Uuid,
        alert_id -> Uuid,
        kind -> Text,
        number -> Nullable<Double>,
        previous -> Nullable<Double>,
        occurred_at -> Timestamptz,
    }
}

diesel::table! {
    alert_deliveries (id) {
        id -> Uuid,
        event_id -> Uuid,
        channel -> Text,
        status -> Text,
        attempts -> Integer,
        error -> Nullable<Text>,
        due_at -> Timestamptz,
        settled_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    insight_results (insight_id) {
        insight_id -> Uuid,
        query -> Jsonb,
        answer -> Text,
        answered_at -> Timestamptz,
    }
}

diesel::table! {
    dashboards (id) {
        id -> Uuid,
        project_id -> Uuid,
        name -> Text,
        owner_id -> Nullable<Uuid>,
        visibility -> Text,
        version -> BigInt,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    tiles (dashboard_id, insight_id) {
        dashboard_id -> Uuid,
        insight_id -> Uuid,
        x -> SmallInt,
        y -> SmallInt,
        width -> SmallInt,
        height -> SmallInt,
    }
}

diesel::table! {
    dashboard_shares (id) {
        id -> Uuid,
        dashboard_id -> Uuid,
        hash -> Binary,
        created_by -> Nullable<Uuid>,
        created_at -> Timestamptz,
        expires_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    cohorts (id) {
        id -> Uuid,
        project_id -> Uuid,
        name -> Text,
        definition -> Jsonb,
        owner_id -> Nullable<Uuid>,
        version -> BigInt,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
    }
}

diesel::allow_tables_to_appear_in_same_query!(insights, insight_results, dashboards, tiles, dashboard_shares);
diesel::allow_tables_to_appear_in_same_query!(alerts, alert_states, alert_events, alert_deliveries);
