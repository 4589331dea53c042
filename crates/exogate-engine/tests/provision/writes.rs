//! One of each kind of write, each by itself.

/// A name, and the plan that makes this one write.
pub type Write = (&'static str, &'static str);

macro_rules! kim {
    ($operation:literal) => {
        concat!(r#"{"accounts":[{"account":"kim.akers@contoso.com","attributes":["#, $operation, "]}]}")
    };
}

macro_rules! mark {
    ($operation:literal) => {
        concat!(r#"{"accounts":[{"account":"mark.taylor@contoso.com","attributes":["#, $operation, "]}]}")
    };
}

macro_rules! group {
    ($name:literal, $more:literal, $operation:literal) => {
        concat!(r#"{"groups":[{"group":""#, $name, r#"""#, $more, r#","attributes":["#, $operation, "]}]}")
    };
}

/// Those that Exchange carries out.
pub const EXCHANGE: [Write; 16] = [
    ("set a mailbox attribute", kim!(r#"{"name":"EXO_CustomAttribute1","value":"Sales"}"#)),
    ("set a client access attribute", kim!(r#"{"name":"EXO_ImapEnabled","value":false}"#)),
    ("grant on the mailbox", kim!(r#"{"op":"add","name":"sharedMailbox","value":"Quiet: FullAccess"}"#)),
    (
        "revoke on the mailbox",
        mark!(r#"{"op":"remove","name":"sharedMailbox","value":"O365Support: ReadPermission"}"#),
    ),
    ("grant SendAs", kim!(r#"{"op":"add","name":"sharedMailbox","value":"Quiet: SendAs"}"#)),
    ("revoke SendAs", mark!(r#"{"op":"remove","name":"sharedMailbox","value":"O365Support: SendAs"}"#)),
    ("grant SendOnBehalf", mark!(r#"{"op":"add","name":"sharedMailbox","value":"Quiet: SendOnBehalf"}"#)),
    (
        "revoke SendOnBehalf",
        kim!(r#"{"op":"remove","name":"sharedMailbox","value":"INFO (info2@contoso.com): SendOnBehalf"}"#),
    ),
    ("add a member of a list", kim!(r#"{"op":"add","name":"groups","value":"All staff"}"#)),
    ("remove a member of a list", mark!(r#"{"op":"remove","name":"groups","value":"All staff"}"#)),
    (
        "add an owner of a list",
        group!("All staff", "", r#"{"op":"add","name":"owners","value":"kim.akers@contoso.com"}"#),
    ),
    ("set an attribute of a list", group!("All staff", "", r#"{"name":"EXO_CustomAttribute1","value":"x"}"#)),
    (
        "make a list",
        group!(
            "Sales",
            r#","operation":"create","kind":"distributionList""#,
            r#"{"op":"add","name":"owners","value":"ines.boss@contoso.com"},{"op":"add","name":"members","value":"kim.akers@contoso.com"}"#
        ),
    ),
    ("delete a list", group!("All staff", r#","operation":"delete""#, "")),
    (
        "make a mail-enabled security group",
        group!(
            "Guards",
            r#","operation":"create","kind":"mailEnabledSecurity""#,
            r#"{"op":"add","name":"owners","value":"ines.boss@contoso.com"}"#
        ),
    ),
    ("delete a mail-enabled security group", group!("Inner circle", r#","operation":"delete""#, "")),
];

/// Those that Graph carries out.
pub const GRAPH: [Write; 7] = [
    ("add a member", kim!(r#"{"op":"add","name":"groups","value":"VPN users"}"#)),
    ("remove a member", mark!(r#"{"op":"remove","name":"groups","value":"VPN users"}"#)),
    (
        "add an owner",
        group!("Project X", "", r#"{"op":"add","name":"owners","value":"kim.akers@contoso.com"}"#),
    ),
    ("set a property", group!("Project X", "", r#"{"name":"description","value":"for all"}"#)),
    (
        "make a security group",
        group!(
            "Build crew",
            r#","operation":"create","kind":"security""#,
            r#"{"op":"add","name":"members","value":"kim.akers@contoso.com"}"#
        ),
    ),
    (
        "make a Microsoft 365 group",
        group!(
            "Project Y",
            r#","operation":"create","kind":"microsoft365""#,
            r#"{"op":"add","name":"owners","value":"ines.boss@contoso.com"}"#
        ),
    ),
    ("delete a security group", group!("VPN users", r#","operation":"delete""#, "")),
];

/// What is done to users themselves. Each `%` stands for a number of its own.
pub const USERS: [Write; 6] = [
    (
        "make a user",
        r#"{"users":[{"user":"joiner%@contoso.com","operation":"create","attributes":[
            {"name":"displayName","value":"New Joiner"},{"name":"department","value":"Sales"}]}]}"#,
    ),
    ("set a property of a user", kim!(r#"{"name":"department","value":"Sales"}"#)),
    ("disable a user", kim!(r#"{"name":"accountEnabled","value":false}"#)),
    (
        "enable a user",
        r#"{"accounts":[{"account":"no.mailbox@contoso.com","attributes":[{"name":"accountEnabled","value":true}]}]}"#,
    ),
    ("delete a user", r#"{"users":[{"user":"leaver%@contoso.com","operation":"delete"}]}"#),
    ("give a password", r#"{"users":[{"user":"leaver%@contoso.com","operation":"setPassword"}]}"#),
];

/// Makes the user that a plan is about, where it needs one of its own.
pub fn before(plan: &str) -> Option<String> {
    let (_, rest) = plan.split_once("leaver")?;
    let number = rest.split('@').next()?;
    Some(format!(r#"{{"users":[{{"user":"leaver{number}@contoso.com","operation":"create"}}]}}"#))
}

/// Why it cannot be undone, if so.
pub fn for_good(plan: &str) -> Option<&'static str> {
    if plan.contains("setPassword") {
        Some("the password before is not on record")
    } else if plan.contains("leaver") && deletes(plan) {
        Some("restored in the Entra admin center")
    } else {
        None
    }
}

/// Whether the plan gives a password, which nobody can see to be so already.
pub fn is_blind(plan: &str) -> bool {
    plan.contains("setPassword")
}

/// Whether the plan makes a group or user, which must never be sent twice.
pub fn makes(plan: &str) -> bool {
    plan.contains(r#""operation":"create""#)
}

/// Whether the plan deletes a group or user.
pub fn deletes(plan: &str) -> bool {
    plan.contains(r#""operation":"delete""#)
}
