//! What a statement may be made of.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    AccessExpr, BinaryOperator, Expr, Function, FunctionArguments, Ident, ObjectName, Query, Select, SetExpr,
    Statement, TableFactor, Visit, Visitor,
};

use super::{functions, types};

/// What can be selected from.
const RELATIONS: [&str; 2] = ["events", "users"];

/// A name as PostgreSQL reads it: without quotes it has no capital letters.
fn folded(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

/// A name that is not qualified.
fn simple(name: &ObjectName) -> Option<&Ident> {
    match name.0.as_slice() {
        [part] => part.as_ident(),
        _ => None,
    }
}

fn first(name: &ObjectName) -> Option<Ident> {
    name.0.first().and_then(|part| part.as_ident()).cloned()
}

/// The names that `WITH` gives to queries.
#[derive(Default)]
struct Names(BTreeSet<String>);

impl Visitor for Names {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let tables = query.with.iter().flat_map(|with| &with.cte_tables);
        self.0.extend(tables.map(|table| folded(&table.alias.name)));
        ControlFlow::Continue(())
    }
}

/// Looks at every part of a statement.
pub(super) struct Check {
    named: BTreeSet<String>,
    /// The names behind a dot. Where there is no such column PostgreSQL calls a function of that name, with what stands before the
    /// dot, and only PostgreSQL knows whether there is one: `SELECT n.pg_sleep FROM generate_series(1, 9) n`.
    pub(super) behind_a_dot: BTreeSet<String>,
}

/// What is not allowed, and the name that it begins with.
pub(super) struct Refusal {
    pub(super) reason: String,
    pub(super) at: Option<Ident>,
}

fn refuse<T: Into<String>>(reason: T, at: Option<Ident>) -> ControlFlow<Refusal> {
    ControlFlow::Break(Refusal { reason: reason.into(), at })
}

impl Check {
    /// For this statement.
    pub(super) fn of(query: &Query) -> Self {
        let mut names = Names::default();
        let _ = query.visit(&mut names);
        Self { named: names.0, behind_a_dot: BTreeSet::new() }
    }

    fn relation(&self, name: &ObjectName) -> ControlFlow<Refusal> {
        let Some(ident) = simple(name) else {
            return refuse(
                format!("{name} cannot be selected from: name events or users alone"),
                first(name),
            );
        };
        let relation = folded(ident);
        // Whatever begins so is PostgreSQL's own, which the name would mean where the WITH is out of sight.
        let named = self.named.contains(&relation) && !relation.starts_with("pg_");
        if named || RELATIONS.contains(&relation.as_str()) {
            return ControlFlow::Continue(());
        }
        refuse(format!("{relation} cannot be selected from: there are events and users"), Some(ident.clone()))
    }

    fn called(name: &ObjectName, allowed: &[&str]) -> ControlFlow<Refusal> {
        match simple(name) {
            Some(ident) if allowed.contains(&folded(ident).as_str()) => ControlFlow::Continue(()),
            _ => refuse(format!("the function {name} cannot be called here"), first(name)),
        }
    }

    fn function(function: &Function) -> ControlFlow<Refusal> {
        if function.uses_odbc_syntax || function.parameters != FunctionArguments::None {
            return refuse("a function is called as name(arguments)", first(&function.name));
        }
        Self::called(&function.name, functions::ALLOWED)
    }

    fn body(body: &SetExpr) -> ControlFlow<Refusal> {
        match body {
            SetExpr::Select(_) | SetExpr::Query(_) | SetExpr::Values(_) => ControlFlow::Continue(()),
            SetExpr::SetOperation { left, right, .. } => {
                Self::body(left)?;
                Self::body(right)
            }
            _ => refuse("only SELECT can be asked", None),
        }
    }
}

impl Visitor for Check {
    type Break = Refusal;

    fn pre_visit_statement(&mut self, _: &Statement) -> ControlFlow<Refusal> {
        refuse("only SELECT can be asked", None)
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Refusal> {
        if query.with.as_ref().is_some_and(|with| with.recursive) {
            return refuse("WITH RECURSIVE cannot be asked here", None);
        }
        let plain = query.locks.is_empty()
            && query.for_clause.is_none()
            && query.settings.is_none()
            && query.format_clause.is_none()
            && query.pipe_operators.is_empty();
        if !plain {
            return refuse("a query cannot lock rows, and takes nothing behind LIMIT", None);
        }
        Self::body(&query.body)
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Refusal> {
        if select.into.is_some() {
            refuse("SELECT INTO cannot be asked here", None)
        } else {
            ControlFlow::Continue(())
        }
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<Refusal> {
        match table {
            TableFactor::Table { name, args: None, .. } => self.relation(name),
            TableFactor::Table { name, args: Some(_), .. } | TableFactor::Function { name, .. } => {
                Self::called(name, functions::IN_FROM)
            }
            TableFactor::Derived { .. } | TableFactor::UNNEST { .. } | TableFactor::NestedJoin { .. } => {
                ControlFlow::Continue(())
            }
            _ => refuse("only events, users, queries and functions can be selected from", None),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Refusal> {
        match expr {
            Expr::CompoundIdentifier(parts) => {
                self.behind_a_dot.extend(parts.iter().skip(1).map(folded));
                ControlFlow::Continue(())
            }
            Expr::CompoundFieldAccess { access_chain, .. } => {
                for access in access_chain {
                    match access {
                        AccessExpr::Subscript(_) => {}
                        AccessExpr::Dot(Expr::Identifier(name)) => {
                            self.behind_a_dot.insert(folded(name));
                        }
                        AccessExpr::Dot(_) => {
                            return refuse("behind a dot stands the name of a column", None);
                        }
                    }
                }
                ControlFlow::Continue(())
            }
            Expr::Function(function) => Self::function(function),
            Expr::Cast { data_type, .. } if !types::is_allowed(data_type) => {
                refuse(format!("nothing can be made a {data_type} here"), None)
            }
            Expr::TypedString(text) if !types::is_allowed(&text.data_type) => {
                refuse(format!("nothing can be made a {} here", text.data_type), None)
            }
            Expr::BinaryOp {
                op: BinaryOperator::PGCustomBinaryOperator(_) | BinaryOperator::Custom(_),
                ..
            }
            | Expr::Convert { .. }
            | Expr::Prefixed { .. }
            | Expr::Struct { .. }
            | Expr::Named { .. }
            | Expr::Dictionary(_)
            | Expr::Map(_)
            | Expr::MatchAgainst { .. }
            | Expr::OuterJoin(_)
            | Expr::Prior(_)
            | Expr::Lambda(_)
            | Expr::MemberOf(_)
            | Expr::IsNormalized { .. } => {
                refuse("the statement has an expression that cannot be asked here", None)
            }
            _ => ControlFlow::Continue(()),
        }
    }
}
