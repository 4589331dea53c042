//! Rights as entities: gathered per user, inside their recipient, on folders.

use serde_json::json;

use crate::b64;
use crate::tenant::Bench;

#[test]
fn mailbox_rights_are_gathered_per_user() {
    let bench = Bench::new();
    let key = b64("o365support@contoso.com");
    let answer = bench.get(&format!("Mailbox('{key}')/MailboxPermission?isEncoded=true"));
    assert_eq!(
        answer.json()["@odata.context"],
        bench.context(&format!("Mailbox('{}')/MailboxPermission", key.replace('=', "%3D")))
    );
    let rows = answer.rows();
    let own: Vec<_> = rows.iter().filter(|row| row["User"] == "NT AUTHORITY\\SELF").collect();
    assert_eq!(own.len(), 1);
    assert_eq!(own[0]["PermissionList"].as_array().unwrap().len(), 2);
    let kim = rows.iter().find(|row| row["User"] == "kim.akers@contoso.com").unwrap();
    assert_eq!(kim["IsOwner"], false);
    assert_eq!(
        kim["PermissionList"],
        json!([{"AccessRights": ["FullAccess", "ReadPermission"], "IsInherited": false, "Deny": false, "InheritanceType": "All"}])
    );
    let lee = rows.iter().find(|row| row["User"] == "lee.gu@contoso.com").unwrap();
    assert_eq!(lee["PermissionList"][0]["Deny"], true);
    let one = bench.get(&format!(
        "Mailbox('{key}')/MailboxPermission('{}')?isEncoded=true",
        b64("kim.akers@contoso.com")
    ));
    assert_eq!(one.json()["PermissionList"], kim["PermissionList"]);
    let stranger = b64("sam.sync@contoso.com");
    assert_eq!(
        bench.get(&format!("Mailbox('{key}')/MailboxPermission('{stranger}')?isEncoded=true")).status,
        404
    );
    let owner = bench
        .get(&format!("Mailbox('{key}')/MailboxPermission?isEncoded=true&$filter=IsOwner%20eq%20true"))
        .rows();
    assert_eq!(owner.len(), 1);
    assert_eq!(owner[0]["IsOwner"], true);
    assert_eq!(
        bench.get(&format!("Mailbox('{}')/MailboxPermission?isEncoded=true", b64("nobody"))).status,
        404
    );
}

#[test]
fn send_as_is_listed_inside_recipients() {
    let bench = Bench::new();
    let key = b64("o365support@contoso.com");
    let path = format!(
        "Recipient('{key}')?$expand=RecipientPermission&isEncoded=true&$select=RecipientPermission,%20ExternalDirectoryObjectId"
    );
    let answer = bench.get_with(&path, &[("accept", "application/json;odata.metadata=full")]).json();
    assert_eq!(answer["@odata.context"], bench.context("Recipient/$entity"));
    assert!(answer["ExternalDirectoryObjectId"].is_string());
    let list = answer["RecipientPermission"].as_array().unwrap();
    let trustees: Vec<_> = list.iter().map(|entry| entry["Trustee"].as_str().unwrap()).collect();
    assert!(trustees.contains(&"NT AUTHORITY\\SELF") && trustees.contains(&"kim.akers@contoso.com"));
    let kim = list.iter().find(|entry| entry["Trustee"] == "kim.akers@contoso.com").unwrap();
    assert_eq!(kim["AccessRights"], json!(["SendAs"]));
    assert_eq!(kim["AccessRights@odata.type"], "#Collection(Exchange.RecipientAccessRight)");
    assert_eq!(kim["AccessControlType"], "Allow");
    // The same through the cmdlet.
    let rows = bench.ok("Get-RecipientPermission", json!({"Identity": "o365support"})).rows();
    assert_eq!(rows.len(), list.len());
}

#[test]
fn send_as_of_the_whole_tenant_is_paged() {
    let bench = Bench::new();
    let headers = [("prefer", "odata.maxpagesize=2;")];
    let path =
        "Recipient?$expand=RecipientPermission&$select=RecipientPermission,%20ExternalDirectoryObjectId";
    let mut answer = bench.get_with(path, &headers).json();
    let mut entries = 0;
    let mut recipients = 0;
    loop {
        for row in answer["value"].as_array().unwrap() {
            recipients += 1;
            entries += row["RecipientPermission"].as_array().unwrap().len();
        }
        let Some(link) = answer["@odata.nextLink"].as_str() else { break };
        answer = bench.follow(link, &headers).json();
    }
    let rows = bench.ok("Get-RecipientPermission", json!({"ResultSize": "Unlimited"})).rows();
    assert_eq!(entries, rows.len());
    assert!(recipients > 5);
}

#[test]
fn send_as_can_be_narrowed_to_a_trustee() {
    let bench = Bench::new();
    let (identity, trustee) = (b64("o365support"), b64("kim.akers@contoso.com"));
    for rights in ["[%22SendAs%22]", "[]"] {
        let path = format!(
            "Recipient/Exchange.GetRecipientPermissionByFilters(identity='{identity}',trustee='{trustee}',accessRights={rights})?isEncoded=true"
        );
        let answer = bench.get(&path);
        let rows = answer.rows();
        assert_eq!(answer.json()["@odata.context"], bench.context("Recipient"));
        assert_eq!(rows.len(), 1);
        let list = rows[0]["RecipientPermission"].as_array().unwrap();
        assert_eq!(list.len(), 1);
        assert_eq!(list[0]["Trustee"], "kim.akers@contoso.com");
    }
    let bad = format!(
        "Recipient/Exchange.GetRecipientPermissionByFilters(identity='{identity}',trustee='{trustee}',accessRights=[%22FullAccess%22])?isEncoded=true"
    );
    assert_eq!(bench.get(&bad).status, 400);
}

#[test]
fn folder_rights_are_read_by_path_and_user() {
    let bench = Bench::new();
    bench.ok(
        "Add-MailboxFolderPermission",
        json!({"Identity": "kim.akers@contoso.com:\\Calendar", "User": "lee.gu@contoso.com", "AccessRights": ["Reviewer"]}),
    );
    let (key, folder) = (b64("kim.akers@contoso.com"), b64("\\Calendar"));
    let base = format!("Mailbox('{key}')/MailboxFolder('{folder}')/MailboxFolderPermission");
    let rows = bench.get(&format!("{base}?IsUsingMailboxFolderId=True&isEncoded=true")).rows();
    let users: Vec<_> = rows.iter().map(|row| row["User"].as_str().unwrap()).collect();
    assert_eq!(users, ["Default", "Anonymous", "Lee Gu"]);
    assert_eq!(rows[2]["MailboxFolderUser"]["UserPrincipalName"], "lee.gu@contoso.com");
    assert_eq!(rows[2]["AccessRights"], json!(["Reviewer"]));
    let one = bench.get(&format!("{base}('{}')?isEncoded=true", b64("lee.gu@contoso.com"))).json();
    assert_eq!(one["User"], "Lee Gu");
    assert_eq!(bench.get(&format!("{base}('{}')?isEncoded=true", b64("sam.sync@contoso.com"))).status, 400);
}

#[test]
fn there_are_no_mobile_devices() {
    let bench = Bench::new();
    let key = b64("kim.akers@contoso.com");
    assert!(bench.get(&format!("Mailbox('{key}')/MobileDevice?isEncoded=true")).rows().is_empty());
    assert_eq!(bench.get(&format!("Mailbox('{}')/MobileDevice?isEncoded=true", b64("nobody"))).status, 404);
}

#[test]
fn reads_are_bundled_in_parts() {
    let bench = Bench::new();
    let base = format!("https://outlook.office365.com/adminapi/beta/{}", bench.tenant());
    let part = |id: u32, key: &str| {
        format!(
            "--batch_1\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\nContent-ID: {id}\r\n\r\nGET {base}/Mailbox('{}')/MailboxPermission?isEncoded=true HTTP/1.1\r\nAccept: application/json;odata.metadata=minimal\r\n\r\n\r\n",
            b64(key)
        )
    };
    let body = format!("{}{}--batch_1--\r\n", part(1, "o365support"), part(2, "nobody"));
    let mut request = bench.request(bench.app, &format!("/adminapi/beta/{}/$batch", bench.tenant()), body);
    request.headers.insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("multipart/mixed; boundary=batch_1"),
    );
    let answer = bench.send(request);
    assert_eq!(answer.status, 200);
    let kind = answer.headers["content-type"].to_str().unwrap().to_owned();
    let boundary = kind.split_once("boundary=").unwrap().1.to_owned();
    let text = String::from_utf8(answer.body).unwrap();
    let parts: Vec<&str> = text.split(&format!("--{boundary}")).collect();
    assert_eq!(parts.len(), 4, "{text}");
    assert!(parts[1].contains("Content-ID: 1\r\n\r\nHTTP/1.1 200 OK\r\n"));
    let json: serde_json::Value =
        serde_json::from_str(parts[1].rsplit_once("\r\n\r\n").unwrap().1.trim()).unwrap();
    assert!(json["value"].as_array().unwrap().len() > 3);
    assert!(parts[2].contains("Content-ID: 2\r\n\r\nHTTP/1.1 404 Not Found\r\n"));
    assert_eq!(parts[3], "--\r\n");
}
