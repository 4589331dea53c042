//! An administrator who changes the tenant over its own APIs, so that the audit log tells of it.

use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt, stream};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::http;
use crate::tenant::Tenant;

/// Requests under way at once.
const ABREAST: usize = 8;
/// Refusals one after the other that may be chance.
const PATIENCE: usize = 100;

/// Somebody signed in to Graph and Exchange.
pub struct Administrator {
    client: reqwest::Client,
    origin: String,
    tenant: String,
    graph: String,
    exchange: String,
    shared: Vec<String>,
    people: Vec<String>,
    groups: Vec<String>,
    /// Deeds done so far: the next ones are about others.
    done: usize,
}

/// One deed.
enum Deed {
    Cmdlet(&'static str, Value),
    Directory(Method, String, Value),
}

impl Administrator {
    /// Signs in, and looks who is there.
    pub async fn of(tenant: &Tenant) -> Result<Self> {
        let client = http::client(&tenant.ca(), true)?;
        let (origin, id) = (tenant.facts.origin(), tenant.facts.tenant_id.clone());
        let secret = tenant.secret()?;
        let application = (tenant.facts.client_id.as_str(), secret.as_str());
        let token = |resource| http::token(&client, &origin, &id, application, resource);
        let (graph, exchange) =
            tokio::try_join!(token("https://graph.microsoft.com"), token("https://outlook.office365.com"))?;
        let mut new = Self {
            client: client.clone(),
            origin: origin.clone(),
            tenant: id.clone(),
            graph,
            exchange,
            shared: Vec::new(),
            people: Vec::new(),
            groups: Vec::new(),
            done: 0,
        };
        new.shared = new.shared_mailboxes().await?;
        new.people = new.ids("users?$select=id&$top=999").await?;
        new.groups = new
            .ids("groups?$select=id&$top=999&$filter=mailEnabled%20eq%20false%20and%20securityEnabled%20eq%20true")
            .await?;
        if new.shared.is_empty() || new.people.is_empty() || new.groups.is_empty() {
            bail!("the tenant has no shared mailboxes, people or groups to change");
        }
        Ok(new)
    }

    fn cmdlet(&self, url: &str, name: &str, parameters: &Value) -> RequestBuilder {
        self.client
            .post(url)
            .bearer_auth(&self.exchange)
            .header("X-AnchorMailbox", http::anchor(&self.tenant))
            .header("Prefer", "odata.maxpagesize=1000")
            .json(&json!({"CmdletInput": {"CmdletName": name, "Parameters": parameters}}))
    }

    fn door(&self) -> String {
        format!("{}/adminapi/beta/{}/InvokeCommand", self.origin, self.tenant)
    }

    async fn shared_mailboxes(&self) -> Result<Vec<String>> {
        let parameters = json!({"RecipientTypeDetails": ["SharedMailbox"], "ResultSize": "Unlimited"});
        let mut url = format!("{}?$select=PrimarySmtpAddress", self.door());
        let mut found = Vec::new();
        loop {
            let answer: Value = answer(self.cmdlet(&url, "Get-Mailbox", &parameters)).await?;
            for row in answer["value"].as_array().into_iter().flatten() {
                found.extend(row["PrimarySmtpAddress"].as_str().map(str::to_owned));
            }
            match answer["@odata.nextLink"].as_str() {
                Some(next) => url = next.to_owned(),
                None => return Ok(found),
            }
        }
    }

    /// The ids on the first page of a listing.
    async fn ids(&self, listing: &str) -> Result<Vec<String>> {
        let url = format!("{}/v1.0/{listing}", self.origin);
        let answer: Value = answer(self.client.get(url).bearer_auth(&self.graph)).await?;
        let ids = answer["value"].as_array().context("a listing has no value")?;
        Ok(ids.iter().filter_map(|object| object["id"].as_str()).map(str::to_owned).collect())
    }

    /// Makes so many changes: of ten, five on the rights of mailboxes, one on a mailbox, three on
    /// people and one on the members of a group. What the tenant refuses (objects that are mastered
    /// elsewhere, members that are there already) is made up for by others.
    pub async fn change(&mut self, count: usize) -> Result<()> {
        let (mut missing, mut in_vain) = (count, 0);
        while missing > 0 {
            let deeds: Vec<Deed> = (self.done..self.done + missing).map(|number| self.deed(number)).collect();
            self.done += missing;
            let this = &*self;
            let taken: Vec<bool> = stream::iter(deeds)
                .map(|deed| this.carry_out(deed))
                .buffer_unordered(ABREAST)
                .try_collect()
                .await?;
            let taken = taken.into_iter().filter(|taken| *taken).count();
            // The last one that is missing may well be of those that are refused.
            in_vain = if taken == 0 { in_vain + missing } else { 0 };
            if in_vain > PATIENCE {
                bail!("the tenant refused {in_vain} changes one after the other");
            }
            missing -= taken;
        }
        Ok(())
    }

    /// Gives somebody a right that nobody was given yet.
    pub async fn grant(&self, number: usize) -> Result<()> {
        let deed = self.deed((self.done / 10 + 1 + number) * 10);
        self.carry_out(deed).await.map(drop)
    }

    fn deed(&self, number: usize) -> Deed {
        let of = |all: &[String], at: usize| all.get(at % all.len().max(1)).cloned().unwrap_or_default();
        let (mailbox, person) = (of(&self.shared, number), of(&self.people, number));
        // A second round over the same people and mailboxes makes other pairs.
        let other = of(&self.people, number / self.people.len().max(1) + 7 * number + 1);
        match number % 10 {
            0..=3 => Deed::Cmdlet(
                "Add-MailboxPermission",
                json!({"Identity": mailbox, "User": other, "AccessRights": ["FullAccess"]}),
            ),
            4 => Deed::Cmdlet(
                "Add-RecipientPermission",
                json!({"Identity": mailbox, "Trustee": other, "AccessRights": ["SendAs"], "Confirm": false}),
            ),
            5 => Deed::Cmdlet(
                "Set-Mailbox",
                json!({"Identity": mailbox, "DisplayName": format!("Renamed {number}")}),
            ),
            6..=8 => Deed::Directory(
                Method::PATCH,
                format!("users/{person}"),
                json!({"jobTitle": format!("Title {number}")}),
            ),
            _ => {
                let whom = format!("https://graph.microsoft.com/v1.0/directoryObjects/{other}");
                let group = of(&self.groups, number / 10);
                Deed::Directory(
                    Method::POST,
                    format!("groups/{group}/members/$ref"),
                    json!({"@odata.id": whom}),
                )
            }
        }
    }

    /// Whether the tenant took it.
    async fn carry_out(&self, deed: Deed) -> Result<bool> {
        let request = match deed {
            Deed::Cmdlet(name, parameters) => self.cmdlet(&self.door(), name, &parameters),
            Deed::Directory(method, path, body) => {
                let url = format!("{}/v1.0/{path}", self.origin);
                self.client.request(method, url).bearer_auth(&self.graph).json(&body)
            }
        };
        let status = request.send().await?.status();
        if status.is_success() || status == StatusCode::BAD_REQUEST || status == StatusCode::NOT_FOUND {
            return Ok(status.is_success());
        }
        bail!("the tenant did not take a change: {status}")
    }
}

async fn sent(request: RequestBuilder) -> Result<bytes::Bytes> {
    let answer = request.send().await?;
    let status = answer.status();
    let body = answer.bytes().await?;
    if status.is_success() {
        return Ok(body);
    }
    bail!("the tenant refused to answer: {status} {}", String::from_utf8_lossy(&body))
}

async fn answer(request: RequestBuilder) -> Result<Value> {
    Ok(serde_json::from_slice(&sent(request).await?)?)
}
