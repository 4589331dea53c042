//! What is asked of a listing: which users or groups, in which order, which part of them. What that means to
//! the tables is a matter of [`super::query`].

use exogate_model::group::GroupKind;
use jiff::Timestamp;

use crate::rows::Cursor;

/// What kind of object is selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Selected {
    /// Users.
    Accounts,
    /// Groups.
    Groups,
}

/// What a test or an order looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Column {
    /// The id.
    Id,
    /// Principal name of a user; display name of a group.
    Name,
    /// Display name.
    DisplayName,
    /// Primary address of the mailbox, or the mail address where there is none.
    Address,
    /// The id by which a client knows it.
    ExternalId,
}

/// An instant that is kept of every object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Moment {
    /// When it was first read.
    Created,
    /// When it last changed.
    Changed,
}

/// How a value compares. Texts are compared without the case of ASCII letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// The same.
    Equal,
    /// Holds it.
    Contains,
    /// Begins with it.
    Begins,
    /// Ends with it.
    Ends,
    /// Comes after it.
    Greater,
    /// Comes after it, or is the same.
    GreaterOrEqual,
    /// Comes before it.
    Less,
    /// Comes before it, or is the same.
    LessOrEqual,
}

/// A test that the store can make. What has no value passes no comparison.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Test {
    /// Each of them.
    All(Vec<Test>),
    /// One of them.
    Any(Vec<Test>),
    /// Not that.
    Not(Box<Test>),
    /// A text.
    Text(Column, Comparison, String),
    /// Whether there is a text.
    Present(Column),
    /// An instant, to the millisecond.
    When(Moment, Comparison, Timestamp),
    /// Whether sign-in is blocked; no group passes.
    Disabled(bool),
    /// A user: direct member of the group with this id. A group: has this direct member.
    Member(String),
}

/// In which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// What counts.
    pub by: OrderBy,
    /// From the last to the first.
    pub descending: bool,
}

/// What an order looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderBy {
    /// A text; what has none comes last, or first when descending.
    Text(Column),
    /// An instant.
    When(Moment),
}

impl Default for Order {
    fn default() -> Self {
        Self { by: OrderBy::Text(Column::Name), descending: false }
    }
}

/// Which objects.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// Users or groups.
    pub of: Selected,
    /// The kinds of group that count, in a selection of groups and as the groups of members.
    pub kinds: Vec<GroupKind>,
    /// What they must pass.
    pub test: Option<Test>,
    /// In which order; objects that are equal in it keep theirs.
    pub order: Order,
}

impl Selection {
    /// Whether an index leads to all there can be of it, and that is next to nothing.
    pub(crate) fn is_few(&self) -> bool {
        let exactly = |test: &Test| {
            matches!(test, Test::Text(Column::Id | Column::Name | Column::ExternalId, Comparison::Equal, _))
        };
        self.of == Selected::Accounts
            && match &self.test {
                Some(Test::All(tests)) => tests.iter().any(exactly),
                Some(test) => exactly(test),
                None => false,
            }
    }

    /// The id or name that this part of it is all about, if it is.
    pub(crate) fn exactly(&self, window: &Window) -> Option<Exactly<'_>> {
        let from_the_first = matches!(window, Window::All | Window::From { skip: 0, .. });
        let is_plain = self.of == Selected::Accounts && self.order == Order::default() && from_the_first;
        match &self.test {
            Some(Test::Text(Column::Id, Comparison::Equal, id)) if is_plain => Some(Exactly::Id(id)),
            Some(Test::Text(Column::Name, Comparison::Equal, name)) if is_plain => Some(Exactly::Name(name)),
            _ => None,
        }
    }
}

/// What a client asks for again and again: one account, by what nobody else has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exactly<'a> {
    /// By its id.
    Id(&'a str),
    /// By its name; several may bear it for a while.
    Name(&'a str),
}

/// Which part of a selection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// So many from there on.
    From {
        /// How many to leave out.
        skip: u64,
        /// How many at most.
        limit: usize,
    },
    /// What comes after a cursor, in the default order.
    After {
        /// Where the page before ended.
        cursor: Option<Cursor>,
        /// How many at most.
        limit: usize,
    },
    /// All of them.
    All,
}

/// An object of a selection, to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(pub(super) i64);

/// An object with what is known of its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dated<T> {
    /// The object.
    pub record: T,
    /// When it was first read.
    pub created: Timestamp,
    /// When it last changed, its rights and places in groups included.
    pub changed: Timestamp,
    /// The id by which a client knows it.
    pub external_id: Option<String>,
    /// Of a group: a number that differs when its members or owners do, read or not. Otherwise 0.
    pub parties: i64,
}

/// Whether members and owners of groups are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parties {
    /// They are read.
    Read,
    /// They are left out, however many there are.
    LeftOut,
}
