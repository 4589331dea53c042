//! The one error of the wire: what a call came to, in terms a caller can act on.
//!
//! [`ErrorKind`] is short on purpose; what Microsoft said is kept beside it for humans and never decided upon. This
//! module does not read answers: Graph's and Exchange's grammars are turned into it by their own modules.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use crate::signin::AadError;
use crate::transport::{TransportError, TransportErrorKind};

/// Who answered, or should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// The token service.
    SignIn,
    /// Microsoft Graph.
    Graph,
    /// The Exchange Online admin API.
    Exchange,
    /// The Management Activity API.
    Activity,
}

impl fmt::Display for Service {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Service::SignIn => "the sign-in service",
            Service::Graph => "Microsoft Graph",
            Service::Exchange => "Exchange Online",
            Service::Activity => "the activity feed",
        })
    }
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// No token could be obtained.
    SignIn(AadError),
    /// The token was refused, and a fresh one as well.
    Unauthorized,
    /// The application may not do this.
    Forbidden,
    /// The object asked for is not there.
    NotFound,
    /// More than one object answers to the identity.
    Ambiguous,
    /// An object of this name or alias exists.
    AlreadyExists,
    /// The member to be added is one.
    AlreadyMember,
    /// The member to be removed is none.
    NotMember,
    /// Only a manager of the group may do this.
    NotGroupManager,
    /// The object is mastered on premises.
    DirectorySynced,
    /// Another object has the address.
    AddressInUse,
    /// A limit of the service on the object or the tenant.
    LimitReached,
    /// The request itself is wrong: an unknown parameter, a bad value.
    InvalidRequest,
    /// The service ran the request and declined it for a reason of its own.
    Refused,
    /// A page link is no longer good; the listing must begin again.
    PageExpired,
    /// A delta link is no longer good; a full round must follow. Where to begin, if the service said so.
    DeltaReset {
        /// The `Location` the service named.
        location: Option<String>,
    },
    /// Throttled for longer than the budget allows.
    Throttled,
    /// A passing fault that did not pass within the budget.
    Transient,
    /// Nothing was sent: the host cannot be reached.
    Unreachable,
    /// Nothing was sent: no TLS connection, or its certificate is not trusted.
    NotTrusted,
    /// Something that is not Microsoft answered: a proxy, a captive portal.
    NotMicrosoft,
    /// Sent, and what became of it is not known.
    LostAnswer,
    /// A link in an answer leads to another host.
    WrongHost,
    /// The answer breaks the protocol.
    Protocol,
}

impl ErrorKind {
    /// Its name, for counting and tracing.
    pub fn name(&self) -> &'static str {
        match self {
            Self::SignIn(_) => "signIn",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "notFound",
            Self::Ambiguous => "ambiguous",
            Self::AlreadyExists => "alreadyExists",
            Self::AlreadyMember => "alreadyMember",
            Self::NotMember => "notMember",
            Self::NotGroupManager => "notGroupManager",
            Self::DirectorySynced => "directorySynced",
            Self::AddressInUse => "addressInUse",
            Self::LimitReached => "limitReached",
            Self::InvalidRequest => "invalidRequest",
            Self::Refused => "refused",
            Self::PageExpired => "pageExpired",
            Self::DeltaReset { .. } => "deltaReset",
            Self::Throttled => "throttled",
            Self::Transient => "transient",
            Self::Unreachable => "unreachable",
            Self::NotTrusted => "notTrusted",
            Self::NotMicrosoft => "notMicrosoft",
            Self::LostAnswer => "lostAnswer",
            Self::WrongHost => "wrongHost",
            Self::Protocol => "protocol",
        }
    }
}

/// What is known about a failed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorFacts {
    /// What it came to.
    pub kind: ErrorKind,
    /// Who was asked.
    pub service: Service,
    /// The cmdlet, or method and path without a query: `Get-Mailbox`, `GET /users`.
    pub what: String,
    /// HTTP status, where there was an answer.
    pub status: Option<u16>,
    /// The service's own code (`Request_ResourceNotFound`, `Ex6F9304`).
    pub code: Option<String>,
    /// The exception type of an Exchange error.
    pub type_name: Option<String>,
    /// What the service said, for humans.
    pub message: Option<String>,
    /// Our sentence, where there is a better one than the kind's.
    pub sentence: Option<String>,
    /// Our remedy, where there is a better one than the kind's.
    pub remedy: Option<String>,
    /// The service's id of the request, for a support case.
    pub request_id: Option<String>,
    /// How long the service asked us to wait.
    pub retry_after: Option<Duration>,
    /// How many times it was sent.
    pub attempts: u32,
}

/// A failed call. Its facts are its fields (`error.kind`, `error.status`, …).
#[derive(Clone, PartialEq, Eq)]
pub struct WireError(Box<ErrorFacts>);

impl WireError {
    /// An error of `kind` from `service` while doing `what`.
    pub fn new(kind: ErrorKind, service: Service, what: impl Into<String>) -> Self {
        Self(Box::new(ErrorFacts {
            kind,
            service,
            what: what.into(),
            status: None,
            code: None,
            type_name: None,
            message: None,
            sentence: None,
            remedy: None,
            request_id: None,
            retry_after: None,
            attempts: 1,
        }))
    }

    /// What a request that got no answer comes to, if it may be repeated.
    pub fn of_fault(fault: &TransportError, service: Service, what: impl Into<String>) -> Self {
        let kind = match fault.kind {
            TransportErrorKind::Unreachable | TransportErrorKind::Dns | TransportErrorKind::Proxy { .. } => {
                ErrorKind::Unreachable
            }
            TransportErrorKind::Tls => ErrorKind::NotTrusted,
            TransportErrorKind::Timeout | TransportErrorKind::Reset => ErrorKind::Transient,
            TransportErrorKind::TooLarge | TransportErrorKind::Garbled | TransportErrorKind::Other => {
                ErrorKind::Protocol
            }
        };
        let error = Self::new(kind, service, what).with_message(fault.to_string());
        match fault.kind {
            TransportErrorKind::Dns => {
                error.with_remedy("Check the host's name, the cloud setting and the DNS server.")
            }
            TransportErrorKind::Proxy { status } => error.with_remedy(match status {
                Some(407) => {
                    "Write user and password into the proxy's address: proxy = \"http://user:password@host:port\"."
                        .to_owned()
                }
                Some(502..=504) => format!("Check whether the proxy itself reaches {}.", fault.host),
                Some(_) => format!("Have the proxy allow CONNECT to {} on its port, or configure another proxy.", fault.host),
                None => "Check the proxy's address; it has to be an HTTP proxy that allows CONNECT.".to_owned(),
            }),
            _ => error,
        }
    }

    /// With the HTTP status.
    #[must_use]
    pub fn with_status(mut self, status: impl Into<u16>) -> Self {
        self.status = Some(status.into());
        self
    }

    /// With the service's code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// With the exception type.
    #[must_use]
    pub fn with_type(mut self, type_name: impl Into<String>) -> Self {
        self.type_name = Some(type_name.into());
        self
    }

    /// With what the service said; blank text is as none.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        let message = message.into();
        self.message = (!message.trim().is_empty()).then_some(message);
        self
    }

    /// With a sentence that is better than the kind's.
    #[must_use]
    pub fn with_sentence(mut self, sentence: impl Into<String>) -> Self {
        self.sentence = Some(sentence.into());
        self
    }

    /// With a remedy that is better than the kind's.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// With the service's id of the request.
    #[must_use]
    pub fn with_request_id(mut self, request_id: Option<String>) -> Self {
        self.request_id = request_id;
        self
    }

    /// With the wait the service asked for.
    #[must_use]
    pub fn with_retry_after(mut self, retry_after: Option<Duration>) -> Self {
        self.retry_after = retry_after;
        self
    }

    /// Whether the same request may succeed later without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        match &self.kind {
            ErrorKind::Throttled | ErrorKind::Transient | ErrorKind::Unreachable | ErrorKind::LostAnswer => {
                true
            }
            ErrorKind::SignIn(aad) => aad.is_transient(),
            _ => false,
        }
    }

    /// Whether the request may have had its effect although it failed. Settle it by reading, never by repeating.
    pub fn outcome_unknown(&self) -> bool {
        self.kind == ErrorKind::LostAnswer
    }

    /// Whether the object asked for is not there.
    pub fn is_not_found(&self) -> bool {
        self.kind == ErrorKind::NotFound
    }

    /// Whether an administrator must act: a grant, a role, a credential.
    pub fn needs_administrator(&self) -> bool {
        match &self.kind {
            ErrorKind::SignIn(aad) => !aad.is_transient(),
            ErrorKind::Unauthorized | ErrorKind::Forbidden | ErrorKind::NotGroupManager => true,
            _ => false,
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &str {
        if let Some(own) = &self.remedy {
            return own;
        }
        match &self.kind {
            ErrorKind::SignIn(aad) => aad.remedy(),
            ErrorKind::Unauthorized => match self.service {
                Service::Exchange => {
                    "Grant the application permission Exchange.ManageAsApp on Office 365 Exchange Online with admin \
                     consent, and check that the token is for this cloud and tenant."
                }
                _ => "Check that tenant, cloud and application belong together, then sign in again.",
            },
            ErrorKind::Forbidden => match self.service {
                Service::Exchange => {
                    "Give the application an Exchange role that includes this cmdlet (Exchange Recipient Administrator \
                     suffices for most); a new role takes up to an hour to be seen."
                }
                Service::Activity => {
                    "Grant ActivityFeed.Read on the Office 365 Management APIs with admin consent."
                }
                _ => {
                    "Grant the missing application permission with admin consent; it can take some minutes to be seen."
                }
            },
            ErrorKind::NotFound => {
                "Check the identity; an object created a moment ago can take minutes to be visible."
            }
            ErrorKind::Ambiguous => "Use the object id or the primary address instead of a name.",
            ErrorKind::AlreadyExists => "Choose another name or alias, or adopt the object that exists.",
            ErrorKind::AlreadyMember | ErrorKind::NotMember => "Nothing needs to be done.",
            ErrorKind::NotGroupManager => {
                "Send the request with BypassSecurityGroupManagerCheck (option enableByPassSecurityManagerCheck) and \
                 give the application the Role Management role."
            }
            ErrorKind::DirectorySynced => {
                "Change the object in the on-premises directory; it will be synchronised."
            }
            ErrorKind::AddressInUse => "Choose another address, or remove it from the object that has it.",
            ErrorKind::LimitReached => {
                "Remove entries that are not needed, or grant to a group instead of to users."
            }
            ErrorKind::InvalidRequest => {
                "Check names and values; Exchange reports a parameter the role does not include as an unknown one."
            }
            ErrorKind::Refused => "Read the service's reason above.",
            ErrorKind::PageExpired => "Begin the listing again.",
            ErrorKind::DeltaReset { .. } => "Begin with a full round; the delta link is too old.",
            ErrorKind::Throttled => "Try later, or let fewer tools work on this tenant at once.",
            ErrorKind::Transient => "Try again; if it stays, look at the Microsoft 365 service health page.",
            ErrorKind::Unreachable => "Check DNS, firewall and proxy; the host must be allowed on port 443.",
            ErrorKind::NotTrusted => {
                "Give the authority that signed the host's certificate as ca_file, or exempt the host from TLS inspection."
            }
            ErrorKind::NotMicrosoft => {
                "Allow the host to be reached without an intercepting proxy, or configure the proxy and its CA file."
            }
            ErrorKind::LostAnswer => {
                "Read the object to see whether the request took effect before repeating it."
            }
            ErrorKind::WrongHost => "Check the configured hosts; a link to another host is never followed.",
            ErrorKind::Protocol => "Report this answer; the service may have changed its format.",
        }
    }

    fn kind_sentence(&self) -> String {
        let service = self.service;
        match &self.kind {
            ErrorKind::SignIn(aad) => aad.sentence(),
            ErrorKind::Unauthorized => format!("{service} did not accept the token"),
            ErrorKind::Forbidden => format!("{service} does not allow this application to do that"),
            ErrorKind::NotFound => "the object was not found".to_owned(),
            ErrorKind::Ambiguous => "more than one object answers to this identity".to_owned(),
            ErrorKind::AlreadyExists => "an object of this name already exists".to_owned(),
            ErrorKind::AlreadyMember => "the member to be added is one already".to_owned(),
            ErrorKind::NotMember => "the member to be removed is none".to_owned(),
            ErrorKind::NotGroupManager => "only a manager of the group may do that".to_owned(),
            ErrorKind::DirectorySynced => "the object is mastered in the on-premises directory".to_owned(),
            ErrorKind::AddressInUse => "the address belongs to another object".to_owned(),
            ErrorKind::LimitReached => "a limit of the service is reached".to_owned(),
            ErrorKind::InvalidRequest => format!("{service} finds the request invalid"),
            ErrorKind::Refused => format!("{service} refused"),
            ErrorKind::PageExpired => "the page link has expired".to_owned(),
            ErrorKind::DeltaReset { .. } => "the delta link is no longer valid".to_owned(),
            ErrorKind::Throttled => format!("{service} kept throttling"),
            ErrorKind::Transient => format!("{service} is temporarily unable to answer"),
            ErrorKind::Unreachable => format!("{service} cannot be reached"),
            ErrorKind::NotTrusted => format!("no trusted TLS connection to {service}"),
            ErrorKind::NotMicrosoft => "the answer does not come from Microsoft".to_owned(),
            ErrorKind::LostAnswer => format!("the request reached {service}, but its outcome is not known"),
            ErrorKind::WrongHost => "the answer links to another host".to_owned(),
            ErrorKind::Protocol => format!("{service} answered in a form that is not understood"),
        }
    }
}

impl Deref for WireError {
    type Target = ErrorFacts;

    fn deref(&self) -> &ErrorFacts {
        &self.0
    }
}

impl DerefMut for WireError {
    fn deref_mut(&mut self) -> &mut ErrorFacts {
        &mut self.0
    }
}

impl fmt::Debug for WireError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(out)
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: ", self.what)?;
        match &self.sentence {
            Some(own) => out.write_str(own)?,
            None => out.write_str(&self.kind_sentence())?,
        }
        if let Some(status) = self.status {
            write!(out, " (HTTP {status})")?;
        }
        // An AadError already carries Microsoft's words in its own sentence.
        if let (Some(message), false) = (&self.message, matches!(self.kind, ErrorKind::SignIn(_))) {
            write!(out, ": {}", message.trim())?;
        }
        Ok(())
    }
}

impl std::error::Error for WireError {}
