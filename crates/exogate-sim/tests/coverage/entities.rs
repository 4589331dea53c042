//! What Microsoft's module asks beside cmdlets: bootstrap, entity sets, options, property sets.

use base64::Engine as _;
use exogate_sim::exchange::odata::SHAPES;
use exogate_sim::exchange::schema;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};
use serde_json::json;

use crate::probe::{Expect, Table, judge};
use crate::tenant::{Answer, Bench};

fn get(bench: &Bench, path: &str) -> Answer {
    let mut request = bench.request(bench.app, &format!("/adminapi/beta/{}/{path}", bench.tenant()), "");
    request.method = Method::GET;
    bench.send(request)
}

pub fn tables() -> Vec<Table> {
    let bench = Bench::new();
    let b64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let mut table = Table::new(
        "Exchange admin API: endpoints",
        "Below `/adminapi/{beta or v1.0}/{tenant}/`, in any casing.",
        &["path", "serves", "state"],
    );
    let body = json!({"CmdletInput": {"CmdletName": "Get-Mailbox", "Parameters": {}}}).to_string();
    for version in ["beta", "v1.0"] {
        let target = format!("/adminapi/{version}/{}/InvokeCommand", bench.tenant());
        let answer = bench.send(bench.request(bench.app, &target, body.clone()));
        table.add(
            [&format!("`{version}/…/InvokeCommand`"), "every cmdlet, JSON and CLIXML"],
            judge(&answer, Expect::Works),
        );
    }
    let batch = json!({"requests": [{"id": "1", "method": "POST", "url": "InvokeCommand",
        "body": {"CmdletInput": {"CmdletName": "Get-Mailbox", "Parameters": {}}}}]});
    let target = format!("/adminapi/beta/{}/$batch", bench.tenant());
    let answer = bench.send(bench.request(bench.app, &target, batch.to_string()));
    table.add(["`$batch`", "several calls in one (JSON)"], judge(&answer, Expect::Works));
    let part = format!(
        "--b\r\nContent-Type: application/http\r\n\r\nGET /adminapi/beta/{}/Mailbox HTTP/1.1\r\n\r\n\r\n--b--\r\n",
        bench.tenant()
    );
    let mut request = bench.request(bench.app, &target, part);
    request.headers.insert(CONTENT_TYPE, HeaderValue::from_static("multipart/mixed; boundary=b"));
    table.add(
        ["`$batch`", "several reads of entities in one (multipart)"],
        judge(&bench.send(request), Expect::Works),
    );
    for (path, what) in [
        ("EXOModuleFile?Version=3.6.0", "module text and format file, by role"),
        ("EXOBanner('AutogenSession')?Version=3.6.0", "banner"),
        ("EXOHelpFile?Version=3.6.0", "help"),
        ("basicinfo('AdminApiState')", "Get-ConnectionInformation"),
        ("CmdletInfo", "cmdlets of the session with their parameters"),
        ("$metadata", "the entity model"),
    ] {
        table.add([&format!("`{path}`"), what], judge(&get(&bench, path), Expect::Works));
    }
    for (path, what, body) in [
        ("RbacQuery", "whether the caller may run cmdlets", r#"{"QueryTable": {"c": "Get-Mailbox"}}"#),
        ("Initialize", "preparation of a tenant (nothing to do)", "{}"),
    ] {
        let target = format!("/adminapi/beta/{}/{path}", bench.tenant());
        let answer = bench.send(bench.request(bench.app, &target, body));
        table.add([&format!("`{path}`"), what], judge(&answer, Expect::Works));
    }
    for (shape, what) in SHAPES {
        let path = shape
            .replace("{id}", &b64("kim.akers@contoso.com"))
            .replace("{folder}", &b64("\\Calendar"))
            .replace("MailboxPermission('{user}')", &format!("MailboxPermission('{}')", b64("NT AUTHORITY\\SELF")))
            .replace("MailboxFolderPermission('{user}')", &format!("MailboxFolderPermission('{}')", b64("Default")))
            .replace("(folderscope)", "(folderscope=Exchange.ElcFolderType'All')")
            .replace("(mailboxGuid,databaseGuid)", "(mailboxGuid=00000000-0000-0000-0000-000030000001,databaseGuid=00000000-0000-0000-0000-000000000000)")
            .replace("(SmtpAddress)", "(SmtpAddress='kim.akers@contoso.com')")
            .replace(
                "(identity,trustee,accessRights)",
                &format!("(identity='{}',trustee='{}',accessRights=[])", b64("o365support"), b64("kim.akers@contoso.com")),
            );
        let encoded = if shape.contains('{') || shape.contains("identity") { "?isEncoded=true" } else { "" };
        table.add(
            [&format!("`{shape}`"), what],
            judge(&get(&bench, &format!("{path}{encoded}")), Expect::Works),
        );
    }
    let mut options = Table::new("Entity options", "", &["option", "state"]);
    for option in [
        "Mailbox?$select=Alias",
        "Mailbox?$filter=startswith(DisplayName,'K')",
        "Mailbox?RecipientTypeDetails=SharedMailbox",
        "Mailbox?Anr=Kim",
        "Mailbox?SoftDeletedMailbox=true",
        "Mailbox?InactiveMailboxOnly=true",
        "Mailbox?IncludeInactiveMailbox=true",
        "Mailbox?Archive=true",
        "Mailbox?GroupMailbox=true",
        "Recipient?RecipientType=UserMailbox",
        "Recipient?RecipientTypeDetails=SharedMailbox",
        "Recipient?IncludeSoftDeletedRecipients=true",
        "Recipient?$expand=RecipientPermission",
        "CasMailbox?Anr=Kim",
    ] {
        options.add([&format!("`{option}`")], judge(&get(&bench, option), Expect::Works));
    }
    for (cmdlet, set, names) in [
        (
            "Get-EXOMailbox",
            "Mailbox",
            &[
                "Minimum",
                "AddressList",
                "Archive",
                "Audit",
                "Custom",
                "Delivery",
                "Hold",
                "Moderation",
                "Move",
                "Policy",
                "PublicFolder",
                "Quota",
                "Resource",
                "Retention",
                "SCL",
                "SoftDelete",
                "StatisticsSeed",
                "All",
            ][..],
        ),
        ("Get-EXORecipient", "Recipient", &["Minimum", "Archive", "Custom", "MailboxMove", "Policy", "All"]),
        (
            "Get-EXOCasMailbox",
            "CasMailbox",
            &["Minimum", "ActiveSync", "Ews", "Imap", "Mapi", "Pop", "ProtocolSettings", "All"],
        ),
    ] {
        for name in names {
            let members = schema::property_set(cmdlet, name).map_or(0, <[String]>::len);
            let answer = get(&bench, &format!("{set}?PropertySet={name}"));
            let shown = if members > 0 { format!(" ({members} properties)") } else { String::new() };
            options.add([&format!("`{set}?PropertySet={name}`{shown}")], judge(&answer, Expect::Works));
        }
    }
    vec![table, options]
}
