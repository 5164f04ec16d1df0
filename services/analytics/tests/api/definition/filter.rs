//! Which events a filter selects, read off its JSON.

use serde_json::Value;

use crate::chronicle::Happened;

pub(crate) fn passes(filter: &Value, event: &Happened) -> bool {
    if let Some(parts) = filter["and"].as_array() {
        return parts.iter().all(|part| passes(part, event));
    }
    if let Some(parts) = filter["or"].as_array() {
        return parts.iter().any(|part| passes(part, event));
    }
    if filter["not"].is_object() {
        return !passes(&filter["not"], event);
    }
    let op = filter["op"].as_str().unwrap();
    if op == "neq" {
        let mut eq = filter.clone();
        eq["op"] = "eq".into();
        return !passes(&eq, event);
    }
    let wanted = &filter["value"];
    match filter["field"].as_str() {
        Some("event_type") => holds(&Value::from(event.kind.as_str()), op, wanted),
        Some("user_id") => holds(&Value::from(event.user.as_str()), op, wanted),
        Some("time") => {
            let instant: chrono::DateTime<chrono::Utc> = wanted.as_str().unwrap().parse().unwrap();
            compares(event.at.cmp(&instant), op)
        }
        _ => holds(&event.properties[filter["property"].as_str().unwrap()], op, wanted),
    }
}

fn holds(value: &Value, op: &str, wanted: &Value) -> bool {
    let equals = |wanted: &Value| match (value.as_f64(), wanted.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => value == wanted,
    };
    match op {
        "exists" => !value.is_null(),
        "eq" => equals(wanted),
        "in" => wanted.as_array().unwrap().iter().any(equals),
        "contains" => value.as_str().is_some_and(|text| text.contains(wanted.as_str().unwrap())),
        _ => match (value, wanted) {
            (Value::Number(a), Value::Number(b)) => {
                compares(a.as_f64().unwrap().total_cmp(&b.as_f64().unwrap()), op)
            }
            (Value::String(a), Value::String(b)) => compares(a.as_bytes().cmp(b.as_bytes()), op),
            _ => false,
        },
    }
}

fn compares(order: std::cmp::Ordering, op: &str) -> bool {
    match op {
        "gt" => order.is_gt(),
        "gte" => order.is_ge(),
        "lt" => order.is_lt(),
        _ => order.is_le(),
    }
}
