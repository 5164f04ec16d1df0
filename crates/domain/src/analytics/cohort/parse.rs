//! Definitions of cohorts as they are written.

use serde::Deserialize;
use serde_json::Value;

use super::{Definition, Did, Leaf, Within};
use crate::analytics::event_selector::EventSelector;
use crate::analytics::filter::{FilterParameters, MAX_DEPTH, Selection};
use crate::analytics::period::Period;
use crate::analytics::query_fault::{QueryFault, read, whole_number};
use crate::analytics::trends::selection;
use crate::text::UserId;

/// The most leaves of one definition.
pub const MAX_LEAVES: usize = 20;
/// The most users that one definition names.
pub const MAX_USERS: usize = 10_000;
const MAX_TIMES: u64 = 1_000_000;
const MAX_DAYS: u64 = 3_650;

/// A definition as JSON has it: `{"and": […]}`, `{"or": […]}`, `{"not": {…}}`, `{"did": {…}}`, `{"had": {…}}` or
/// `{"users": […]}`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DefinitionParameters {
    and: Option<Vec<DefinitionParameters>>,
    or: Option<Vec<DefinitionParameters>>,
    not: Option<Box<DefinitionParameters>>,
    did: Option<DidParameters>,
    had: Option<HadParameters>,
    users: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct DidParameters {
    event_type: Option<String>,
    filter: Option<FilterParameters>,
    at_least: Option<Value>,
    days: Option<Value>,
    from: Option<String>,
    to: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct HadParameters {
    property: String,
    op: Option<String>,
    value: Option<Value>,
    days: Option<Value>,
    from: Option<String>,
    to: Option<String>,
}

/// What is left to write of a definition's limits.
struct Budget {
    leaves: usize,
    users: usize,
}

impl Definition {
    /// Reads the field `definition`.
    ///
    /// # Errors
    /// Names the part that cannot be used.
    pub fn parse(definition: Value) -> Result<Self, QueryFault> {
        const FIELD: &str = "definition";
        let raw: DefinitionParameters = read(definition).map_err(|fault| match fault.field.as_str() {
            "body" => QueryFault::new(FIELD, fault.code, "must be an object"),
            _ => fault.within(FIELD),
        })?;
        raw.parse(FIELD, 1, &mut Budget { leaves: MAX_LEAVES, users: MAX_USERS })
    }
}

/// Takes a user out of every list of a definition as it was written.
pub fn forget_user(definition: &mut Value, user: &str) {
    match definition {
        Value::Object(members) => {
            if let Some(Value::Array(users)) = members.get_mut("users") {
                users.retain(|name| name.as_str() != Some(user));
            }
            members.values_mut().for_each(|part| forget_user(part, user));
        }
        Value::Array(parts) => parts.iter_mut().for_each(|part| forget_user(part, user)),
        _ => {}
    }
}

impl DefinitionParameters {
    fn parse(self, path: &str, depth: usize, budget: &mut Budget) -> Result<Definition, QueryFault> {
        if depth > MAX_DEPTH {
            let reason = format_args!("must not nest deeper than {MAX_DEPTH} levels");
            return Err(QueryFault::new(path, "too_deep", reason));
        }
        let Self { and, or, not, did, had, users } = self;
        match (and, or, not, did, had, users) {
            (Some(parts), None, None, None, None, None) => {
                Ok(Definition::And(all(parts, &format!("{path}.and"), depth, budget)?))
            }
            (None, Some(parts), None, None, None, None) => {
                Ok(Definition::Or(all(parts, &format!("{path}.or"), depth, budget)?))
            }
            (None, None, Some(part), None, None, None) => {
                Ok(Definition::Not(Box::new(part.parse(&format!("{path}.not"), depth + 1, budget)?)))
            }
            (None, None, None, Some(did), None, None) => {
                budget.take_leaf(path)?;
                Ok(Definition::Leaf(Leaf::Did(did.parse(&format!("{path}.did"))?)))
            }
            (None, None, None, None, Some(had), None) => {
                budget.take_leaf(path)?;
                Ok(Definition::Leaf(Leaf::Did(had.parse(&format!("{path}.had"))?)))
            }
            (None, None, None, None, None, Some(users)) => {
                budget.take_leaf(path)?;
                Ok(Definition::Leaf(Leaf::Users(named(&users, &format!("{path}.users"), budget)?)))
            }
            _ => {
                let reason = "must be one of `and`, `or`, `not`, `did`, `had` or `users`";
                Err(QueryFault::new(path, "ambiguous", reason))
            }
        }
    }
}

fn all(
    parts: Vec<DefinitionParameters>,
    path: &str,
    depth: usize,
    budget: &mut Budget,
) -> Result<Vec<Definition>, QueryFault> {
    if parts.is_empty() {
        return Err(QueryFault::new(path, "empty", "must not be empty"));
    }
    let part = |(place, part): (usize, DefinitionParameters)| {
        part.parse(&format!("{path}[{place}]"), depth + 1, budget)
    };
    parts.into_iter().enumerate().map(part).collect()
}

fn named(users: &[String], path: &str, budget: &mut Budget) -> Result<Vec<UserId>, QueryFault> {
    budget.users = budget.users.checked_sub(users.len()).ok_or_else(|| {
        let reason = format_args!("is too much: a definition names at most {MAX_USERS} users");
        QueryFault::new(path, "too_many_users", reason)
    })?;
    let user = |(place, user): (usize, &String)| {
        UserId::parse(user).map_err(|fault| QueryFault::new(format!("{path}[{place}]"), "invalid", fault))
    };
    users.iter().enumerate().map(user).collect()
}

impl Budget {
    fn take_leaf(&mut self, path: &str) -> Result<(), QueryFault> {
        self.leaves = self.leaves.checked_sub(1).ok_or_else(|| {
            let reason = format_args!(
                "is one too many: a definition has at most {MAX_LEAVES} of `did`, `had` and `users`"
            );
            QueryFault::new(path, "too_many_conditions", reason)
        })?;
        Ok(())
    }
}

impl DidParameters {
    fn parse(self, path: &str) -> Result<Did, QueryFault> {
        let events = selection(path, self.event_type.as_deref(), self.filter)?;
        if events.filter.as_ref().is_some_and(|filter| !filter.cohorts().is_empty()) {
            let reason = "must not ask for cohorts: write what they are instead";
            return Err(QueryFault::new(format!("{path}.filter"), "cohort_in_cohort", reason));
        }
        let at_least = whole_number("at_least", self.at_least.as_ref(), 1, 1, MAX_TIMES);
        let at_least = u32::try_from(at_least.map_err(|fault| fault.within(path))?).unwrap_or(u32::MAX);
        Ok(Did { events, at_least, within: within(path, self.days.as_ref(), self.from, self.to)? })
    }
}

impl HadParameters {
    fn parse(self, path: &str) -> Result<Did, QueryFault> {
        let test = FilterParameters::of_property(self.property, self.op, self.value);
        let events = Selection { event: EventSelector::Any, filter: Some(test.parse(path)?) };
        Ok(Did { events, at_least: 1, within: within(path, self.days.as_ref(), self.from, self.to)? })
    }
}

fn within(
    path: &str,
    days: Option<&Value>,
    from: Option<String>,
    to: Option<String>,
) -> Result<Within, QueryFault> {
    match (days, from, to) {
        (None, None, None) => Ok(Within::Ever),
        (Some(_), None, None) => {
            let days = whole_number("days", days, 1, 1, MAX_DAYS).map_err(|fault| fault.within(path))?;
            Ok(Within::LastDays(u16::try_from(days).unwrap_or(u16::MAX)))
        }
        (None, Some(from), Some(to)) => {
            let period = Period::parse(&from, &to).map_err(|fault| QueryFault::from(fault).within(path))?;
            Ok(Within::Period(period))
        }
        (None, from, _) => {
            let missing = if from.is_none() { "from" } else { "to" };
            Err(QueryFault::required(format!("{path}.{missing}")))
        }
        (Some(_), ..) => {
            let reason = "cannot stand beside from and to";
            Err(QueryFault::new(format!("{path}.days"), "conflicting_parameters", reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn nothing_more_said_means_once_at_any_time() {
        let Ok(Definition::Leaf(Leaf::Did(did))) = Definition::parse(json!({"did": {"event_type": "buy"}}))
        else {
            panic!("not a leaf");
        };
        assert_eq!((did.at_least, did.within), (1, Within::Ever));
        assert!(did.events.is_plain());
    }

    #[test]
    fn having_had_a_property_is_an_event_with_it() {
        let had = json!({"had": {"property": "plan", "op": "eq", "value": "pro", "days": 7}});
        let did = json!({"did": {"filter": {"property": "plan", "op": "eq", "value": "pro"}, "days": 7}});
        assert_eq!(Definition::parse(had).unwrap(), Definition::parse(did).unwrap());
    }

    #[test]
    fn a_user_is_taken_out_of_every_list() {
        let mut definition = json!({"and": [{"users": ["ada", "bob"]}, {"not": {"users": ["ada"]}}]});
        forget_user(&mut definition, "ada");
        assert_eq!(definition, json!({"and": [{"users": ["bob"]}, {"not": {"users": []}}]}));
        assert!(Definition::parse(definition).is_ok(), "nobody can be named, too");
    }

    #[test]
    fn every_mistake_names_its_path() {
        let cohort = json!({"field": "cohort", "op": "in", "value": "0193a2f4-6f10-7d02-8a55-3b0c9d4e7f61"});
        let many = vec![json!({"users": ["a"]}); MAX_LEAVES + 1];
        let deep = (0..8).fold(json!({"users": []}), |inner, _| json!({"not": inner}));
        for (definition, field, code) in [
            (json!("all"), "definition", "invalid"),
            (json!({}), "definition", "ambiguous"),
            (json!({"and": []}), "definition.and", "empty"),
            (json!({"or": [{"all": 1}]}), "definition.or[0].all", "unknown"),
            (json!({"not": {"did": {}, "users": []}}), "definition.not", "ambiguous"),
            (json!({"did": {"times": 2}}), "definition.did.times", "unknown"),
            (json!({"did": {"at_least": 0}}), "definition.did.at_least", "out_of_range"),
            (json!({"did": {"days": 0}}), "definition.did.days", "out_of_range"),
            (
                json!({"did": {"days": 3, "from": "2026-11-01"}}),
                "definition.did.days",
                "conflicting_parameters",
            ),
            (json!({"did": {"from": "2026-11-01"}}), "definition.did.to", "required"),
            (
                json!({"did": {"from": "2026-11-02", "to": "2026-11-01"}}),
                "definition.did.from",
                "reversed_period",
            ),
            (json!({"did": {"event_type": "\u{0}"}}), "definition.did.event_type", "invalid_event_type"),
            (json!({"did": {"filter": {"and": []}}}), "definition.did.filter.and", "empty"),
            (json!({"did": {"filter": cohort}}), "definition.did.filter", "cohort_in_cohort"),
            (json!({"had": {"property": "a"}}), "definition.had.op", "required"),
            (json!({"had": {"op": "exists"}}), "definition.had.property", "invalid"),
            (json!({"users": ["ada", ""]}), "definition.users[1]", "invalid"),
            (json!({"users": vec!["a"; MAX_USERS + 1]}), "definition.users", "too_many_users"),
            (json!({"or": many}), "definition.or[20]", "too_many_conditions"),
            (deep, "definition.not.not.not.not.not.not.not.not", "too_deep"),
        ] {
            let fault = Definition::parse(definition.clone()).unwrap_err();
            assert_eq!((fault.field.as_str(), fault.code), (field, code), "{definition}");
            assert!(fault.message.starts_with(field), "{}", fault.message);
        }
    }
}
