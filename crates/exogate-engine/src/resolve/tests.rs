//! Tables and properties of trustee resolution.

use proptest::prelude::*;

use super::*;

const KIM: &str = "00000000-0000-0000-0000-00000000000a";
const LEE: &str = "00000000-0000-0000-0000-00000000000b";
const SALES: &str = "00000000-0000-0000-0000-00000000000c";

fn trustee(text: &str, sid: Option<&str>) -> Trustee {
    Trustee { text: text.into(), sid: sid.map(Into::into) }
}

fn user(id: &str) -> Principal {
    Principal::User { id: id.into() }
}

fn group(id: &str) -> Principal {
    Principal::Group { id: id.into() }
}

/// Every key of every principal of a small tenant; Kim comes twice, as a user and as a mailbox.
fn tenant() -> Vec<(&'static str, Key, Principal)> {
    vec![
        (KIM, Key::Identifier, user(KIM)),
        ("Kim@contoso.com", Key::Upn, user(KIM)),
        ("Kim.Akers@contoso.com", Key::Address, user(KIM)),
        ("S-1-5-21-9-9-9-1", Key::Sid, user(KIM)),
        ("Kim Akers", Key::Name, user(KIM)),
        ("Kim Akers", Key::Name, user(KIM)),
        ("11111111-0000-0000-0000-000000000001", Key::Identifier, user(KIM)),
        ("CN=kimakers,OU=contoso,DC=prod", Key::Identifier, user(KIM)),
        (LEE, Key::Identifier, user(LEE)),
        ("lee@contoso.com", Key::Upn, user(LEE)),
        ("Lee Gu", Key::Name, user(LEE)),
        ("Robin", Key::Name, user(LEE)),
        ("robin@contoso.com", Key::Upn, user(LEE)),
        // Another's address is Lee's principal name: the name by which Exchange shows users wins.
        ("robin@contoso.com", Key::Address, group(SALES)),
        ("sales@contoso.com", Key::Address, group(SALES)),
        ("Sales", Key::Name, group(SALES)),
        ("Robin", Key::Name, group(SALES)),
        ("Help Desk", Key::Name, group(SALES)),
        ("S-1-5-21-9-9-9-7", Key::Sid, group(SALES)),
    ]
}

fn resolve(trustees: &[Trustee]) -> Vec<Principal> {
    let mut index = Index::for_trustees(trustees);
    for (text, key, principal) in tenant() {
        index.offer(text, key, principal);
    }
    resolve_all(trustees, &index)
}

#[test]
fn table() {
    let ambiguous =
        |ids: &[&str]| Principal::Ambiguous { candidates: ids.iter().map(|i| (*i).into()).collect() };
    let cases = [
        ("kim@CONTOSO.com", None, user(KIM)),
        ("kim.akers@contoso.com", None, user(KIM)),
        ("robin@contoso.com", None, user(LEE)),
        ("Kim Akers", None, user(KIM)),
        ("{11111111-0000-0000-0000-000000000001}", None, user(KIM)),
        ("CN=kimakers,OU=contoso,DC=prod", None, user(KIM)),
        (KIM, None, user(KIM)),
        ("anything at all", Some("S-1-5-21-9-9-9-1"), user(KIM)),
        // The identifier beats the text.
        ("lee@contoso.com", Some("S-1-5-21-9-9-9-1"), user(KIM)),
        ("S-1-5-21-9-9-9-7", None, group(SALES)),
        ("Sales", Some("S-1-5-21-9-9-9-7"), group(SALES)),
        // An identifier that nobody is known by neither helps nor contradicts.
        ("Sales", Some("S-1-5-21-1-2-3-8"), group(SALES)),
        ("Robin", None, ambiguous(&[LEE, SALES])),
        ("Robin", Some("S-1-5-21-9-9-9-7"), group(SALES)),
        ("NT AUTHORITY\\SELF", Some("S-1-5-10"), Principal::OwnMailbox),
        ("NT-AUTORITÄT\\SELBST", Some("S-1-5-10"), Principal::OwnMailbox),
        ("nt authority\\self", None, Principal::OwnMailbox),
        ("NT AUTHORITY\\SYSTEM", None, Principal::System),
        ("NT AUTHORITY\\NETWORK SERVICE", Some("S-1-5-20"), Principal::System),
        ("Discovery Management", Some("S-1-5-21-5-5-5-5"), Principal::System),
        ("EURPR01A001\\Organization Management", None, Principal::System),
        // Borne by a role group and by a group of the tenant.
        ("Help Desk", None, ambiguous(&[SALES])),
        ("Help Desk", Some("S-1-5-21-9-9-9-7"), group(SALES)),
        ("S-1-5-21-5-5-5-5", None, Principal::Orphan),
        ("S-1-5-21-5-5-5-5", Some("S-1-5-21-5-5-5-5"), Principal::Orphan),
        ("EURPR01A001\\$ABC123-DEF456", Some("S-1-5-21-5-5-5-5"), Principal::Unknown),
        ("nobody@contoso.com", None, Principal::Unknown),
        ("", None, Principal::Unknown),
    ];
    for (text, sid, wanted) in cases {
        // One at a time: rows teach each other.
        assert_eq!(resolve(&[trustee(text, sid)]), [wanted], "{text:?} {sid:?}");
    }
}

#[test]
fn rows_teach_each_other_identifiers() {
    let sid = Some("S-1-5-21-7-7-7-2");
    let rows = [
        trustee("Robin", sid),
        trustee("lee@contoso.com", sid),
        trustee("EURPR01A001\\$X", sid),
        trustee("Lee Gu", Some("S-1-5-21-7-7-7-3")),
        trustee("S-1-5-21-7-7-7-2", None),
    ];
    assert_eq!(resolve(&rows), [user(LEE), user(LEE), user(LEE), Principal::Unknown, user(LEE)]);
}

#[test]
fn a_name_whose_only_bearer_has_another_identifier_is_nobodys() {
    let rows = [trustee("x", Some("S-1-5-21-9-9-9-7")), trustee("Sales", Some("S-1-5-21-9-9-9-8"))];
    assert_eq!(resolve(&rows), [group(SALES), Principal::Unknown]);
    // Identifiers of two domains cannot be compared.
    let rows = [trustee("x", Some("S-1-5-21-9-9-9-7")), trustee("Sales", Some("S-1-5-21-1-1-1-8"))];
    assert_eq!(resolve(&rows), [group(SALES), group(SALES)]);
}

#[test]
fn of_many_rows_each_stands_for_the_same_as_alone_and_in_its_place() {
    let texts = ["kim@contoso.com", "Lee Gu", "Sales", "nobody", "NT AUTHORITY\\SELF"];
    let rows: Vec<_> = (0..5_000).map(|number| trustee(texts[number * 7 % texts.len()], None)).collect();
    let alone = texts.map(|text| resolve(&[trustee(text, None)]).remove(0));
    for (number, principal) in resolve(&rows).iter().enumerate() {
        assert_eq!(*principal, alone[number * 7 % texts.len()], "{number}");
    }
}

#[test]
fn rows_that_disagree_teach_nothing() {
    let sid = Some("S-1-5-21-7-7-7-2");
    let rows = [trustee("Robin", sid), trustee("lee@contoso.com", sid), trustee("sales@contoso.com", sid)];
    assert!(matches!(resolve(&rows)[0], Principal::Ambiguous { .. }));
}

proptest! {
    /// No name, however chosen, is attributed to somebody who does not bear it; and of a key borne
    /// by two principals no row is attributed at all.
    #[test]
    fn never_attributes_to_a_stranger(
        names in proptest::collection::vec(proptest::collection::vec("[a-c]{1,2}", 0..4), 1..6),
        asked in proptest::collection::vec("[A-Ca-c]{1,2}", 1..6),
    ) {
        let trustees: Vec<_> = asked.iter().map(|text| trustee(text, None)).collect();
        let mut index = Index::for_trustees(&trustees);
        for (number, names) in names.iter().enumerate() {
            for name in names {
                index.offer(name, Key::Name, user(&format!("id{number}")));
            }
        }
        for (text, principal) in asked.iter().zip(resolve_all(&trustees, &index)) {
            let bearers: Vec<String> = names
                .iter()
                .enumerate()
                .filter(|(_, names)| names.contains(&text.to_lowercase()))
                .map(|(number, _)| format!("id{number}"))
                .collect();
            match bearers.as_slice() {
                [] => prop_assert_eq!(principal, Principal::Unknown),
                [one] => prop_assert_eq!(principal, user(one)),
                _ => prop_assert_eq!(principal, Principal::Ambiguous { candidates: bearers }),
            }
        }
    }

    #[test]
    fn no_text_panics(text in ".{0,40}", sid in proptest::option::of("S-1-5-[0-9-]{0,12}")) {
        let _ = resolve(&[trustee(&text, sid.as_deref())]);
    }
}
