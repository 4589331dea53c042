//! The filter language, read and refused.

use super::*;
use proptest::prelude::*;

fn compare(path: &str, op: Op, value: Literal) -> Expr<Path> {
    Expr::Compare(path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect(), op, value)
}

#[test]
fn the_filters_that_clients_send() {
    let text = |text: &str| Literal::Text(text.to_owned());
    for (filter, expr) in [
        ("accountEnabled eq true", compare("accountEnabled", Op::Eq, Literal::Bool(true))),
        (
            "createdDateTime ge 2026-01-01T00:00:00Z",
            compare("createdDateTime", Op::Ge, Literal::Time(1_767_225_600)),
        ),
        (
            "onPremisesExtensionAttributes/extensionAttribute1 eq 'x'",
            compare("onPremisesExtensionAttributes/extensionAttribute1", Op::Eq, text("x")),
        ),
        (
            "proxyAddresses/any(p:p eq 'smtp:x@y')",
            Expr::Any(vec!["proxyAddresses".into()], Some(Box::new(compare("", Op::Eq, text("smtp:x@y"))))),
        ),
        (
            "assignedLicenses/any(l:l/skuId eq 05e9a617-0261-4cee-bb44-138d3ef5d965)",
            Expr::Any(
                vec!["assignedLicenses".into()],
                Some(Box::new(compare(
                    "skuId",
                    Op::Eq,
                    Literal::Guid("05e9a617-0261-4cee-bb44-138d3ef5d965".parse().unwrap()),
                ))),
            ),
        ),
        ("endsWith(mail,'@x.y')", Expr::Text(Func::EndsWith, vec!["mail".into()], "@x.y".into())),
        ("assignedLicenses/$count ne 0", Expr::Count(vec!["assignedLicenses".into()], Op::Ne, 0)),
        ("not(groupTypes/any())", Expr::Not(Box::new(Expr::Any(vec!["groupTypes".into()], None)))),
        ("id in ('a', 'b')", Expr::In(vec!["id".into()], vec![text("a"), text("b")])),
        ("isof('microsoft.graph.user')", Expr::IsOf("microsoft.graph.user".into())),
    ] {
        assert_eq!(parse(filter), Ok(expr), "{filter}");
    }
    assert!(
        matches!(parse("a eq 1 or b eq 2 and c eq 3"), Ok(Expr::Or(_, right)) if matches!(*right, Expr::And(..)))
    );
}

#[test]
fn broken_filters_are_refused_with_a_place() {
    for (filter, position) in
        [("", 0), ("a", 1), ("a eq", 4), ("a eq 'x", 5), ("a xx 'y'", 2), ("(a eq 1", 7), ("a eq 1 b", 7)]
    {
        assert_eq!(parse(filter).unwrap_err().position, position, "{filter}");
    }
    assert!(parse(&"(".repeat(10_000)).is_err());
    assert!(parse(&"not ".repeat(10_000)).is_err());
    assert!(parse(&vec!["a eq 1"; 2000].join(" or ")).is_err());
}

proptest! {
    #[test]
    fn no_text_breaks_the_parser(text in "\\PC{0,60}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_mixture_of_words_breaks_the_parser(
        words in proptest::collection::vec(
            proptest::sample::select(vec!["(", ")", "not", "and", "or", "eq", "ne", "in", "a", "a/any(x:", "x", "'t'", "''", "1", "null", ",", "/", "$count", "startswith(", ":"]),
            0..40,
        )
    ) {
        let _ = parse(&words.join(" "));
    }
}
