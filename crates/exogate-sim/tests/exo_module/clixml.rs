//! InvokeCommand in the format that the module asks for.

use http::{HeaderName, HeaderValue};
use serde_json::{Value as Json, json};

use crate::tenant::{Answer, Bench};

fn call(bench: &Bench, cmdlet: &str, parameters: Json) -> Answer {
    let body = json!({"CmdletInput": {"Parameters": parameters, "CmdletName": cmdlet}}).to_string();
    let mut request = bench.request(bench.app, &bench.target(), body);
    for (name, value) in [
        ("x-responseformat", "clixml"),
        ("x-serializationlevel", "Partial"),
        ("prefer", "odata.maxpagesize=1000"),
        ("warningaction", ""),
    ] {
        request.headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    bench.send(request)
}

fn documents(answer: &Answer) -> Vec<String> {
    answer.rows().iter().map(|row| row["_clixml"].as_str().unwrap().to_owned()).collect()
}

/// Every tag that is opened is closed, in order.
fn is_well_formed(xml: &str) -> bool {
    let mut open = Vec::new();
    for part in xml.split('<').skip(1) {
        let Some((tag, _)) = part.split_once('>') else { return false };
        let name = tag.split(' ').next().unwrap_or_default();
        if let Some(name) = name.strip_prefix('/') {
            if open.pop() != Some(name) {
                return false;
            }
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    open.is_empty()
}

#[test]
fn mailboxes_are_serialized_objects() {
    let bench = Bench::new();
    let answer = call(&bench, "Get-Mailbox", json!({"Identity": "o365support"}));
    let documents = documents(&answer);
    assert_eq!(documents.len(), 1);
    let xml = &documents[0];
    assert!(is_well_formed(xml), "{xml}");
    for part in [
        "<T>Deserialized.Microsoft.Exchange.Data.Directory.Management.Mailbox</T>",
        "<S N=\"DisplayName\">O365Support</S>",
        "<S N=\"RecipientTypeDetails\">SharedMailbox</S>",
        "<B N=\"IsMailboxEnabled\">true</B>",
        "<S>SMTP:O365support@contoso.com</S>",
    ] {
        assert!(xml.contains(part), "{part} in {xml}");
    }
    assert!(xml.contains("<G N=\"ExchangeGuid\">"));
    // Annotations belong to the other format.
    assert!(!xml.contains("@odata.type"));
}

#[test]
fn permission_rows_and_warnings_come_the_same_way() {
    let bench = Bench::new();
    let rows = documents(&call(&bench, "Get-MailboxPermission", json!({"Identity": "o365support"})));
    assert!(rows.len() >= 4);
    assert!(rows.iter().all(|xml| is_well_formed(xml)));
    assert!(rows.iter().any(|xml| {
        xml.contains("<S N=\"User\">kim.akers@contoso.com</S>") && xml.contains("<B N=\"Deny\">false</B>")
    }));
    assert!(rows[0].contains("<S N=\"User\">NT AUTHORITY\\SELF</S>"));
    let answer = call(
        &bench,
        "Remove-MailboxPermission",
        json!({"Identity": "o365support", "User": "sam.sync@contoso.com", "AccessRights": ["FullAccess"], "Confirm": false}),
    );
    assert_eq!(answer.status, 200);
    assert!(answer.warnings()[0].contains("because the ACE doesn't exist on the object"));
}

#[test]
fn selected_properties_and_errors_keep_their_shape() {
    let bench = Bench::new();
    let body = json!({"CmdletInput": {"CmdletName": "Get-Mailbox", "Parameters": {"Identity": "nobody"}}})
        .to_string();
    let request = bench
        .request(bench.app, &bench.target(), body)
        .with_header(HeaderName::from_static("x-responseformat"), HeaderValue::from_static("clixml"));
    let answer = bench.send(request);
    assert_eq!(answer.status, 404);
    assert!(answer.detail().contains("ManagementObjectNotFoundException|"));
}

#[test]
fn pages_are_cut_and_followed_in_this_format_too() {
    let bench = Bench::new();
    let body =
        json!({"CmdletInput": {"CmdletName": "Get-Mailbox", "Parameters": {"ResultSize": "Unlimited"}}})
            .to_string();
    let send = |target: &str| {
        let mut request = bench.request(bench.app, target, body.clone());
        for (name, value) in [("x-responseformat", "clixml"), ("prefer", "odata.maxpagesize=3")] {
            request.headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        bench.send(request)
    };
    let (mut target, mut seen, mut pages) = (bench.target(), Vec::new(), 0);
    loop {
        let answer = send(&target);
        seen.extend(documents(&answer));
        pages += 1;
        match answer.json()["@odata.nextLink"].as_str() {
            Some(link) => target = link.split_once("office365.com").unwrap().1.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen.len(), bench.ok("Get-Mailbox", json!({})).rows().len());
    assert_eq!(pages, seen.len().div_ceil(3));
}
