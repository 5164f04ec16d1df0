//! Who was active when: one set of users a day.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use chrono::NaiveDate;
use roaring::{MultiOps, RoaringBitmap};

use crate::analytics::audience::Audience;
use crate::analytics::range::DateRange;
use crate::ids::UserNo;

/// The users that were active on each local day, for one project and one selection of events.
///
/// Made from `(day, set)` pairs (stored sets) or from `(day, user)` pairs (raw events); a day or a user that comes
/// again changes nothing. Which zone the days belong to is whatever zone they were computed in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Activity {
    /// A set may be somebody else's as well: it is copied when it is changed, and most are not.
    days: BTreeMap<NaiveDate, Arc<RoaringBitmap>>,
}

impl Activity {
    /// The users of one day, if there were any.
    #[must_use]
    pub fn on(&self, day: NaiveDate) -> Option<&RoaringBitmap> {
        self.days.get(&day).map(AsRef::as_ref)
    }

    /// The days with a set, in order.
    pub fn days(&self) -> impl DoubleEndedIterator<Item = (NaiveDate, &RoaringBitmap)> {
        self.days.iter().map(|(day, users)| (*day, users.as_ref()))
    }

    /// The users that were active on at least one day of `range`; borrowed when only one day has any.
    #[must_use]
    pub fn union_over(&self, range: DateRange) -> Cow<'_, RoaringBitmap> {
        let mut sets = self.days.range(range.from()..=range.to()).map(|(_, users)| users.as_ref());
        match (sets.next(), sets.next()) {
            (None, _) => Cow::Owned(RoaringBitmap::new()),
            (Some(only), None) => Cow::Borrowed(only),
            (Some(first), Some(second)) => Cow::Owned([first, second].into_iter().chain(sets).union()),
        }
    }

    /// The users that were active on any day before `day`.
    #[must_use]
    pub fn union_before(&self, day: NaiveDate) -> RoaringBitmap {
        self.days.range(..day).map(|(_, users)| users.as_ref()).union()
    }
}

impl Activity {
    /// Adds users to a day.
    pub fn add(&mut self, day: NaiveDate, users: &Arc<RoaringBitmap>) {
        match self.days.entry(day) {
            Entry::Vacant(nobody) => {
                nobody.insert(users.clone());
            }
            Entry::Occupied(mut others) => *Arc::make_mut(others.get_mut()) |= users.as_ref(),
        }
    }

    /// Leaves only the users that are among these.
    pub fn narrow(&mut self, audience: &Audience) {
        for users in self.days.values_mut() {
            *users = Arc::new(audience.among(Arc::unwrap_or_clone(std::mem::take(users))));
        }
    }
}

impl Extend<(NaiveDate, UserNo)> for Activity {
    fn extend<I: IntoIterator<Item = (NaiveDate, UserNo)>>(&mut self, pairs: I) {
        for (day, user_no) in pairs {
            Arc::make_mut(self.days.entry(day).or_default()).insert(user_no);
        }
    }
}

impl Extend<(NaiveDate, RoaringBitmap)> for Activity {
    fn extend<I: IntoIterator<Item = (NaiveDate, RoaringBitmap)>>(&mut self, sets: I) {
        for (day, users) in sets {
            *Arc::make_mut(self.days.entry(day).or_default()) |= users;
        }
    }
}

impl FromIterator<(NaiveDate, UserNo)> for Activity {
    fn from_iter<I: IntoIterator<Item = (NaiveDate, UserNo)>>(pairs: I) -> Self {
        let mut activity = Self::default();
        activity.extend(pairs);
        activity
    }
}

impl FromIterator<(NaiveDate, RoaringBitmap)> for Activity {
    fn from_iter<I: IntoIterator<Item = (NaiveDate, RoaringBitmap)>>(sets: I) -> Self {
        let mut activity = Self::default();
        activity.extend(sets);
        activity
    }
}
