//! Reading single resources, and what a query picks of the store.

use exogate_engine::view::Entitlement;
use exogate_store::{
    AccountRecord, Column, Comparison, Dated, GroupRecord, Key, Order, Parties, Selected, Selection, Test,
    Window,
};
use http::StatusCode;

use super::context::{Answer, Content, Context};
use super::error::ScimError;
use super::list::parties_if;
use super::project::Projection;
use super::resource::{self, Resource, Text};
use super::schema::{ResourceKind, ResourceType};

impl Context {
    /// One resource by its id, with as much as a projection shows of it.
    async fn find(
        &self,
        kind: ResourceKind,
        id: &str,
        parties: Parties,
    ) -> Result<Option<Resource>, ScimError> {
        let of = self.of(kind)?;
        if kind == ResourceKind::Entitlement {
            return self.find_entitlement(id, of).await;
        }
        let Some(selection) = self.by_id(kind, id) else { return Ok(None) };
        Ok(self.load_in(of, selection, Window::All, parties).await?.0.pop())
    }

    /// The user or group of this id; none where there can be no such id.
    fn by_id(&self, kind: ResourceKind, id: &str) -> Option<Selection> {
        // Case counts in ids.
        if id.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        let test = Test::Text(Column::Id, Comparison::Equal, id.to_owned());
        Some(self.selection(kind, Some(test), Order::default()))
    }

    /// All of one resource by its id; a 404 where there is none.
    pub async fn existing(&self, kind: ResourceKind, id: &str) -> Result<Resource, ScimError> {
        let found = self.find(kind, id, Parties::Read).await?;
        found.ok_or_else(|| ScimError::not_found(kind.name(), id))
    }

    /// GET.
    pub async fn read(
        &self,
        kind: ResourceKind,
        id: &str,
        projection: &Projection,
    ) -> Result<Answer, ScimError> {
        let of = self.of(kind)?;
        let nobody = || ScimError::not_found(kind.name(), id);
        if kind == ResourceKind::User && projection.is_usual() {
            let selection = self.by_id(kind, id).ok_or_else(nobody)?;
            let Text { location, version, bytes, .. } =
                self.texts_in(of, selection, Window::All).await?.0.pop().ok_or_else(nobody)?;
            let body = Some(Content::Written(bytes.into()));
            return Ok(Answer {
                body,
                location: Some(location),
                version: Some(version),
                ..Answer::empty(StatusCode::OK)
            });
        }
        let parties = parties_if(projection.shows_parties(of));
        let found = self.find(kind, id, parties).await?.ok_or_else(nobody)?;
        Ok(Answer::resource(StatusCode::OK, found))
    }

    /// The users with this name.
    pub async fn users_named(&self, name: &str) -> Result<Vec<Resource>, ScimError> {
        let kind = ResourceKind::User;
        let test = Test::Text(Column::Name, Comparison::Equal, name.to_owned());
        let selection = self.selection(kind, Some(test), Order::default());
        Ok(self.load_in(self.of(kind)?, selection, Window::All, Parties::Read).await?.0)
    }

    async fn find_entitlement(&self, id: &str, of: &ResourceType) -> Result<Option<Resource>, ScimError> {
        let Some((mailbox, right)) = resource::split_entitlement_id(id) else { return Ok(None) };
        let store = &self.source.store;
        let known = store.mailbox_refs(vec![mailbox.to_owned()]).await?;
        let Some((label, reference)) = known.get(mailbox).and_then(|one| Some((one.label.as_deref()?, one)))
        else {
            return Ok(None);
        };
        if resource::entitlement_id(&reference.key, &right) != id {
            return Ok(None);
        }
        let found = Entitlement {
            value: exogate_model::entitlement::value(label, &right),
            mailbox: reference.key.clone(),
            address: reference.primary_smtp.clone(),
            holders: store.holders(&reference.key, &right).await?,
            right,
        };
        Ok(Some(resource::entitlement(&found, of, &self.base)))
    }

    pub(super) fn selection(&self, kind: ResourceKind, test: Option<Test>, order: Order) -> Selection {
        use exogate_model::group::GroupKind::{
            DistributionList, DynamicDistribution, MailEnabledSecurity, Microsoft365, Security,
        };
        let options = &self.source.context.options;
        let kinds = [Security, MailEnabledSecurity, DistributionList, Microsoft365, DynamicDistribution];
        let kinds = kinds.into_iter().filter(|kind| options.aggregates(*kind)).collect();
        let of = if kind == ResourceKind::User { Selected::Accounts } else { Selected::Groups };
        Selection { of, kinds, test, order }
    }

    /// A part of a selection, read at one moment, and how many keys it has.
    pub(super) async fn load_in(
        &self,
        of: &ResourceType,
        selection: Selection,
        window: Window,
        parties: Parties,
    ) -> Result<(Vec<Resource>, usize), ScimError> {
        let store = &self.source.store;
        Ok(match of.kind {
            ResourceKind::User => {
                let (found, keys) = store.accounts_in(selection, window).await?;
                (self.users(found, of), keys)
            }
            _ => {
                let (found, keys) = store.groups_in(selection, window, parties).await?;
                (self.groups(found, of), keys)
            }
        })
    }

    /// Users of a part of a selection as they are sent, and how many keys it has.
    pub(super) async fn texts_in(
        &self,
        of: &ResourceType,
        selection: Selection,
        window: Window,
    ) -> Result<(Vec<Text>, usize), ScimError> {
        let (found, keys) = self.source.store.accounts_in(selection, window).await?;
        let (view, base) = (&self.source.view, self.base.as_str());
        Ok((found.into_iter().map(|one| resource::user_text(one, view, of, base)).collect(), keys))
    }

    pub(super) async fn load(
        &self,
        of: &ResourceType,
        keys: Vec<Key>,
        parties: Parties,
    ) -> Result<Vec<Resource>, ScimError> {
        let store = &self.source.store;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        Ok(match of.kind {
            ResourceKind::User => self.users(store.accounts_of(keys).await?, of),
            _ => self.groups(store.groups_of(keys, parties).await?, of),
        })
    }

    pub(super) fn users(&self, records: Vec<Dated<AccountRecord>>, of: &ResourceType) -> Vec<Resource> {
        let (view, base) = (&self.source.view, self.base.as_str());
        records.into_iter().map(|one| resource::user(one, view, of, base)).collect()
    }

    pub(super) fn groups(&self, records: Vec<Dated<GroupRecord>>, of: &ResourceType) -> Vec<Resource> {
        let (view, base) = (&self.source.view, self.base.as_str());
        records.into_iter().map(|one| resource::group(one, view, of, base)).collect()
    }
}
