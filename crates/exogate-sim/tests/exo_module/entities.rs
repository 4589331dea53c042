//! Entity sets: keys, options, contexts, pages, levels of metadata.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use exogate_sim::exchange::odata::types::model;

use crate::b64;
use crate::tenant::Bench;

fn names(rows: &[Json]) -> Vec<&str> {
    rows.iter().map(|row| row["DisplayName"].as_str().unwrap()).collect()
}

#[test]
fn the_context_names_the_set() {
    let bench = Bench::new();
    let key = b64("kim.akers@contoso.com");
    let escaped = key.replace('=', "%3D");
    for (path, context) in [
        ("Mailbox".to_owned(), "Mailbox".to_owned()),
        (format!("Mailbox('{key}')?isEncoded=true&PropertySet=Minimum,Quota"), "Mailbox/$entity".to_owned()),
        ("Recipient?$filter=RecipientType%20eq%20'UserMailbox'".to_owned(), "Recipient".to_owned()),
        (format!("Recipient('{escaped}')?isEncoded=true"), "Recipient/$entity".to_owned()),
        (format!("CasMailbox('{key}')?isEncoded=true"), "CasMailbox/$entity".to_owned()),
        (
            format!("Mailbox('{escaped}')/Exchange.GetMailboxStatistics()?isEncoded=true"),
            "Exchange.MailboxStatistics".to_owned(),
        ),
        (
            format!("Mailbox('{key}')/MobileDevice/Exchange.GetMobileDeviceStatistics()/?IsEncoded=True"),
            "Collection(Exchange.MobileDeviceStatistics)".to_owned(),
        ),
        (
            format!(
                "Mailbox('{key}')/MailboxFolder/Exchange.GetMailboxFolderStatistics(folderscope=Exchange.ElcFolderType'All')?isEncoded=true"
            ),
            "Collection(Exchange.MailboxFolderStatistics)".to_owned(),
        ),
    ] {
        let answer = bench.get(&path);
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        assert_eq!(answer.json()["@odata.context"], bench.context(&context), "{path}");
        assert_eq!(answer.headers["odata-version"], "4.0");
    }
}

#[test]
fn property_sets_and_select_name_what_is_shown() {
    let bench = Bench::new();
    let key = b64("o365support@contoso.com");
    let one = |query: &str| bench.get(&format!("Mailbox('{key}')?isEncoded=true{query}")).json();
    let smallest = one("");
    assert_eq!(smallest["RecipientTypeDetails"], "SharedMailbox");
    assert_eq!(smallest["UserPrincipalName"], "o365support@contoso.com");
    assert!(smallest.get("ProhibitSendQuota").is_none());
    let quota = one("&PropertySet=Minimum,Quota");
    assert!(quota["ProhibitSendQuota"].is_string() && quota["Alias"].is_string());
    let delivery = one("&PropertySet=Delivery");
    assert_eq!(delivery["GrantSendOnBehalfTo"].as_array().unwrap().len(), 2);
    // The smallest set is always there too.
    assert_eq!(delivery["Alias"], smallest["Alias"]);
    let both = one("&PropertySet=Quota&$select=Office");
    assert!(both["Office"].is_string() && both["RulesQuota"].is_string() && both["Alias"].is_string());
    assert!(both.get("CustomAttribute1").is_none());
    let all = one("&PropertySet=All");
    assert!(all.as_object().unwrap().len() > 200);
    assert_eq!(bench.get(&format!("Mailbox('{key}')?isEncoded=true&PropertySet=Nonsense")).status, 400);
    let plain = bench.get("Recipient?$select=Guid,DisplayName&RecipientTypeDetails=SharedMailbox").json();
    let rows = plain["value"].as_array().unwrap();
    assert_eq!(rows.len(), 3);
    for row in rows {
        let mut keys: Vec<_> = row.as_object().unwrap().keys().filter(|key| !key.starts_with('@')).collect();
        keys.sort();
        // As measured, the smallest set of recipients is larger than it is documented to be.
        let expected = [
            "Alias",
            "DisplayName",
            "DistinguishedName",
            "EmailAddresses",
            "ExchangeVersion",
            "ExternalDirectoryObjectId",
            "Guid",
            "Identity",
            "Name",
            "ObjectKey",
            "OrganizationId",
            "PrimarySmtpAddress",
            "RecipientType",
            "RecipientTypeDetails",
        ];
        assert_eq!(keys, expected);
    }
}

#[test]
fn every_value_has_the_type_of_the_model() {
    let bench = Bench::new();
    for (set, select) in
        [("Mailbox", "PropertySet=All"), ("Recipient", "$select=*"), ("CasMailbox", "PropertySet=All")]
    {
        let rows = bench.get(&format!("{set}?{select}")).rows();
        assert!(!rows.is_empty());
        let entity = &model().entities[set];
        for row in &rows {
            for (name, value) in row.as_object().unwrap().iter().filter(|(name, _)| !name.contains('@')) {
                let (_, edm) = entity.properties.iter().find(|(known, _)| known == name).unwrap();
                let fits = match edm.name() {
                    _ if value.is_null() => !edm.is_collection(),
                    "Edm.String" => value.is_string(),
                    "Edm.Boolean" => value.is_boolean(),
                    "Edm.Guid" => value.as_str().is_some_and(|text| uuid::Uuid::try_parse(text).is_ok()),
                    "Edm.Int16" | "Edm.Int32" | "Edm.Int64" => value.is_i64(),
                    "Collection(Edm.String)" => {
                        value.as_array().is_some_and(|list| list.iter().all(Json::is_string))
                    }
                    _ => value.as_array().is_some_and(Vec::is_empty),
                };
                assert!(fits, "{set}.{name}: {value} is no {}", edm.name());
            }
        }
    }
    let key = b64("kim.akers@contoso.com");
    let figures =
        bench.get(&format!("Mailbox('{key}')/Exchange.GetMailboxStatistics()?isEncoded=true")).json();
    assert!(
        figures["TotalItemSize"].is_i64()
            && figures["ItemCount"].is_i64()
            && figures["MailboxGuid"].is_string()
    );
}

#[test]
fn filters_and_options_narrow() {
    let bench = Bench::new();
    let rows = |path: &str| bench.get(path).rows();
    assert_eq!(names(&rows("Mailbox?$filter=startswith(DisplayName,'Kim')")), ["Kim Akers"]);
    assert_eq!(names(&rows("Mailbox?Anr=Lee")), ["Lee Gu"]);
    assert_eq!(
        names(&rows(
            "Mailbox?RecipientTypeDetails=RoomMailbox,UserMailbox&$filter=DisplayName%20eq%20'Room%20One'"
        )),
        ["Room One"]
    );
    let shared = rows("Mailbox?RecipientTypeDetails=SharedMailbox");
    assert_eq!(shared.len(), 3);
    let users = rows(
        "Recipient?$filter=RecipientType%20eq%20'UserMailbox'%20and%20not%20(DisplayName%20eq%20'Twin')&$select=DisplayName",
    );
    assert!(!users.is_empty() && !names(&users).contains(&"Twin"));
    assert!(rows("Mailbox?SoftDeletedMailbox=true").len() <= 1);
    assert_eq!(bench.get("Mailbox?SoftDeletedMailbox=perhaps").status, 400);
    for bad in ["Nonsense%20eq%201", "DisplayName%20eq", "DisplayName%20like%20'x'"] {
        let answer = bench.get(&format!("Mailbox?$filter={bad}"));
        assert_eq!(answer.status, 400, "{bad}");
        assert!(answer.json()["error"]["details"][0]["message"].is_string());
    }
}

#[test]
fn unknown_and_ambiguous_keys_are_refused() {
    let bench = Bench::new();
    let answer = bench.get(&format!("Mailbox('{}')?isEncoded=true", b64("nobody@contoso.com")));
    assert_eq!(answer.status, 404);
    assert!(answer.detail().contains("object 'nobody@contoso.com' couldn't be found"));
    assert_eq!(bench.get(&format!("Mailbox('{}')?isEncoded=true", b64("Twin"))).status, 400);
    // A group is no mailbox.
    assert_eq!(bench.get(&format!("CasMailbox('{}')?isEncoded=true", b64("dl-all"))).status, 404);
}

#[test]
fn keys_come_encoded_plain_or_in_a_header() {
    let bench = Bench::new();
    let plain = bench.get("Mailbox('kim.akers@contoso.com')").json();
    let encoded = bench.get(&format!("Mailbox('{}')?isEncoded=true", b64("kim.akers@contoso.com"))).json();
    assert_eq!(plain["ExternalDirectoryObjectId"], encoded["ExternalDirectoryObjectId"]);
    let header = b64("kim.akers@contoso.com");
    let by_header = bench.get_with("Mailbox('x')?isEncoded=true", &[("xparameter-identity", &header)]).json();
    assert_eq!(plain, by_header);
    let by_address = bench
        .get("Recipient/Exchange.BySmtpAddress(SmtpAddress='kim.akers@contoso.com')?$select=DisplayName")
        .json();
    assert_eq!(by_address["DisplayName"], "Kim Akers");
    // What an entity says it is called leads back to it.
    let link = plain["@odata.id"].as_str().unwrap().to_owned();
    assert_eq!(bench.follow(&link, &[]).json()["ObjectKey"], plain["ObjectKey"]);
}

#[test]
fn pages_are_followed_by_get() {
    let bench = Bench::new();
    let headers = [("prefer", "odata.maxpagesize=2;")];
    let all = bench.get("Mailbox?$select=DisplayName&$filter=DisplayName%20ne%20'Twin'").rows();
    let mut answer =
        bench.get_with("Mailbox?$select=DisplayName&$filter=DisplayName%20ne%20'Twin'", &headers);
    let mut seen = Vec::new();
    let mut pages = 0;
    loop {
        assert_eq!(answer.status, 200);
        let json = answer.json();
        let rows = json["value"].as_array().unwrap().clone();
        assert!(rows.len() <= 2);
        seen.extend(rows);
        pages += 1;
        match json["@odata.nextLink"].as_str() {
            Some(link) => answer = bench.follow(link, &headers),
            None => break,
        }
    }
    assert_eq!(seen, all);
    assert_eq!(pages, all.len().div_ceil(2));
    // A link is bound to its request.
    let first = bench.get_with("Mailbox?$select=DisplayName", &headers).json();
    let link = first["@odata.nextLink"].as_str().unwrap();
    assert_eq!(bench.follow(&link.replace("DisplayName", "Alias"), &headers).status, 400);
    let other = [("prefer", "odata.maxpagesize=2;"), ("x-anchormailbox", "UPN:other@contoso.com")];
    assert_eq!(bench.follow(link, &other).status, 400);
}

#[test]
fn metadata_comes_in_three_levels() {
    let bench = Bench::new();
    let key = b64("kim.akers@contoso.com");
    let read = |accept: &str| {
        bench.get_with(
            &format!("Mailbox('{key}')?isEncoded=true&PropertySet=Minimum,StatisticsSeed"),
            &[("accept", accept)],
        )
    };
    let full = read("application/json;odata.metadata=full");
    assert!(full.headers["content-type"].to_str().unwrap().contains("odata.metadata=full"));
    let full = full.json();
    assert_eq!(full["@odata.type"], "#Exchange.Mailbox");
    assert_eq!(full["ExchangeGuid@odata.type"], "#Guid");
    assert_eq!(full["EmailAddresses@odata.type"], "#Collection(String)");
    assert!(full["MailboxPermission@odata.navigationLink"].as_str().unwrap().ends_with("/MailboxPermission"));
    let minimal = read("application/json;odata.metadata=minimal").json();
    assert!(minimal["@odata.id"].is_string() && minimal.get("ExchangeGuid@odata.type").is_none());
    let none = read("application/json;odata.metadata=none").json();
    assert!(none.as_object().unwrap().keys().all(|name| !name.contains('@')));
    assert_eq!(none["ExchangeGuid"], full["ExchangeGuid"]);
}

#[test]
fn roles_guard_entities_as_they_guard_cmdlets() {
    let bench = Bench::new();
    let status = |app: u128, path: &str| {
        let target = format!("/adminapi/beta/{}/{path}", bench.tenant());
        let mut request = bench.request(Bench::numbered_app(app), &target, "");
        request.method = http::Method::GET;
        bench.send(request).status
    };
    assert_eq!(status(2, "Mailbox"), 200);
    assert_eq!(status(3, "Mailbox"), 403);
    assert_eq!(status(4, "Recipient"), 403);
}

#[test]
fn folders_have_sizes_that_add_up() {
    let bench = Bench::new();
    let key = b64("kim.akers@contoso.com");
    let figures =
        bench.get(&format!("Mailbox('{key}')/Exchange.GetMailboxStatistics()?isEncoded=true")).json();
    let path = |scope: &str| {
        format!(
            "Mailbox('{key}')/MailboxFolder/Exchange.GetMailboxFolderStatistics(folderscope=Exchange.ElcFolderType'{scope}')?isEncoded=true"
        )
    };
    let folders = bench.get(&path("All")).rows();
    let total: i64 = folders.iter().map(|folder| folder["ItemsInFolder"].as_i64().unwrap()).sum();
    assert_eq!(json!(total), figures["ItemCount"]);
    let calendar = bench.get(&path("Calendar")).rows();
    assert_eq!(calendar.len(), 1);
    assert_eq!(calendar[0]["FolderPath"], "/Calendar");
    assert_eq!(bench.get(&path("Nonsense")).status, 400);
    // The id that is shown opens the folder's rights.
    let id = calendar[0]["FolderId"].as_str().unwrap();
    let rights = bench.get(&format!(
        "Mailbox('{key}')/MailboxFolder('{}')/MailboxFolderPermission?IsUsingMailboxFolderId=True&isEncoded=true",
        b64(id)
    ));
    assert_eq!(rights.rows()[0]["FolderName"], "Calendar");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever is asked, the answer is one of the service's own.
    #[test]
    fn no_request_brings_it_down(
        path in "(Mailbox|Recipient|CasMailbox|EXOModuleFile|basicinfo|\\$metadata|\\('[a-zA-Z=%/]{0,8}'\\)|/|MailboxPermission|MailboxFolder|Exchange\\.GetMailboxFolderStatistics|\\(|\\)|,|=|é){0,6}",
        query in "(&|\\$filter=|\\$select=|PropertySet=|isEncoded=true|Anr=|RecipientTypeDetails=|\\$skiptoken=|\\$expand=RecipientPermission|\\$top=1|eq|'|%20|[a-zA-Z0-9]{1,6}|é){0,8}",
        size in "[0-9a-z=.;]{0,12}",
    ) {
        thread_local!(static BENCH: Bench = Bench::new());
        BENCH.with(|bench| {
            let answer = bench.get_with(&format!("{path}?{query}"), &[("prefer", &format!("odata.maxpagesize={size}"))]);
            prop_assert!(answer.status < 500);
            if answer.status == 400 {
                prop_assert!(answer.json()["error"]["message"].is_string());
            }
            Ok(())
        })?;
    }
}
