//! What a failure of Exchange means for us: one kind, one sentence, one remedy.
//!
//! Types decide before words, because the words follow the language of the session. Words decide
//! only where the type is unknown or too general.

use super::failure::{Body, Failure};
use crate::error::{ErrorKind, Service, WireError};
use crate::page::trim;
use crate::transport::WireResponse;

/// A meaning with the text that explains it best.
struct Meaning {
    kind: ErrorKind,
    sentence: Option<&'static str>,
    remedy: Option<&'static str>,
}

const fn plain(kind: ErrorKind) -> Meaning {
    Meaning { kind, sentence: None, remedy: None }
}

const fn told(kind: ErrorKind, sentence: &'static str, remedy: &'static str) -> Meaning {
    Meaning { kind, sentence: Some(sentence), remedy: Some(remedy) }
}

/// Reads and names the failure of one call.
pub(super) fn error_of(what: &str, response: &WireResponse) -> WireError {
    let failure = Failure::read(response);
    let meaning = meaning_of(response.status.as_u16(), &failure);
    let telling = failure.telling_type().map(str::to_owned);
    let mut error = WireError::new(meaning.kind, Service::Exchange, what)
        .with_status(response.status)
        .with_message(clip(&failure.text))
        .with_request_id(response.request_id().map(str::to_owned))
        .with_retry_after(response.retry_after());
    error.code = failure.code;
    error.type_name = failure.type_name;
    error.sentence = meaning.sentence.map(str::to_owned);
    error.remedy = meaning.remedy.map(str::to_owned);
    if let (ErrorKind::Refused, None, Some(type_name)) = (&error.kind, &error.sentence, telling) {
        let code = error.code.as_deref().map(|code| format!(", {code}")).unwrap_or_default();
        let request = error.request_id.as_deref().map(|id| format!(", request {id}")).unwrap_or_default();
        error.sentence =
            Some(format!("Exchange Online refused with an error not known here, {type_name}{code}{request}"));
        error.remedy =
            Some("Read the service's reason; with the name of the error Microsoft can tell more.".to_owned());
    }
    error
}

/// A plain-text refusal for reasons of load, which comes with any status, 200 included.
pub(super) fn is_plain_throttle(body: &[u8]) -> bool {
    let body = trim(body);
    let head = &body[..body.len().min(1024)];
    if head.first().is_none_or(|byte| matches!(byte, b'{' | b'[')) {
        return false;
    }
    let text = String::from_utf8_lossy(head);
    says(&text, "maximum number of concurrent requests") || says(&text, "too many requests")
}

/// The name of the object that was not found, as the service quoted it. A revoke may count as
/// done when what is missing is the trustee, but never when it is the mailbox.
#[must_use]
pub fn missing_object(error: &WireError) -> Option<&str> {
    if !error.is_not_found() {
        return None;
    }
    let text = error.message.as_deref()?;
    for (open, close) in [("object '", '\''), ("object \"", '"'), ("mailbox \"", '"')] {
        if let Some((_, rest)) = text.split_once(open) {
            return rest.split(close).next().filter(|name| !name.is_empty());
        }
    }
    None
}

fn meaning_of(status: u16, failure: &Failure) -> Meaning {
    let text = failure.text.replace('\u{2019}', "'");
    if status == 429 || (failure.body == Body::Text && is_plain_throttle(text.as_bytes())) {
        return plain(ErrorKind::Throttled);
    }
    if status == 401 {
        return plain(ErrorKind::Unauthorized);
    }
    if failure.body == Body::Html && !matches!(status, 502..=504) {
        return plain(ErrorKind::NotMicrosoft);
    }
    by_type(failure.short_type(), &text)
        .or_else(|| by_words(&text))
        .unwrap_or_else(|| by_status(status, failure))
}

fn by_type(name: &str, text: &str) -> Option<Meaning> {
    Some(match name {
        "" => return None,
        "ManagementObjectNotFoundException" => not_found(text),
        "ManagementObjectAmbiguousException" => ambiguous(),
        "MemberAlreadyExistsException" => plain(ErrorKind::AlreadyMember),
        "MemberNotFoundException" => plain(ErrorKind::NotMember),
        "ADObjectAlreadyExistsException" => told(
            ErrorKind::AlreadyExists,
            "an object of this name or alias exists already",
            "Choose another name and alias, or use the object that is there.",
        ),
        "WLCDManagedMemberExistsException" | "ProxyAddressExistsException" => in_use(),
        "OperationRequiresGroupManagerException" => not_manager(),
        "AmbiguousParameterSetException" | "ParameterBindingException" => unknown_parameter(text),
        "ParameterTransformationException" => bad_value(),
        "CommandNotFoundException" => told(
            ErrorKind::Forbidden,
            "the application's role does not include this cmdlet",
            "Assign an Exchange or Entra role that includes the cmdlet (Exchange Administrator has them all).",
        ),
        "UnableToWriteToAadException" => told(
            ErrorKind::Transient,
            "Exchange could not write the change to Entra ID",
            "Read the object to see what took effect, then try again.",
        ),
        "DCOverloadedException" | "ServerBusyException" => told(
            ErrorKind::Throttled,
            "the servers behind Exchange Online are overloaded",
            "Try later, or let fewer tools work on this tenant at once.",
        ),
        name if TRANSIENT.iter().any(|part| name.contains(part)) => plain(ErrorKind::Transient),
        "CmdletProxyException" => told(
            ErrorKind::Transient,
            "the server that holds the object did not answer the one that was asked",
            "Read the object to see whether a change took effect, then try again.",
        ),
        "InvalidObjectOperationException" if by_words(text).is_none() => told(
            ErrorKind::Refused,
            "the object does not allow this operation",
            "Read the service's reason; objects mastered on premises must be changed there.",
        ),
        "RecipientTaskException" if by_words(text).is_none() => told(
            ErrorKind::Refused,
            "a rule that Exchange has for recipients does not allow it",
            "Read the rule in the service's words, and ask for something that keeps it.",
        ),
        "ValidationException" if by_words(text).is_none() => told(
            ErrorKind::Refused,
            "Exchange finds a value that is not valid for this object",
            "Correct the value that the service names.",
        ),
        _ => return None,
    })
}

/// Names, or parts of names, of exceptions that pass by themselves.
const TRANSIENT: [&str; 7] = [
    "CmdletProxyNotAvailableFailure",
    "TransientException",
    "BackendCommunicationException",
    "SuitabilityDirectoryException",
    "ServerInMMException",
    "ADServerSettingsChangedException",
    "StorageTransientException",
];

fn by_words(text: &str) -> Option<Meaning> {
    let has = |part: &str| says(text, part);
    Some(if has("maximum number of concurrent requests") || has("too many requests") {
        plain(ErrorKind::Throttled)
    } else if has("expired or invalid pagination request") {
        plain(ErrorKind::PageExpired)
    } else if has("out of the current user's write scope")
        || has("synchronized from your on-premises organization")
    {
        plain(ErrorKind::DirectorySynced)
    } else if has("can only be performed by a manager of the group") {
        not_manager()
    } else if has("isn't supported in this scenario") || has("cmdletaccessdenied") {
        told(
            ErrorKind::Forbidden,
            "the role assigned to the application is not one that Exchange accepts here",
            "Assign a supported Entra role to the application: Exchange Administrator, Exchange Recipient \
             Administrator or, for reading all but who may send as a mailbox, Global Reader.",
        )
    } else if has("is not present in the role definition of the current user") {
        told(
            ErrorKind::Forbidden,
            "the application's role does not include this cmdlet or parameter",
            "Assign a role that includes it, or add it to the application's own role group.",
        )
    } else if has("executing user is not in the current organization") {
        told(
            ErrorKind::Forbidden,
            "the signed-in identity does not belong to this tenant",
            "Sign in with an application or user of the tenant itself.",
        )
    } else if has("already a member of the group") {
        plain(ErrorKind::AlreadyMember)
    } else if has("isn't a member of the group") || has("is not a member of the group") {
        plain(ErrorKind::NotMember)
    } else if has("proxy address") && has("already being used") {
        in_use()
    } else if has("matches multiple entries") || has("multiple recipients matching") {
        ambiguous()
    } else if has("duplicated recipient identity") {
        told(
            ErrorKind::InvalidRequest,
            "a list names the same recipient twice",
            "Remove the duplicate; two spellings of one recipient count as the same.",
        )
    } else if has("parameter set cannot be resolved")
        || has("parameter cannot be found that matches")
        || has("invalid cmdlet parameters specified")
    {
        unknown_parameter(text)
    } else if has("cannot process argument transformation") {
        bad_value()
    } else if has("filterable property") {
        told(
            ErrorKind::InvalidRequest,
            "a filter names a property that cannot be filtered by",
            "Filter by another property, or read all objects and compare locally.",
        )
    } else if has("500") && (has("access control entries") || has("aces")) {
        told(
            ErrorKind::LimitReached,
            "the mailbox has its 500 permission entries, entries of deleted accounts included",
            "Remove entries of deleted accounts, or grant the right to a mail-enabled security group.",
        )
    } else if has("couldn't be found on") || has("couldn't find object") || has("mailbox doesn't exist") {
        not_found(text)
    } else if has("externaldirectoryobjectid was not returned") {
        told(
            ErrorKind::Refused,
            "the object is soft-deleted or not yet provisioned in Exchange",
            "Wait until provisioning has ended, or restore the object.",
        )
    } else if has("already exists") {
        plain(ErrorKind::AlreadyExists)
    } else if TRANSIENT.iter().any(|part| has(part)) {
        plain(ErrorKind::Transient)
    } else {
        return None;
    })
}

fn by_status(status: u16, failure: &Failure) -> Meaning {
    match status {
        403 => told(
            ErrorKind::Forbidden,
            "the application may not run this cmdlet in Exchange Online",
            "Assign an Entra role (Exchange Administrator, Exchange Recipient Administrator or, for reading \
             all but who may send as a mailbox, Global Reader) or an Exchange role group to the application, and \
             check the cmdlet's name; a new role can take an hour to show.",
        ),
        404 => plain(ErrorKind::NotFound),
        407 | 300..=399 => plain(ErrorKind::NotMicrosoft),
        409 => plain(ErrorKind::AlreadyExists),
        408 | 500 | 502..=504 => plain(ErrorKind::Transient),
        400..=499 if failure.text == "Invalid Operation" => told(
            ErrorKind::InvalidRequest,
            "Exchange cannot run the call as given; a required parameter is missing or a value does not fit",
            "Check the cmdlet's parameters; rights on mailboxes, for one, can only be listed one mailbox at a time.",
        ),
        _ if failure.body == Body::Text => plain(ErrorKind::NotMicrosoft),
        _ => plain(ErrorKind::Refused),
    }
}

fn not_found(text: &str) -> Meaning {
    if says(text, "couldn't find object") {
        return told(
            ErrorKind::NotFound,
            "an object named in the call was not found",
            "Check the spelling of the user, trustee or member, and that it is not deleted.",
        );
    }
    if says(text, "mailbox doesn't exist") {
        return told(
            ErrorKind::NotFound,
            "the mailbox does not exist any more",
            "Aggregate again; a mailbox deleted within 30 days can be restored.",
        );
    }
    plain(ErrorKind::NotFound)
}

fn ambiguous() -> Meaning {
    told(
        ErrorKind::Ambiguous,
        "more than one object answers to this identity",
        "Name the object by its primary address or its object id.",
    )
}

fn in_use() -> Meaning {
    plain(ErrorKind::AddressInUse)
}

fn not_manager() -> Meaning {
    told(
        ErrorKind::NotGroupManager,
        "only a manager of the group may change it",
        "Switch on the bypass of the group-manager check and give the application the role Security Group Creation \
         and Membership (or Exchange Administrator).",
    )
}

fn bad_value() -> Meaning {
    told(
        ErrorKind::InvalidRequest,
        "a parameter's value is not one that the cmdlet accepts",
        "Use one of the values that the service names.",
    )
}

fn unknown_parameter(text: &str) -> Meaning {
    if says(text, "BypassSecurityGroupManagerCheck") {
        return told(
            ErrorKind::InvalidRequest,
            "the application's role does not include the bypass of the group-manager check",
            "Give the application the role Security Group Creation and Membership (or Exchange Administrator).",
        );
    }
    told(
        ErrorKind::InvalidRequest,
        "a parameter does not exist, does not go with the others, or is not in the application's role",
        "Check the parameters; what a role does not include is reported as unknown.",
    )
}

fn says(text: &str, part: &str) -> bool {
    text.len() >= part.len()
        && text.as_bytes().windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
}

fn clip(text: &str) -> String {
    const LONGEST: usize = 1500;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
