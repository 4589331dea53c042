//! Selecting users and groups by what columns say: tests and orders become SQL, values are always
//! bound. A selection is a list of keys, eight bytes each, so that whoever has more to test can
//! walk over all of them in memory that does not follow the size of the objects.

use std::sync::LazyLock;

use exogate_model::group::GroupKind;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};

use super::selection::{
    Column, Comparison, Dated, Key, Moment, OrderBy, Parties, Selected, Selection, Test, Window,
};
use super::{accounts, groups, one_more};
use crate::codec::{self, Part};
use crate::error::Fault;
use crate::rows::{AccountRecord, GroupRecord};

/// When the run that first read an object ended, or began if it has not ended: the instant of
/// everything that the feed of changes does not speak of.
const FIRST_READ: &str =
    "(SELECT coalesce(r.finished, r.started) FROM marks f JOIN runs r ON r.run = f.first_run
      WHERE f.part = {part} AND f.source = {t}.source AND f.oid = {t}.oid)";
const BASELINE: &str = "(SELECT min(finished) FROM runs WHERE source = {t}.source AND state = 'completed')";
const CREATED: &str = "coalesce((SELECT r.started FROM marks f JOIN runs r ON r.run = f.first_run
      WHERE f.part = {part} AND f.source = {t}.source AND f.oid = {t}.oid), 0)";

fn moment(of: Selected, moment: Moment) -> String {
    let (table, parts) = match of {
        Selected::Accounts => ("u", &[Part::Users, Part::Mailboxes, Part::Cas]),
        Selected::Groups => ("g", &[Part::Groups, Part::GroupExchange, Part::DynamicGroups]),
    };
    let fill = |sql: &str, part: &str| sql.replace("{t}", table).replace("{part}", part);
    // A dynamic distribution group is marked in a part of its own.
    let base = match of {
        Selected::Accounts => parts[0].number().to_string(),
        Selected::Groups => format!(
            "CASE g.kind WHEN '{}' THEN {} ELSE {} END",
            GroupKind::DynamicDistribution.name(),
            Part::DynamicGroups.number(),
            Part::Groups.number()
        ),
    };
    match moment {
        Moment::Created => fill(CREATED, &base),
        Moment::Changed => {
            let of_part = |part: &Part| {
                format!(
                    "coalesce((SELECT changed_at FROM marks WHERE part = {} AND source = {table}.source
                         AND oid = {table}.oid), 0)",
                    part.number()
                )
            };
            let all: Vec<String> = parts.iter().map(of_part).collect();
            format!(
                "max({}, coalesce({}, 0), coalesce({}, 0),
                     coalesce((SELECT at FROM external_ids x WHERE x.oid = {table}.oid), 0))",
                all.join(", "),
                fill(FIRST_READ, &base),
                fill(BASELINE, &base)
            )
        }
    }
}

fn column(of: Selected, column: Column) -> &'static str {
    match (of, column) {
        (Selected::Accounts, Column::Id) => "(SELECT id FROM ids WHERE oid = u.oid)",
        (Selected::Accounts, Column::Name) => "u.upn",
        (Selected::Accounts, Column::DisplayName) => "u.display_name",
        (Selected::Accounts, Column::Address) => {
            "coalesce((SELECT primary_smtp FROM mailboxes WHERE oid = u.oid), u.mail)"
        }
        (Selected::Accounts, Column::ExternalId) => "(SELECT value FROM external_ids WHERE oid = u.oid)",
        (Selected::Groups, Column::Id) => "g.id",
        (Selected::Groups, Column::Name | Column::DisplayName) => "g.display_name",
        (Selected::Groups, Column::Address) => "g.mail",
        (Selected::Groups, Column::ExternalId) => "(SELECT value FROM external_ids WHERE oid = g.oid)",
    }
}

/// SQL that is being written, with the values bound to it.
struct Writer<'a> {
    of: Selected,
    kinds: &'a str,
    values: Vec<Value>,
}

impl Writer<'_> {
    fn bind(&mut self, value: impl Into<Value>) -> String {
        self.values.push(value.into());
        format!("?{}", self.values.len())
    }

    fn test(&mut self, test: &Test) -> String {
        match test {
            Test::All(tests) if tests.is_empty() => "1".to_owned(),
            Test::Any(tests) if tests.is_empty() => "0".to_owned(),
            Test::All(tests) => self.join(tests, "AND"),
            Test::Any(tests) => self.join(tests, "OR"),
            // Nothing is neither equal nor unequal to SQL; here it is not equal.
            Test::Not(test) => format!("NOT coalesce({}, 0)", self.test(test)),
            Test::Present(of) => format!("coalesce({}, '') <> ''", column(self.of, *of)),
            Test::Text(of, comparison, text) => self.text(*of, *comparison, text),
            Test::When(which, comparison, at) => {
                let at = self.bind(at.as_millisecond());
                let sign = match comparison {
                    Comparison::Greater => ">",
                    Comparison::GreaterOrEqual => ">=",
                    Comparison::Less => "<",
                    Comparison::LessOrEqual => "<=",
                    Comparison::Equal => "=",
                    // Instants have no parts.
                    Comparison::Contains | Comparison::Begins | Comparison::Ends => return "0".to_owned(),
                };
                format!("{} {sign} {at}", moment(self.of, *which))
            }
            Test::Disabled(disabled) => match self.of {
                Selected::Accounts => format!("u.disabled = {}", i64::from(*disabled)),
                Selected::Groups => "0".to_owned(),
            },
            Test::Member(id) => {
                let id = self.bind(codec::id(id));
                let oid = format!("(SELECT oid FROM ids WHERE source = ?1 AND id = {id})");
                match self.of {
                    Selected::Accounts => format!(
                        "u.oid IN (SELECT m.member FROM memberships m JOIN groups k ON k.oid = m.grp
                             WHERE m.grp = {oid} AND m.role = 0
                                 AND k.kind IN (SELECT value FROM json_each({})))",
                        self.kinds
                    ),
                    Selected::Groups => format!(
                        "g.oid IN (SELECT m.grp FROM memberships m WHERE m.member = {oid} AND m.role = 0)"
                    ),
                }
            }
        }
    }

    /// Half and half: SQLite takes a chain for a tree as deep as it is long, and refuses a deep one.
    fn join(&mut self, tests: &[Test], with: &str) -> String {
        match tests {
            [one] => self.test(one),
            _ => {
                let (left, right) = tests.split_at(tests.len() / 2);
                format!("({} {with} {})", self.join(left, with), self.join(right, with))
            }
        }
    }

    fn text(&mut self, of: Column, comparison: Comparison, text: &str) -> String {
        if comparison == Comparison::Equal {
            match (self.of, of) {
                // By the index, instead of looking at every object.
                (Selected::Accounts, Column::Id) => {
                    let id = self.bind(codec::id(text));
                    return format!("u.oid = (SELECT oid FROM ids WHERE source = ?1 AND id = {id})");
                }
                (Selected::Groups, Column::Id) => {
                    let id = self.bind(codec::id(text));
                    return format!("g.oid = (SELECT oid FROM ids WHERE source = ?1 AND id = {id})");
                }
                (_, Column::ExternalId) => {
                    let value = self.bind(text.to_owned());
                    let oid = if self.of == Selected::Accounts { "u.oid" } else { "g.oid" };
                    return format!(
                        "{oid} IN (SELECT oid FROM external_ids WHERE source = ?1 AND value = {value})"
                    );
                }
                _ => {}
            }
        }
        let left = column(self.of, of);
        // What a client chose is its own to the letter.
        let exact = of == Column::ExternalId;
        let collate = if exact { "COLLATE BINARY" } else { "COLLATE NOCASE" };
        let fold = |sql: &str| if exact { sql.to_owned() } else { format!("lower({sql})") };
        let value = self.bind(text.to_owned());
        let (hay, needle) = (fold(left), fold(&value));
        match comparison {
            Comparison::Equal => format!("{left} = {value} {collate}"),
            Comparison::Contains => format!("instr({hay}, {needle}) > 0"),
            Comparison::Begins => format!("substr({hay}, 1, length({value})) = {needle}"),
            Comparison::Ends => format!(
                "(length({left}) >= length({value}) AND substr({hay}, length({left}) - length({value}) + 1) = {needle})"
            ),
            Comparison::Greater => format!("{left} > {value} {collate}"),
            Comparison::GreaterOrEqual => format!("{left} >= {value} {collate}"),
            Comparison::Less => format!("{left} < {value} {collate}"),
            Comparison::LessOrEqual => format!("{left} <= {value} {collate}"),
        }
    }
}

/// The keys of a part of a selection.
pub(crate) fn keys(
    connection: &Connection,
    source: i64,
    selection: &Selection,
    window: &Window,
) -> Result<Vec<Key>, Fault> {
    let (mut writer, mut sql) = select(source, selection, "{t}.oid")?;
    match window {
        Window::All | Window::From { .. } => {
            sql.push_str(&order(selection));
            if let Window::From { skip, limit } = window {
                let limit = writer.bind(i64::try_from(*limit).unwrap_or(i64::MAX));
                let skip = writer.bind(i64::try_from(*skip).unwrap_or(i64::MAX));
                sql.push_str(&format!(" LIMIT {limit} OFFSET {skip}"));
            }
        }
        Window::After { cursor, limit } => {
            let (name, id) = cursor.as_ref().map_or(("", ""), |cursor| (&cursor.key, &cursor.id));
            let (name, id) = (writer.bind(name.to_owned()), writer.bind(id.to_owned()));
            let limit = writer.bind(one_more(*limit).saturating_sub(1));
            let (column, key) = match selection.of {
                Selected::Accounts => ("u.upn", "(SELECT id FROM ids WHERE oid = u.oid)"),
                Selected::Groups => ("g.display_name", "g.id"),
            };
            sql.push_str(&format!(
                " AND {column} >= {name} AND ({column} > {name} OR {key} > {id})
                 ORDER BY {column}, {key} LIMIT {limit}"
            ));
        }
    }
    let mut statement = connection.prepare_cached(&sql)?;
    let keys = statement
        .query_map(params_from_iter(writer.values), |row| row.get(0).map(Key))?
        .collect::<Result<_, _>>()?;
    Ok(keys)
}

/// How many objects a selection has.
pub(crate) fn count(connection: &Connection, source: i64, selection: &Selection) -> Result<u64, Fault> {
    let (writer, sql) = select(source, selection, "count(*)")?;
    let count: i64 =
        connection.prepare_cached(&sql)?.query_row(params_from_iter(writer.values), |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

fn select(source: i64, selection: &Selection, what: &str) -> Result<(Writer<'static>, String), Fault> {
    let kinds: Vec<&str> = selection.kinds.iter().map(|kind| kind.name()).collect();
    let kinds = codec::to_json("kinds of groups", &kinds)?;
    let mut writer = Writer { of: selection.of, kinds: "?2", values: vec![source.into(), kinds.into()] };
    let (table, from) = match selection.of {
        Selected::Accounts => ("u", "FROM users u WHERE u.source = ?1 AND ?2 IS NOT NULL"),
        Selected::Groups => {
            ("g", "FROM groups g WHERE g.source = ?1 AND g.kind IN (SELECT value FROM json_each(?2))")
        }
    };
    let mut sql = format!("SELECT {} {from}", what.replace("{t}", table));
    if let Some(test) = &selection.test {
        let test = writer.test(test);
        sql.push_str(" AND ");
        sql.push_str(&test);
    }
    Ok((writer, sql))
}

fn order(selection: &Selection) -> String {
    let of = selection.of;
    let row = match of {
        Selected::Accounts => "u.rowid",
        Selected::Groups => "g.id",
    };
    let way = if selection.order.descending { "DESC" } else { "ASC" };
    match selection.order.by {
        // Names are never missing, and stand in an index.
        OrderBy::Text(Column::Name) => format!(" ORDER BY {} {way}, {row} {way}", column(of, Column::Name)),
        OrderBy::Text(by) => {
            let sql = column(of, by);
            let collate = if by == Column::ExternalId { "" } else { "COLLATE NOCASE" };
            format!(" ORDER BY {sql} IS NULL {way}, {sql} {collate} {way}, {row} {way}")
        }
        OrderBy::When(at) => format!(" ORDER BY {} {way}, {row} {way}", moment(of, at)),
    }
}

/// The accounts behind keys, in their order; those that are gone are left out.
pub(crate) fn accounts_of(
    connection: &Connection,
    source: i64,
    keys: &[Key],
) -> Result<Vec<Dated<AccountRecord>>, Fault> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let baseline = connection
        .prepare_cached("SELECT min(finished) FROM runs WHERE source = ?1 AND state = 'completed'")?
        .query_row([source], |row| row.get::<_, Option<i64>>(0))?;
    let mut all = Vec::with_capacity(keys.len());
    for Key(oid) in keys {
        all.extend(accounts::dated(connection, source, *oid, baseline)?);
    }
    Ok(all)
}

/// The groups behind keys, in their order; those that are gone are left out.
pub(crate) fn groups_of(
    connection: &Connection,
    source: i64,
    keys: &[Key],
    parties: Parties,
) -> Result<Vec<Dated<GroupRecord>>, Fault> {
    let mut all = Vec::with_capacity(keys.len());
    for Key(oid) in keys {
        if let Some(record) = groups::record(connection, source, *oid, parties)? {
            let tally = groups::tally(connection, *oid)?;
            all.push(dated_group(connection, *oid, record, tally)?);
        }
    }
    Ok(all)
}

fn dated_group(
    connection: &Connection,
    oid: i64,
    record: GroupRecord,
    parties: i64,
) -> Result<Dated<GroupRecord>, Fault> {
    static SQL: LazyLock<String> = LazyLock::new(|| {
        format!(
            "SELECT {}, {}, (SELECT value FROM external_ids WHERE oid = g.oid) FROM groups g WHERE g.oid = ?1",
            moment(Selected::Groups, Moment::Created),
            moment(Selected::Groups, Moment::Changed),
        )
    });
    let (created, changed, external_id) = connection
        .prepare_cached(&SQL)?
        .query_row([oid], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get(2)?)))
        .optional()?
        .unwrap_or_default();
    let (created, changed) = (codec::instant(created)?, codec::instant(changed)?);
    Ok(Dated { record, created, changed, external_id, parties })
}
