//! What administrators and others do in the tenant: mostly by cmdlets and the directory's own calls,
//! some of it in ways that no record ever tells of. Much of it is refused; then nothing is different.

use exogate_microsoft::exchange::Cmdlet;
use exogate_sim::state::{Face, Idx};
use http::Method;
use serde_json::{Value, json};

use crate::random::Random;
use crate::rig::Rig;

const PEOPLE: [&str; 6] = [
    "mark.taylor@contoso.com",
    "ines.boss@contoso.com",
    "kim.akers@contoso.com",
    "lee.gu2@contoso.com",
    "nora.nested@contoso.com",
    "no.mailbox@contoso.com",
];
/// Those to whom rights are given, as administrators type them.
const TRUSTEES: [&str; 9] = [
    "mark.taylor@contoso.com",
    "ines.boss@contoso.com",
    "kim.akers@contoso.com",
    "lee.gu2@contoso.com",
    "Lee Gu 1",
    "nora.nested@contoso.com",
    "Support team",
    "innercircle@contoso.com",
    "new1@contoso.com",
];
/// Mailboxes as administrators type them: address, alias, name, display name, and one that comes and goes.
const MAILBOXES: [&str; 10] = [
    "support@contoso.com",
    "O365Support",
    "info@contoso.com",
    "info-one",
    "INFO2@contoso.com",
    "quiet@contoso.com",
    "Quiet",
    "Box 1",
    "Name 1",
    "Room 1",
];
/// Mailboxes as their labels name them.
const LABELS: [&str; 5] = ["O365Support", "Quiet", "INFO (info2@contoso.com)", "Name 1", "Box 1"];
const GROUPS: [&str; 6] = ["Support team", "innercircle", "All staff", "projectx", "Group 1", "List 1"];
const RIGHTS: [&str; 4] = ["FullAccess", "ReadPermission", "ChangeOwner", "DeleteItem"];

/// What has been made so far, so that names differ.
#[derive(Default)]
pub struct Made(u32);

impl Made {
    fn next(&mut self) -> u32 {
        self.0 += 1;
        self.0
    }
}

fn identity(name: &str, who: &str) -> Cmdlet {
    let cmdlet = Cmdlet::new(name).text("Identity", who);
    // Asking back would only stop the deed.
    if name.starts_with("Remove-") || name.starts_with("Disable-") {
        cmdlet.flag("Confirm", false)
    } else {
        cmdlet
    }
}

/// One deed.
pub async fn deed(rig: &mut Rig<'_>, random: &mut Random, made: &mut Made) -> String {
    if random.chance(3) {
        rig.relieve(random);
    }
    if random.below(12) == 0 {
        return ours(rig, random).await;
    }
    match random.below(40) {
        0..=13 => right(rig, random).await,
        14..=21 => mailbox(rig, random, made).await,
        22..=28 => person(rig, random, made).await,
        29..=35 => group(rig, random, made).await,
        36..=38 => unrecorded(rig, random),
        _ => {
            // The subscription to the activity feed is lost.
            rig.unsubscribe();
            "unsubscribed".to_owned()
        }
    }
}

/// We are asked to give or take a right.
async fn ours(rig: &mut Rig<'_>, random: &mut Random) -> String {
    let (verb, who, label) = (random.one(&["add", "remove"]), random.one(&PEOPLE), random.one(&LABELS));
    let right = random.one(&["FullAccess", "ReadPermission", "SendAs", "SendOnBehalf"]);
    let taken = rig.provision(verb, who, label, right).await;
    format!("ours: {verb} {who} {label}: {right}{}", if taken { "" } else { " (refused)" })
}

async fn ran(rig: &mut Rig<'_>, cmdlet: Cmdlet) -> String {
    let text = cmdlet.powershell();
    rig.run(cmdlet).await;
    text
}

async fn sent(rig: &Rig<'_>, method: Method, path: String, body: Option<Value>) -> String {
    let text = format!("{method} {path} {}", body.clone().unwrap_or_default());
    rig.graph(method, &path, body).await;
    text
}

async fn right(rig: &mut Rig<'_>, random: &mut Random) -> String {
    let (mailbox, who, right) = (random.one(&MAILBOXES), random.one(&TRUSTEES), random.one(&RIGHTS));
    let cmdlet = match random.below(12) {
        0..=3 => identity("Add-MailboxPermission", mailbox).text("User", who).texts("AccessRights", [right]),
        4 => {
            let all = identity("Add-MailboxPermission", mailbox).text("User", who).switch("Deny");
            all.texts("AccessRights", ["FullAccess"])
        }
        5 | 6 => {
            identity("Remove-MailboxPermission", mailbox).text("User", who).texts("AccessRights", [right])
        }
        7 | 8 => {
            let add = identity("Add-RecipientPermission", mailbox).flag("Confirm", false);
            add.text("Trustee", who).texts("AccessRights", ["SendAs"])
        }
        9 => identity("Remove-RecipientPermission", mailbox)
            .text("Trustee", who)
            .texts("AccessRights", ["SendAs"]),
        10 => identity("Set-Mailbox", mailbox).texts("GrantSendOnBehalfTo", [who]),
        _ => identity("Set-Mailbox", mailbox).clear("GrantSendOnBehalfTo"),
    };
    ran(rig, cmdlet).await
}

async fn mailbox(rig: &mut Rig<'_>, random: &mut Random, made: &mut Made) -> String {
    let mailbox = random.one(&MAILBOXES);
    let anybody = if random.chance(5) { mailbox } else { random.one(&PEOPLE) };
    let number = random.below(3);
    let cmdlet = match random.below(11) {
        0 | 1 => identity("Set-Mailbox", mailbox).text("DisplayName", format!("Name {number}")),
        2 => identity("Set-Mailbox", anybody).text("Type", random.one(&["Regular", "Shared", "Room"])),
        3 => identity("Set-Mailbox", anybody).text("CustomAttribute1", format!("C{number}")),
        4 => identity("Set-CASMailbox", anybody).flag("ImapEnabled", random.chance(5)),
        5 if random.chance(4) => identity("Remove-Mailbox", mailbox),
        6 | 7 => {
            let name = format!("Box {}", made.next());
            Cmdlet::new("New-Mailbox").switch("Shared").text("Name", &name).text("DisplayName", &name)
        }
        8 if random.chance(3) => identity("Disable-Mailbox", anybody),
        9 => identity("Enable-Mailbox", random.one(&PEOPLE)),
        _ => identity("Set-Mailbox", mailbox).text("Name", random.one(&["Quiet", "Box 1", "odd name"])),
    };
    ran(rig, cmdlet).await
}

async fn person(rig: &mut Rig<'_>, random: &mut Random, made: &mut Made) -> String {
    let who = random.one(&PEOPLE);
    let number = random.below(3);
    let user = format!("users/{who}");
    match random.below(12) {
        0 => sent(rig, Method::PATCH, user, Some(json!({"department": format!("D{number}")}))).await,
        1 => sent(rig, Method::PATCH, user, Some(json!({"displayName": format!("Person {number}")}))).await,
        2 => {
            sent(rig, Method::PATCH, user, Some(json!({"jobTitle": null, "accountEnabled": number > 0})))
                .await
        }
        3 => {
            let upn = format!("renamed{number}@contoso.com");
            let back = json!({"userPrincipalName": random.one(&["mark.taylor@contoso.com", "kim.akers@contoso.com"])});
            sent(rig, Method::PATCH, format!("users/{upn}"), Some(back)).await;
            sent(rig, Method::PATCH, user, Some(json!({"userPrincipalName": upn}))).await
        }
        4 => match rig.id_of(random.one(&PEOPLE)) {
            Some(manager) => {
                let reference =
                    json!({"@odata.id": format!("https://graph.microsoft.com/v1.0/users/{manager}")});
                sent(rig, Method::PUT, format!("{user}/manager/$ref"), Some(reference)).await
            }
            None => "nobody".to_owned(),
        },
        5 => sent(rig, Method::DELETE, format!("{user}/manager/$ref"), None).await,
        6 | 7 => {
            let number = made.next();
            let body = json!({"accountEnabled": true, "displayName": format!("New {number}"),
                "mailNickname": format!("new{number}"),
                "userPrincipalName": format!("new{number}@contoso.com"),
                "passwordProfile": {"password": "Passw0rd!longer"}});
            sent(rig, Method::POST, "users".to_owned(), Some(body)).await
        }
        8 | 9 if random.chance(5) => sent(rig, Method::DELETE, user, None).await,
        10 if random.chance(3) => {
            let who = rig.deleted(random.below(4)).map(|(_, id)| id);
            sent(rig, Method::DELETE, format!("directory/deletedItems/{}", who.unwrap_or_default()), None)
                .await
        }
        _ => match rig.deleted(random.below(4)) {
            Some((idx, id)) => {
                let world = &rig.world;
                let _ = world.state_mut().edit(Face::Graph, world.now()).restore(idx);
                format!("restored {id}")
            }
            None => "nobody to restore".to_owned(),
        },
    }
}

async fn group(rig: &mut Rig<'_>, random: &mut Random, made: &mut Made) -> String {
    let (group, who, other) = (random.one(&GROUPS), random.one(&TRUSTEES), random.one(&GROUPS));
    let member = if random.chance(8) { who } else { other };
    let freely = |cmdlet: Cmdlet| cmdlet.flag("BypassSecurityGroupManagerCheck", true);
    let number = random.below(3);
    let cmdlet = match random.below(14) {
        0..=2 => freely(identity("Add-DistributionGroupMember", group).text("Member", member)),
        3 | 4 => freely(identity("Remove-DistributionGroupMember", group).text("Member", member)),
        5 => freely(identity("Set-DistributionGroup", group).text("DisplayName", format!("Name {number}"))),
        6 => freely(identity("Set-DistributionGroup", group).texts("ManagedBy", [random.one(&PEOPLE)])),
        7 => Cmdlet::new("New-DistributionGroup").text("Name", format!("List {}", made.next())),
        8 => {
            let links = random.one(&["Members", "Owners"]);
            let name = random.one(&["Add-UnifiedGroupLinks", "Remove-UnifiedGroupLinks"]);
            identity(name, "projectx").text("LinkType", links).texts("Links", [random.one(&PEOPLE)])
        }
        9 => {
            let name = format!("Dynamic {}", made.next());
            Cmdlet::new("New-DynamicDistributionGroup")
                .text("Name", name)
                .text("RecipientFilter", "Department -eq 'D1'")
        }
        10 => identity("Set-DynamicDistributionGroup", "dynsupport")
            .text("DisplayName", format!("Name {number}")),
        11 => {
            let number = made.next();
            let mut body = json!({"displayName": format!("Group {number}"), "mailEnabled": false,
                "mailNickname": format!("group{number}"), "securityEnabled": true});
            if let Some(member) = rig.id_of(random.one(&PEOPLE)) {
                let reference = format!("https://graph.microsoft.com/v1.0/users/{member}");
                body["members@odata.bind"] = json!([reference]);
            }
            return sent(rig, Method::POST, "groups".to_owned(), Some(body)).await;
        }
        12 if random.chance(5) => {
            let name = random.one(&[
                "Remove-DistributionGroup",
                "Remove-DynamicDistributionGroup",
                "Remove-UnifiedGroup",
            ]);
            identity(name, random.one(&["dynsupport", group]))
        }
        _ => {
            let Some(id) = rig.id_of(random.one(&["VPN users", "Group 1", "projectx"])) else {
                return "no group".to_owned();
            };
            return match random.below(4) {
                0 => sent(rig, Method::DELETE, format!("groups/{id}"), None).await,
                1 => {
                    let body = json!({"displayName": format!("Name {number}")});
                    sent(rig, Method::PATCH, format!("groups/{id}"), Some(body)).await
                }
                _ => {
                    let Some(member) = rig.id_of(member) else { return "nobody".to_owned() };
                    let place = random.one(&["members", "owners"]);
                    if random.chance(5) {
                        sent(rig, Method::DELETE, format!("groups/{id}/{place}/{member}/$ref"), None).await
                    } else {
                        let whom = format!("https://graph.microsoft.com/v1.0/directoryObjects/{member}");
                        let body = json!({"@odata.id": whom});
                        sent(rig, Method::POST, format!("groups/{id}/{place}/$ref"), Some(body)).await
                    }
                }
            };
        }
    };
    ran(rig, cmdlet).await
}

/// What no record ever tells of.
fn unrecorded(rig: &Rig<'_>, random: &mut Random) -> String {
    let world = &rig.world;
    let mut state = world.state_mut();
    let (mailbox, who) = (random.one(&MAILBOXES), random.one(&TRUSTEES));
    let first = |found: Vec<Idx>| found.first().copied();
    let Some(idx) = first(state.by_identity(false, mailbox)) else { return "no mailbox".to_owned() };
    let holder = first(state.by_identity(false, who));
    let takes = random.chance(5);
    let mut edit = state.edit(Face::Exchange, world.now());
    if random.chance(1) {
        let _ = edit.soft_delete(idx);
        return format!("without a record: {mailbox} gone");
    }
    let _ = edit.update(idx, |object| {
        let Some(mailbox) = object.recipient.as_deref_mut().and_then(|r| r.mailbox.as_deref_mut()) else {
            return;
        };
        if takes {
            mailbox.aces.pop();
        } else if let (Some(holder), Some(ace)) = (holder, mailbox.aces.first().cloned()) {
            let trustee = exogate_sim::state::Trustee::Object(holder);
            mailbox.aces.push(exogate_sim::state::Ace { trustee, ..ace });
        }
    });
    format!("without a record: {mailbox} {who} {takes}")
}
