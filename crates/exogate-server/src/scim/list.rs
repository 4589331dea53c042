//! Pages of the resources that a query picks. Memory follows the page, not the source: what the
//! store cannot test is tested while walking over keys.

use exogate_engine::view::Entitlement;
use exogate_store::{Column, Cursor, Key, Order, OrderBy, Parties, Selection, Window};
use futures::TryStreamExt;
use http::StatusCode;
use serde_json::Value;

use super::context::{Answer, Content, Context, list_response};
use super::error::ScimError;
use super::filter::{self, Expr, Path, Pushed};
use super::limits;
use super::query::{Paging, Position, Query};
use super::resource::{self, Json, Resource, Text};
use super::schema::{Model, ResourceKind, ResourceType};
use super::sort::SortKey;
use super::urn;

/// A page, and how many there are in all, where that was asked.
struct Listing {
    resources: Vec<Item>,
    total: u64,
}

/// A resource to be tested or cut down, or one that is sent as it is.
enum Item {
    Tree(Resource),
    Text(Text),
}

impl Item {
    fn into_tree(self) -> Resource {
        match self {
            Self::Tree(resource) => resource,
            Self::Text(text) => text.resource(),
        }
    }

    /// Its place in the order of names.
    fn place(&self) -> (String, String) {
        match self {
            Self::Tree(resource) => {
                let name = ["userName", "displayName"].iter().find_map(|name| resource.get(*name)?.as_str());
                (name.unwrap_or_default().to_owned(), resource::id_of(resource).to_owned())
            }
            Self::Text(text) => (text.name.clone(), text.id.clone()),
        }
    }
}

/// A query as it applies to one kind of resource.
struct Plan<'a> {
    of: &'a ResourceType,
    expr: Option<Expr>,
    /// What to sort by, and whether from the end.
    sort: Option<(Path, bool)>,
    /// Whether members and owners of groups are shown.
    shown: Parties,
    /// Whether they are looked at to tell who passes, and in which order.
    looked_at: Parties,
    /// Whether resources that the store picks can be written at once, because nothing of them is left out.
    as_text: bool,
}

pub(super) fn parties_if(wanted: bool) -> Parties {
    if wanted { Parties::Read } else { Parties::LeftOut }
}

impl Context {
    /// A query over one kind of resource.
    pub async fn list(&self, kind: ResourceKind, query: &Query) -> Result<Answer, ScimError> {
        let plan = self.plan(kind, query, None)?;
        let scope = kind.endpoint();
        match &query.paging {
            Paging::Index { start, count } => {
                let listing = self.window(&plan, start.saturating_sub(1), *count).await?;
                Ok(self.answer(&plan, query, listing, Some(*start), None))
            }
            Paging::Cursor { cursor, count } => {
                let position = cursor.as_deref().map(|cursor| query.position(scope, cursor)).transpose()?;
                let by_name = plan.sort.is_none() && kind != ResourceKind::Entitlement;
                if by_name && !matches!(position, Some(Position::Skip(_))) {
                    return self.after(&plan, query, position, *count).await;
                }
                let skip = match position {
                    Some(Position::Skip(skip)) => skip,
                    _ => 0,
                };
                let listing = self.window(&plan, skip, *count).await?;
                let reached = skip + listing.resources.len() as u64;
                let more = reached < listing.total && !listing.resources.is_empty();
                let next = more.then(|| query.cursor(scope, Position::Skip(reached)));
                Ok(self.answer(&plan, query, listing, None, next))
            }
        }
    }

    /// A query over every kind of resource, one kind after the other.
    pub async fn list_all(&self, query: &Query) -> Result<Answer, ScimError> {
        const SCOPE: &str = "";
        let (start, count) = match &query.paging {
            Paging::Index { start, count } => (start.saturating_sub(1), *count),
            Paging::Cursor { cursor, count } => {
                let position = cursor.as_deref().map(|cursor| query.position(SCOPE, cursor)).transpose()?;
                match position {
                    None => (0, *count),
                    Some(Position::Skip(skip)) => (skip, *count),
                    Some(Position::Behind(..)) => {
                        return Err(ScimError::bad("invalidCursor", "the cursor is not one of ours"));
                    }
                }
            }
        };
        let (mut total, mut skip, mut room) = (0, start, count);
        let mut resources = Vec::new();
        for of in self.model.types() {
            let plan = self.plan(of.kind, query, Some(&self.model))?;
            let listing = self.window(&plan, skip, room).await?;
            total += listing.total;
            skip = skip.saturating_sub(listing.total);
            room -= listing.resources.len().min(room);
            for item in listing.resources {
                let mut resource = item.into_tree();
                query.projection.apply(&mut resource, of);
                resources.push(Value::Object(resource));
            }
        }
        let reached = start + resources.len() as u64;
        let more = reached < total && !resources.is_empty();
        let by_cursor = matches!(query.paging, Paging::Cursor { .. });
        let mut body = list_response(total, (!by_cursor).then_some(start + 1), resources);
        if by_cursor && more {
            body.insert("nextCursor".into(), query.cursor(SCOPE, Position::Skip(reached)).into());
        }
        Ok(Answer::json(Value::Object(body)))
    }

    fn plan<'a>(
        &'a self,
        kind: ResourceKind,
        query: &Query,
        others: Option<&'a Model>,
    ) -> Result<Plan<'a>, ScimError> {
        let of = self.of(kind)?;
        let expr = query.filter.as_deref().map(|text| filter::compile(text, of, others)).transpose()?;
        let sort = match &query.sort_by {
            None if query.descending && kind != ResourceKind::Entitlement => {
                let name = if kind == ResourceKind::User { "userName" } else { "displayName" };
                of.find(None, name, None).map(|place| (Path::of(&place), true))
            }
            None => None,
            Some(by) => super::sort::path(by, of, others)?.map(|path| (path, query.descending)),
        };
        let by_parties = expr.as_ref().is_some_and(|expr| expr.mentions(&Path::is_of_parties))
            || sort.as_ref().is_some_and(|(path, _)| path.is_of_parties());
        let shown = parties_if(query.projection.shows_parties(of));
        let as_text = kind == ResourceKind::User
            && query.projection.is_usual()
            && expr.as_ref().is_none_or(|expr| filter::push(expr, kind).rest.is_none());
        Ok(Plan { of, expr, sort, shown, looked_at: parties_if(by_parties), as_text })
    }

    fn answer(
        &self,
        plan: &Plan<'_>,
        query: &Query,
        listing: Listing,
        start: Option<u64>,
        next: Option<String>,
    ) -> Answer {
        if plan.as_text {
            return written(listing, start, next.as_deref());
        }
        let resources = listing.resources.into_iter().map(|item| {
            let mut resource = item.into_tree();
            query.projection.apply(&mut resource, plan.of);
            Value::Object(resource)
        });
        let mut body = list_response(listing.total, start, resources.collect());
        if let Some(next) = next {
            body.insert("nextCursor".into(), next.into());
        }
        Answer::json(Value::Object(body))
    }

    /// So many resources after so many, and how many there are.
    async fn window(&self, plan: &Plan<'_>, skip: u64, count: usize) -> Result<Listing, ScimError> {
        if plan.of.kind == ResourceKind::Entitlement {
            return self.entitlements(plan, skip, count).await;
        }
        let kind = plan.of.kind;
        let pushed =
            plan.expr.as_ref().map_or(Pushed { test: None, rest: None }, |expr| filter::push(expr, kind));
        let order = match &plan.sort {
            None => Some(Order::default()),
            Some((path, descending)) => filter::sort_column(path, kind)
                .map(|by| match by {
                    OrderBy::Text(Column::DisplayName) if kind == ResourceKind::Group => {
                        OrderBy::Text(Column::Name)
                    }
                    by => by,
                })
                .map(|by| Order { by, descending: *descending }),
        };
        let store = &self.source.store;
        if let (Some(order), None) = (order, &pushed.rest) {
            let selection = self.selection(kind, pushed.test, order);
            let part = Window::From { skip, limit: count };
            // A page that is not full tells how many there are.
            let (resources, found) = self.items_in(plan, selection.clone(), part, plan.shown).await?;
            let total = if found < count && (found > 0 || skip == 0) {
                skip + found as u64
            } else {
                store.count(selection).await?
            };
            return Ok(Listing { resources, total });
        }
        let selection = self.selection(kind, pushed.test, order.unwrap_or_default());
        let keys = store.keys(selection, Window::All).await?;
        let mut kept: Vec<(Option<SortKey>, Key)> = Vec::new();
        for batch in keys.chunks(limits::WALK) {
            // One more key than resources means that somebody is gone meanwhile: read one by one.
            for (key, resource) in self.load_each(plan.of, batch, plan.looked_at).await? {
                if pushed.rest.as_ref().is_none_or(|rest| filter::matches(rest, &resource)) {
                    let sort = plan.sort.as_ref().filter(|_| order.is_none());
                    kept.push((sort.map(|(path, _)| SortKey::of(path, &resource)), key));
                }
            }
        }
        if order.is_none() {
            let descending = plan.sort.as_ref().is_some_and(|(_, descending)| *descending);
            kept.sort_by(|(a, _), (b, _)| if descending { b.cmp(a) } else { a.cmp(b) });
        }
        let total = kept.len() as u64;
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let page = kept.into_iter().skip(skip).take(count).map(|(_, key)| key).collect();
        let resources = self.load(plan.of, page, plan.shown).await?;
        Ok(Listing { resources: resources.into_iter().map(Item::Tree).collect(), total })
    }

    async fn load_each(
        &self,
        of: &ResourceType,
        keys: &[Key],
        parties: Parties,
    ) -> Result<Vec<(Key, Resource)>, ScimError> {
        let all = self.load(of, keys.to_vec(), parties).await?;
        if all.len() == keys.len() {
            return Ok(keys.iter().copied().zip(all).collect());
        }
        let mut each = Vec::with_capacity(all.len());
        for key in keys {
            let one = self.load(of, vec![*key], parties).await?;
            each.extend(one.into_iter().map(|resource| (*key, resource)));
        }
        Ok(each)
    }

    /// The page behind a place in the order of names. What comes and goes elsewhere meanwhile
    /// neither repeats nor hides anything.
    async fn after(
        &self,
        plan: &Plan<'_>,
        query: &Query,
        position: Option<Position>,
        count: usize,
    ) -> Result<Answer, ScimError> {
        let kind = plan.of.kind;
        let pushed =
            plan.expr.as_ref().map_or(Pushed { test: None, rest: None }, |expr| filter::push(expr, kind));
        let selection = self.selection(kind, pushed.test, Order::default());
        let mut cursor = match position {
            Some(Position::Behind(name, id)) => Some(Cursor::behind(&name, &id)),
            _ => None,
        };
        let store = &self.source.store;
        let parties =
            if pushed.rest.is_some() && plan.looked_at == Parties::Read { Parties::Read } else { plan.shown };
        let mut resources: Vec<Item> = Vec::new();
        let mut more = false;
        // One more than fits on the page says whether there is another.
        'walk: loop {
            if count == 0 {
                break;
            }
            let limit = if pushed.rest.is_some() { limits::WALK } else { count - resources.len() + 1 };
            let part = Window::After { cursor: cursor.clone(), limit };
            let (batch, keys) = self.items_in(plan, selection.clone(), part, parties).await?;
            // Nothing left, or nothing that could be read.
            let last = keys < limit || batch.is_empty();
            for item in batch {
                let (name, id) = item.place();
                cursor = Some(Cursor::behind(&name, &id));
                if let (Some(rest), Item::Tree(resource)) = (&pushed.rest, &item)
                    && !filter::matches(rest, resource)
                {
                    continue;
                }
                if resources.len() == count {
                    more = true;
                    break 'walk;
                }
                resources.push(item);
            }
            if last {
                break;
            }
        }
        let next = resources.last().filter(|_| more).map(|last| {
            let (name, id) = last.place();
            query.cursor(kind.endpoint(), Position::Behind(name, id))
        });
        // How many there are is known where counting is the store's.
        let total = match pushed.rest {
            None => Some(store.count(selection).await?),
            Some(_) => None,
        };
        let listing = Listing { resources, total: total.unwrap_or_default() };
        let mut answer = self.answer(plan, query, listing, None, next);
        if total.is_none()
            && let Some(body) = answer.resource_mut()
        {
            body.remove("totalResults");
        }
        Ok(answer)
    }

    /// Entitlements are few beside accounts: each is made and tested on the way past.
    async fn entitlements(&self, plan: &Plan<'_>, skip: u64, count: usize) -> Result<Listing, ScimError> {
        let mut stream = std::pin::pin!(self.source.view.entitlements());
        let mut total = 0;
        let mut kept: Vec<(Option<SortKey>, Entitlement)> = Vec::new();
        while let Some(entitlement) = stream.try_next().await? {
            let whole = plan.expr.is_some() || plan.sort.is_some();
            let rendered = whole.then(|| resource::entitlement(&entitlement, plan.of, &self.base));
            if let (Some(expr), Some(rendered)) = (&plan.expr, &rendered)
                && !filter::matches(expr, rendered)
            {
                continue;
            }
            total += 1;
            match (&plan.sort, &rendered) {
                (Some((path, _)), Some(rendered)) => {
                    kept.push((Some(SortKey::of(path, rendered)), entitlement));
                }
                _ if total > skip && kept.len() < count => kept.push((None, entitlement)),
                _ => {}
            }
        }
        let mut from = 0;
        if let Some((_, descending)) = &plan.sort {
            kept.sort_by(|(a, _), (b, _)| if *descending { b.cmp(a) } else { a.cmp(b) });
            from = usize::try_from(skip).unwrap_or(usize::MAX);
        }
        let page = kept.into_iter().skip(from).take(count);
        let resources = page.map(|(_, one)| Item::Tree(resource::entitlement(&one, plan.of, &self.base)));
        Ok(Listing { resources: resources.collect(), total })
    }

    /// What a plan shows of a part of a selection, and how many keys it has.
    async fn items_in(
        &self,
        plan: &Plan<'_>,
        selection: Selection,
        window: Window,
        parties: Parties,
    ) -> Result<(Vec<Item>, usize), ScimError> {
        if plan.as_text {
            let (texts, keys) = self.texts_in(plan.of, selection, window).await?;
            return Ok((texts.into_iter().map(Item::Text).collect(), keys));
        }
        let (trees, keys) = self.load_in(plan.of, selection, window, parties).await?;
        Ok((trees.into_iter().map(Item::Tree).collect(), keys))
    }
}

/// A list of resources that are sent as they are.
fn written(listing: Listing, start: Option<u64>, next: Option<&str>) -> Answer {
    let Listing { resources, total } = listing;
    let mut json = Json::object(256 + resources.len() * resource::USUAL);
    json.put("schemas", &[urn::LIST]);
    json.put("totalResults", &total);
    json.put_some("startIndex", start.as_ref());
    json.put("itemsPerPage", &resources.len());
    if resources.is_empty() {
        json.put("Resources", &[(); 0]);
    }
    json.put_list("Resources", |list| {
        for item in &resources {
            match item {
                Item::Text(text) => list.item_written(&text.bytes),
                Item::Tree(tree) => list.item_written(&serde_json::to_vec(tree).unwrap_or_default()),
            }
        }
    });
    json.put_some("nextCursor", next.as_ref());
    let body = Some(Content::Written(json.end().into()));
    Answer { body, ..Answer::empty(StatusCode::OK) }
}
