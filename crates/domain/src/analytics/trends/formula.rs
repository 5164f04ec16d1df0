//! Arithmetic with series: `A / B`, `(A - B) * 100`.

use std::iter::Peekable;
use std::str::Chars;

use crate::analytics::query_fault::QueryFault;

const MAX_CHARS: usize = 200;
const MAX_DEPTH: usize = 20;

/// An expression over series. Where one of them has no value, or something is divided by 0, it has none.
#[derive(Clone, Debug, PartialEq)]
pub struct Formula {
    text: String,
    expression: Expression,
}

#[derive(Clone, Debug, PartialEq)]
enum Expression {
    Number(f64),
    Series(usize),
    Binary(Box<Expression>, Operator, Box<Expression>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
}

impl Formula {
    /// Reads an expression of numbers, `+ - * /`, parentheses, and the letters of the first so many series.
    ///
    /// # Errors
    /// Says what it could not read, as a fault of the field itself.
    pub fn parse(text: &str, series: usize) -> Result<Self, QueryFault> {
        let fault = |reason: String| QueryFault {
            field: String::new(),
            code: "invalid_formula",
            message: format!(" {text:?} {reason}"),
        };
        if text.chars().count() > MAX_CHARS {
            return Err(fault(format!("must have at most {MAX_CHARS} characters")));
        }
        let mut reader = Reader { rest: text.chars().peekable(), series };
        let expression = reader.sum(0).map_err(fault)?;
        match reader.peek() {
            None => Ok(Self { text: text.to_owned(), expression }),
            Some(left) => Err(fault(format!("cannot be read from {left:?} on"))),
        }
    }

    /// The expression as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its value where the series have these.
    #[must_use]
    pub fn value(&self, series: &[Option<f64>]) -> Option<f64> {
        self.expression.value(series)
    }
}

impl Expression {
    fn value(&self, series: &[Option<f64>]) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Series(place) => series.get(*place).copied().flatten(),
            Self::Binary(left, operator, right) => {
                let (left, right) = (left.value(series)?, right.value(series)?);
                let value = match operator {
                    Operator::Add => left + right,
                    Operator::Subtract => left - right,
                    Operator::Multiply => left * right,
                    Operator::Divide => left / right,
                };
                value.is_finite().then_some(value)
            }
        }
    }
}

struct Reader<'a> {
    rest: Peekable<Chars<'a>>,
    series: usize,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<char> {
        while self.rest.next_if(|c| c.is_whitespace()).is_some() {}
        self.rest.peek().copied()
    }

    fn operator(&mut self, known: [(char, Operator); 2]) -> Option<Operator> {
        let next = self.peek()?;
        let (_, operator) = known.into_iter().find(|(sign, _)| *sign == next)?;
        self.rest.next();
        Some(operator)
    }

    fn sum(&mut self, depth: usize) -> Result<Expression, String> {
        let mut left = self.product(depth)?;
        while let Some(operator) = self.operator([('+', Operator::Add), ('-', Operator::Subtract)]) {
            left = Expression::Binary(Box::new(left), operator, Box::new(self.product(depth)?));
        }
        Ok(left)
    }

    fn product(&mut self, depth: usize) -> Result<Expression, String> {
        let mut left = self.operand(depth)?;
        while let Some(operator) = self.operator([('*', Operator::Multiply), ('/', Operator::Divide)]) {
            left = Expression::Binary(Box::new(left), operator, Box::new(self.operand(depth)?));
        }
        Ok(left)
    }

    fn operand(&mut self, depth: usize) -> Result<Expression, String> {
        if depth > MAX_DEPTH {
            return Err(format!("must not nest deeper than {MAX_DEPTH} parentheses"));
        }
        match self.peek() {
            Some('(') => {
                self.rest.next();
                let inner = self.sum(depth + 1)?;
                match self.peek() {
                    Some(')') => {
                        self.rest.next();
                        Ok(inner)
                    }
                    _ => Err("has a ( without its )".to_owned()),
                }
            }
            Some(letter @ 'A'..='Z') => {
                self.rest.next();
                let place = usize::from(u8::try_from(letter).unwrap_or(b'Z').saturating_sub(b'A'));
                if place >= self.series {
                    return Err(format!("speaks of {letter}, and there is no such series"));
                }
                Ok(Expression::Series(place))
            }
            Some('0'..='9' | '.') => self.number(),
            Some(other) => Err(format!("has {other:?} where a series, a number or ( should be")),
            None => Err("ends where a series, a number or ( should be".to_owned()),
        }
    }

    fn number(&mut self) -> Result<Expression, String> {
        let mut digits = String::new();
        while let Some(digit) = self.rest.next_if(|c| c.is_ascii_digit() || *c == '.') {
            digits.push(digit);
        }
        digits
            .parse()
            .map(Expression::Number)
            .map_err(|_not_one| format!("has {digits:?}, which is no number"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str, series: &[Option<f64>]) -> Option<f64> {
        Formula::parse(text, series.len()).unwrap().value(series)
    }

    #[test]
    fn it_is_school_arithmetic() {
        let series = [Some(6.0), Some(3.0), None];
        for (text, expected) in [
            ("A / B", Some(2.0)),
            ("A + B * 2", Some(12.0)),
            ("(A + B) * 2", Some(18.0)),
            ("A - B - 1", Some(2.0)),
            ("A / B / 2", Some(1.0)),
            (" .5*A ", Some(3.0)),
            ("A / (B - 3)", None),
            ("(B - 3) / (B - 3)", None),
            ("A + C", None),
        ] {
            assert_eq!(value(text, &series), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_quoted() {
        let deep = format!("{}A{}", "(".repeat(30), ")".repeat(30));
        for text in ["", "A +", "A B", "(A", "A)", "D", "a", "1.2.3", "A % B", "-A", &deep, &"1+".repeat(150)]
        {
            let fault = Formula::parse(text, 3).unwrap_err();
            assert_eq!(fault.code, "invalid_formula", "{text}");
        }
    }
}
