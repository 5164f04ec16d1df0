use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;

/// The part of an event that a column gives.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Field<'a> {
    EventId,
    EventType,
    UserId,
    OccurredAt,
    SessionId,
    Properties,
    Context,
    Property(Cow<'a, str>),
}

impl<'a> Field<'a> {
    /// The field that goes by a name, with the spellings that the API accepts.
    fn named(name: &'a str) -> Option<Self> {
        Some(match name {
            "event_id" => Self::EventId,
            "event_type" => Self::EventType,
            "user_id" => Self::UserId,
            "occurred_at" | "timestamp" => Self::OccurredAt,
            "session_id" => Self::SessionId,
            "properties" | "data" => Self::Properties,
            "context" | "metadata" => Self::Context,
            _ => {
                Self::Property(Cow::Borrowed(name.strip_prefix("properties.").filter(|key| !key.is_empty())?))
            }
        })
    }

    pub(crate) fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(match self {
            Self::EventId => "event_id",
            Self::EventType => "event_type",
            Self::UserId => "user_id",
            Self::OccurredAt => "occurred_at",
            Self::SessionId => "session_id",
            Self::Properties => "properties",
            Self::Context => "context",
            Self::Property(key) => return Cow::Owned(format!("properties.{key}")),
        })
    }

    fn into_owned(self) -> Field<'static> {
        match self {
            Self::EventId => Field::EventId,
            Self::EventType => Field::EventType,
            Self::UserId => Field::UserId,
            Self::OccurredAt => Field::OccurredAt,
            Self::SessionId => Field::SessionId,
            Self::Properties => Field::Properties,
            Self::Context => Field::Context,
            Self::Property(key) => Field::Property(Cow::Owned(key.into_owned())),
        }
    }
}

/// One `--map column=field`.
#[derive(Debug, Clone)]
pub struct Mapped {
    column: String,
    field: Field<'static>,
}

impl FromStr for Mapped {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (column, name) = text.rsplit_once('=').ok_or("write it as column=field")?;
        let field = Field::named(name).ok_or_else(|| {
            format!(
                "`{name}` is no field: use event_id, event_type, user_id, occurred_at, session_id, \
                 properties, context or properties.<name>"
            )
        })?;
        Ok(Self { column: column.to_owned(), field: field.into_owned() })
    }
}

/// Which field each column gives.
#[derive(Debug, Clone, Default)]
pub struct Mapping(BTreeMap<String, Field<'static>>);

impl Mapping {
    /// The field of a column: as mapped, else by its name, else the property of that name.
    pub(crate) fn field<'a>(&'a self, column: Cow<'a, str>) -> Field<'a> {
        if let Some(field) = self.0.get(column.as_ref()) {
            return field.clone();
        }
        match column {
            Cow::Borrowed(name) => Field::named(name).unwrap_or(Field::Property(column)),
            Cow::Owned(name) => {
                Field::named(&name).map(Field::into_owned).unwrap_or(Field::Property(Cow::Owned(name)))
            }
        }
    }

    /// The fields of a header, or what makes it unusable.
    pub(crate) fn header(&self, columns: &[&str]) -> Result<Vec<Field<'static>>, String> {
        let mut fields: Vec<Field<'static>> = Vec::with_capacity(columns.len());
        for column in columns {
            let field = self.field(Cow::Borrowed(column)).into_owned();
            if let Some(earlier) = fields.iter().zip(columns).find_map(|(f, c)| (*f == field).then_some(c)) {
                let field = field.name();
                return Err(format!("the columns `{earlier}` and `{column}` both give {field}; use --map"));
            }
            fields.push(field);
        }
        let listed = columns.join(", ");
        if let Some(missing) = self.0.keys().find(|column| !columns.contains(&column.as_str())) {
            return Err(format!("there is no column `{missing}` to map; the columns are {listed}"));
        }
        for needed in [Field::EventType, Field::UserId] {
            if !fields.contains(&needed) {
                let name = needed.name();
                return Err(format!(
                    "no column gives {name}; name one with --map <column>={name}; the columns are {listed}"
                ));
            }
        }
        Ok(fields)
    }
}

impl FromIterator<Mapped> for Mapping {
    fn from_iter<I: IntoIterator<Item = Mapped>>(entries: I) -> Self {
        Self(entries.into_iter().map(|Mapped { column, field }| (column, field)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(entries: &[&str]) -> Mapping {
        entries.iter().map(|entry| entry.parse::<Mapped>().unwrap()).collect()
    }

    #[test]
    fn a_column_is_mapped_known_or_a_property() {
        let mapping = mapping(&["ts=occurred_at", "a=b=properties.ref"]);
        assert_eq!(mapping.field("ts".into()), Field::OccurredAt);
        assert_eq!(mapping.field("a=b".into()), Field::Property("ref".into()));
        assert_eq!(mapping.field("timestamp".into()), Field::OccurredAt);
        assert_eq!(mapping.field("metadata".into()), Field::Context);
        assert_eq!(mapping.field("properties.plan".into()), Field::Property("plan".into()));
        assert_eq!(mapping.field("plan".into()), Field::Property("plan".into()));
    }

    #[test]
    fn a_mapping_to_no_field_is_refused() {
        for entry in ["ts", "ts=when", "ts=properties."] {
            assert!(entry.parse::<Mapped>().is_err(), "{entry}");
        }
    }

    #[test]
    fn an_unusable_header_is_told_apart() {
        let none = Mapping::default();
        assert!(none.header(&["user_id", "event_type", "x"]).is_ok());
        assert!(none.header(&["user_id", "what"]).unwrap_err().contains("no column gives event_type"));
        let twice = none.header(&["user_id", "event_type", "timestamp", "occurred_at"]);
        assert!(twice.unwrap_err().contains("`timestamp` and `occurred_at`"));
        let absent = mapping(&["ts=occurred_at"]).header(&["user_id", "event_type"]);
        assert!(absent.unwrap_err().contains("no column `ts`"));
    }
}
