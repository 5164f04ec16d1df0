//! The events that a question selects, in SQL. Whatever a client sent travels as a bound parameter: the text of a
//! statement is made of words that are written here, and of nothing else.

use std::ops::Range;

use chrono::{DateTime, Utc};
use diesel::deserialize::QueryableByName;
use diesel::pg::Pg;
use diesel::query_builder::{BoxedSqlQuery, SqlQuery};
use diesel::serialize::ToSql;
use diesel::sql_types::{self, HasSqlType};
use diesel_async::AsyncPgConnection;
use diesel_async::RunQueryDsl;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use millrace_domain::analytics::audience::Audience;
use millrace_domain::analytics::event_selector::EventSelector;
use millrace_domain::analytics::filter::{Comparison, Filter, PropertyTest, Scalar, Selection, TextTest};
use millrace_domain::ids::ProjectId;
use millrace_domain::text::PropertyName;
use roaring::RoaringBitmap;
use serde_json::Value;

use crate::error::StorageError;

/// A statement that grows: text with the parameters that it speaks of.
pub(crate) struct Statement<'a> {
    query: BoxedSqlQuery<'a, Pg, SqlQuery>,
    bound: usize,
}

impl<'a> Statement<'a> {
    pub(crate) fn new(sql: &str) -> Self {
        Self { query: diesel::sql_query(sql).into_boxed(), bound: 0 }
    }

    pub(crate) fn sql(self, sql: &str) -> Self {
        Self { query: self.query.sql(sql), bound: self.bound }
    }

    /// Goes on with a parameter of the type `T`.
    pub(crate) fn bind<T, V>(self, value: V) -> Self
    where
        Pg: HasSqlType<T>,
        V: ToSql<T, Pg> + Send + 'a,
        T: Send + 'a,
    {
        let bound = self.bound + 1;
        Self { query: self.query.sql(format!("${bound}")).bind::<T, V>(value), bound }
    }

    pub(crate) fn text(self, value: &str) -> Self {
        self.bind::<sql_types::Text, _>(value.to_owned())
    }

    pub(crate) fn instant(self, value: DateTime<Utc>) -> Self {
        self.bind::<sql_types::Timestamptz, _>(value)
    }

    /// The rest of the statement from its `FROM` on: the events of a project within `instants`.
    pub(crate) fn of_events(self, project: ProjectId, instants: &Range<DateTime<Utc>>) -> Self {
        self.sql(" FROM events WHERE project_id = ")
            .bind::<sql_types::Uuid, _>(project.0)
            .sql(" AND occurred_at >= ")
            .instant(instants.start)
            .sql(" AND occurred_at < ")
            .instant(instants.end)
    }

    /// Those of them that are selected, as a condition more. Two statements rather than one with an `OR`: each has an
    /// index of its own.
    pub(crate) fn and_selected(self, selection: &Selection) -> Self {
        let typed = self.of_type(&selection.event);
        match &selection.filter {
            None => typed,
            Some(filter) => typed.sql(" AND ").condition(filter),
        }
    }

    /// Those of them that have the type, as a condition more.
    pub(crate) fn of_type(self, event: &EventSelector) -> Self {
        match event {
            EventSelector::Any => self,
            EventSelector::Type(event_type) => self.sql(" AND event_type = ").text(event_type.as_str()),
        }
    }

    /// Whether an event is selected.
    pub(crate) fn whether_selected(self, selection: &Selection) -> Self {
        self.sql("(true").and_selected(selection).sql(")")
    }

    /// Whether an event passes the filter: true or false, never null.
    pub(crate) fn condition(self, filter: &Filter) -> Self {
        match filter {
            Filter::And(parts) => self.joined(" AND ", parts),
            Filter::Or(parts) => self.joined(" OR ", parts),
            Filter::Not(part) => self.sql("(NOT ").condition(part).sql(")"),
            Filter::EventType(test) => self.text_test("event_type", test),
            Filter::User(test) => self.text_test("user_id", test),
            Filter::Time(comparison, instant) => {
                self.sql("(occurred_at ").sql(operator(*comparison)).instant(*instant).sql(")")
            }
            Filter::Property(name, test) => self.property_test(name, test),
            Filter::Among(audience) => match &**audience {
                Audience::Those(users) => self.among(users),
                Audience::AllBut(users) => self.sql("(NOT ").among(users).sql(")"),
            },
            // Whoever asks resolves cohorts first. Who belongs to one is not to be guessed: there is no such column.
            Filter::Cohort(_) => self.sql("unresolved_cohort"),
        }
    }

    /// Whether the user is one of these. The server hashes a long array once.
    pub(crate) fn among(self, users: &RoaringBitmap) -> Self {
        let numbers: Vec<i32> = users.iter().filter_map(|user| i32::try_from(user).ok()).collect();
        self.sql("(user_no = ANY(").bind::<sql_types::Array<sql_types::Integer>, _>(numbers).sql("))")
    }

    fn joined(self, word: &str, parts: &[Filter]) -> Self {
        let mut statement = self.sql("(");
        for (place, part) in parts.iter().enumerate() {
            if place > 0 {
                statement = statement.sql(word);
            }
            statement = statement.condition(part);
        }
        statement.sql(")")
    }

    fn text_test(self, column: &str, test: &TextTest) -> Self {
        match test {
            TextTest::In(values) => self
                .sql("(")
                .sql(column)
                .sql(" = ANY(")
                .bind::<sql_types::Array<sql_types::Text>, _>(values.clone())
                .sql("))"),
            TextTest::Contains(part) => self.sql("(strpos(").sql(column).sql(", ").text(part).sql(") > 0)"),
            TextTest::Compare(comparison, value) => self
                .sql("(")
                .sql(column)
                .sql(" COLLATE \"C\" ")
                .sql(operator(*comparison))
                .text(value)
                .sql(")"),
        }
    }

    /// The value of a property, as jsonb.
    fn property(self, name: &PropertyName) -> Self {
        self.sql("properties -> ").text(name.as_str())
    }

    /// The value of a property, as text; null where it is absent or JSON's null.
    pub(crate) fn property_text(self, name: &PropertyName) -> Self {
        self.sql("(properties ->> ").text(name.as_str()).sql(")")
    }

    /// The value of a property as a number; null where it is none. Beyond 1e300 sums could leave a double's range.
    pub(crate) fn property_number(self, name: &PropertyName) -> Self {
        self.sql("(CASE WHEN jsonb_typeof(")
            .property(name)
            .sql(") = 'number' THEN CASE WHEN abs((")
            .property(name)
            .sql(")::numeric) <= 1e300 THEN (")
            .property(name)
            .sql(")::numeric END END)")
    }

    fn property_test(self, name: &PropertyName, test: &PropertyTest) -> Self {
        let of_type = |statement: Self, json_type: &str| {
            statement.sql("(CASE WHEN jsonb_typeof(").property(name).sql(") = ").sql(json_type).sql(" THEN ")
        };
        match test {
            PropertyTest::Exists => {
                self.sql("COALESCE(jsonb_typeof(").property(name).sql(") <> 'null', false)")
            }
            PropertyTest::In(values) => {
                let values: Vec<Value> = values.iter().map(json).collect();
                self.sql("COALESCE(")
                    .property(name)
                    .sql(" = ANY(")
                    .bind::<sql_types::Array<sql_types::Jsonb>, _>(values)
                    .sql("), false)")
            }
            PropertyTest::Contains(part) => of_type(self, "'string'")
                .sql("strpos(")
                .property_text(name)
                .sql(", ")
                .text(part)
                .sql(") > 0 ELSE false END)"),
            // Two numbers in jsonb compare as numbers.
            PropertyTest::CompareNumber(comparison, number) => of_type(self, "'number'")
                .sql("(")
                .property(name)
                .sql(") ")
                .sql(operator(*comparison))
                .bind::<sql_types::Jsonb, _>(Value::Number(number.clone()))
                .sql(" ELSE false END)"),
            PropertyTest::CompareText(comparison, text) => of_type(self, "'string'")
                .property_text(name)
                .sql(" COLLATE \"C\" ")
                .sql(operator(*comparison))
                .text(text)
                .sql(" ELSE false END)"),
        }
    }

    /// Sends it and gives the rows as they arrive.
    pub(crate) async fn stream<'c, R>(
        self,
        conn: &'c mut AsyncPgConnection,
    ) -> Result<BoxStream<'c, Result<R, StorageError>>, StorageError>
    where
        R: QueryableByName<Pg> + Send + 'static,
        'a: 'c,
    {
        Ok(self.query.load_stream::<R>(conn).await?.map_err(StorageError::from).boxed())
    }

    /// Sends it and gathers the rows.
    pub(crate) async fn load<R>(self, conn: &mut AsyncPgConnection) -> Result<Vec<R>, StorageError>
    where
        R: QueryableByName<Pg> + Send + 'static,
    {
        Ok(self.query.load(conn).await?)
    }
}

fn operator(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::Greater => "> ",
        Comparison::AtLeast => ">= ",
        Comparison::Less => "< ",
        Comparison::AtMost => "<= ",
    }
}

fn json(value: &Scalar) -> Value {
    match value {
        Scalar::Text(text) => Value::String(text.clone()),
        Scalar::Number(number) => Value::Number(number.clone()),
        Scalar::Bool(truth) => Value::Bool(*truth),
    }
}
