//! Whose events a filter selects, where it asks for nothing else of an event.

use std::ops::Not;

use roaring::RoaringBitmap;

use crate::ids::UserNo;

/// Some users, or all but some: closed under `and`, `or` and `not` without a list of everybody.
#[derive(Clone, Debug, PartialEq)]
pub enum Audience {
    /// These.
    Those(RoaringBitmap),
    /// Everybody else.
    AllBut(RoaringBitmap),
}

impl Audience {
    /// Every user.
    #[must_use]
    pub fn everybody() -> Self {
        Self::AllBut(RoaringBitmap::new())
    }

    /// No user.
    #[must_use]
    pub fn nobody() -> Self {
        Self::Those(RoaringBitmap::new())
    }

    /// Those who are in both.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        match (self, other) {
            (Self::Those(one), Self::Those(other)) => Self::Those(one & other),
            (Self::Those(those), Self::AllBut(others)) => Self::Those(those - others),
            (Self::AllBut(others), Self::Those(those)) => Self::Those(those - others),
            (Self::AllBut(one), Self::AllBut(other)) => Self::AllBut(one | other),
        }
    }

    /// Those who are in either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        !(!self).and(&!other)
    }

    /// Whether the user is one of them.
    #[must_use]
    pub fn has(&self, user: UserNo) -> bool {
        match self {
            Self::Those(users) => users.contains(user),
            Self::AllBut(users) => !users.contains(user),
        }
    }

    /// Those of `users` who are among them.
    #[must_use]
    pub fn among(&self, users: RoaringBitmap) -> RoaringBitmap {
        match self {
            Self::Those(those) => users & those,
            Self::AllBut(others) => users - others,
        }
    }
}

impl Not for Audience {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::Those(users) => Self::AllBut(users),
            Self::AllBut(users) => Self::Those(users),
        }
    }
}
