//! What can go wrong in a cmdlet or before it: condition, exception type, texts and the three forms in which an
//! answer describes them.
//!
//! It decides nothing; who raises an error says with which arguments.

use std::fmt::Write as _;

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use super::knobs::{ErrorForm, ExchangeKnobs};

/// A refusal or failure that the client sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExchangeError {
    /// Which one.
    pub condition: Condition,
    args: Vec<String>,
    /// `error.details[].target`.
    pub target: String,
}

/// Everything that can be refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Condition {
    /// The body is not what InvokeCommand takes. {0} = what is wrong.
    BadBody,
    /// Parameters that the cmdlet (or the caller's role) does not have. {0} = names.
    UnknownParameter,
    /// No parameter set, or more than one, takes these parameters.
    AmbiguousParameterSet,
    /// A mandatory parameter is missing. {0} = names.
    MissingParameter,
    /// A mandatory parameter is null. {0} = name.
    NullParameter,
    /// A value cannot be converted. {0} = parameter, {1} = value, {2} = type, {3} = reason.
    Transformation,
    /// A value is too long or out of range. {0} = parameter, {1} = reason.
    ParameterValidation,
    /// The target does not exist. {0} = identity.
    NotFound,
    /// The mailbox whose settings are asked for does not exist. {0} = identity.
    StoreNotFound,
    /// A recipient named in a parameter does not exist. {0} = identity.
    LookupNotFound,
    /// The mailbox of a write is gone.
    MailboxGone,
    /// Several targets bear the identity. {0} = identity.
    Ambiguous,
    /// Several recipients bear the identity named in a parameter. {0} = identity.
    RecipientAmbiguous,
    /// {0} is already a member of {1}.
    AlreadyMember,
    /// {0} isn't a member of {1}.
    NotMember,
    /// An object of that name exists. {0} = its distinguished name.
    AlreadyExists,
    /// {0} = address, {1} = who uses it.
    ProxyInUse,
    /// A user sign-in name is taken. {0} = address.
    SignInNameInUse,
    /// The caller does not manage the group.
    NotGroupManager,
    /// A rule of recipients is broken. {0} = text.
    RecipientTask,
    /// A rule of values is broken. {0} = text.
    Validation,
    /// {0} = parameter, {1} = the entry that appears twice.
    DuplicateEntry,
    /// {0} = object, {1} = cmdlet, {2} = property.
    DirSynced,
    /// 500 entries are there already. {0} = mailbox.
    AclFull,
    /// The trustee cannot hold rights. {0} = trustee.
    NotSecurityPrincipal,
    /// Folder permission exists already. {0} = user.
    FolderPermissionExists,
    /// No folder permission of that user. {0} = user.
    FolderPermissionMissing,
    /// {0} = folder.
    FolderNotFound,
    /// {0} = filter, {1} = position.
    FilterSyntax,
    /// {0} = property, {1} = filter.
    FilterProperty,
    /// {0} = operand, {1} = kind, {2} = property, {3} = filter.
    FilterOperand,
    /// A page token is not good (any more).
    Pagination,
    /// The cmdlet does not run without a user.
    AppOnlyUnsupported,
    /// A back end is busy. {0} = exception type, {1} = text.
    Transient,
    /// A multi-valued list is too long. {0} = parameter, {1} = limit.
    TooManyValues,
}

/// Where in the service an error comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// Before the cmdlet: `Invalid Operation`.
    Binder,
    /// As binder, without details and with warnings after the error.
    Transformation,
    /// The cmdlet ran: `Error executing cmdlet`.
    Cmdlet,
}

struct Spec {
    exception: &'static str,
    code: Option<&'static str>,
    origin: Origin,
    english: &'static str,
    german: Option<&'static str>,
}

const fn binder(exception: &'static str, english: &'static str) -> Spec {
    Spec { exception, code: None, origin: Origin::Binder, english, german: None }
}

const fn cmdlet(exception: &'static str, code: Option<&'static str>, english: &'static str) -> Spec {
    Spec { exception, code, origin: Origin::Cmdlet, english, german: None }
}

const AMBIGUOUS_SET: &str = "Microsoft.Exchange.AdminApi.CommandInvocation.AmbiguousParameterSetException";
const TRANSFORMATION: &str = "Microsoft.Exchange.AdminApi.CommandInvocation.ParameterTransformationException";
const NOT_FOUND: &str = "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException";
const AMBIGUOUS: &str = "Microsoft.Exchange.Configuration.Tasks.ManagementObjectAmbiguousException";
const RECIPIENT_TASK: &str = "Microsoft.Exchange.Management.Tasks.RecipientTaskException";
const VALIDATION: &str = "Microsoft.Exchange.Management.Tasks.ValidationException";
const PARSING: &str = "Microsoft.Exchange.Data.ParsingException";
/// The domain controller that reads name in their errors.
const CONTROLLER: &str = "DB3PR01A01DC001.EURPR01A001.PROD.OUTLOOK.COM";

fn spec(condition: Condition) -> Spec {
    use Condition as C;
    match condition {
        C::BadBody => binder("Microsoft.OData.ODataException", "{0}"),
        C::UnknownParameter => binder(
            AMBIGUOUS_SET,
            "Parameter set cannot be resolved using the specified named parameters. Invalid cmdlet parameters specified. {0}",
        ),
        C::AmbiguousParameterSet => {
            binder(AMBIGUOUS_SET, "Parameter set cannot be resolved using the specified named parameters.")
        }
        C::MissingParameter => binder(
            "Microsoft.Exchange.AdminApi.CommandInvocation.ParameterBindingException",
            "Cannot process command because of one or more missing mandatory parameters: {0}.",
        ),
        C::NullParameter => binder(
            "Microsoft.Exchange.AdminApi.CommandInvocation.ParameterBindingException",
            "Cannot bind argument to parameter '{0}' because it is null.",
        ),
        C::Transformation => Spec {
            exception: TRANSFORMATION,
            code: None,
            origin: Origin::Transformation,
            english: "Cannot process argument transformation on parameter '{0}'. Cannot convert value \"{1}\" to type \"{2}\". Error: \"{3}\"",
            german: None,
        },
        C::ParameterValidation => binder(
            "System.Management.Automation.ParameterBindingValidationException",
            "Cannot validate argument on parameter '{0}'. {1}",
        ),
        C::NotFound => Spec {
            german: Some(
                "Der Vorgang konnte nicht ausgeführt werden, weil das Objekt '{0}' auf '{1}' nicht gefunden wurde.",
            ),
            ..cmdlet(
                NOT_FOUND,
                Some("Ex6F9304"),
                "The operation couldn't be performed because object '{0}' couldn't be found on '{1}'.",
            )
        },
        C::StoreNotFound => cmdlet(
            NOT_FOUND,
            None,
            "The operation couldn't be performed because Identity:\"{0}\" couldn't be found.",
        ),
        C::LookupNotFound => Spec {
            german: Some(
                "Das Objekt \"{0}\" wurde nicht gefunden. Stellen Sie sicher, dass die Schreibweise richtig ist, oder geben Sie ein anderes Objekt an.",
            ),
            ..cmdlet(
                NOT_FOUND,
                Some("Ex94914C"),
                "Couldn't find object \"{0}\". Please make sure that it was spelled correctly or specify a different object.",
            )
        },
        C::MailboxGone => cmdlet(NOT_FOUND, Some("Ex41BAF5"), "The specified mailbox doesn't exist."),
        C::Ambiguous => cmdlet(
            AMBIGUOUS,
            None,
            "The operation couldn't be performed because '{0}' matches multiple entries.",
        ),
        C::RecipientAmbiguous => cmdlet(
            AMBIGUOUS,
            None,
            "There are multiple recipients matching the identity \"{0}\". Please specify a unique value.",
        ),
        C::AlreadyMember => Spec {
            german: Some("Der Empfänger \"{0}\" ist bereits Mitglied der Gruppe \"{1}\"."),
            ..cmdlet(
                "Microsoft.Exchange.Management.Tasks.MemberAlreadyExistsException",
                None,
                "The recipient \"{0}\" is already a member of the group \"{1}\".",
            )
        },
        C::NotMember => Spec {
            german: Some("Der Empfänger \"{0}\" ist kein Mitglied der Gruppe \"{1}\"."),
            ..cmdlet(
                "Microsoft.Exchange.Management.Tasks.MemberNotFoundException",
                None,
                "The recipient \"{0}\" isn't a member of the group \"{1}\".",
            )
        },
        C::AlreadyExists => cmdlet(
            "Microsoft.Exchange.Data.Directory.ADObjectAlreadyExistsException",
            None,
            "The object '{0}' already exists.",
        ),
        C::ProxyInUse => cmdlet(
            "Microsoft.Exchange.Data.ProxyAddressExistsException",
            None,
            "The proxy address \"{0}\" is already being used by the proxy addresses or LegacyExchangeDN of \"{1}\". Please choose another proxy address.",
        ),
        C::SignInNameInUse => cmdlet(
            "Microsoft.Exchange.Management.Tasks.WLCDManagedMemberExistsException",
            Some("ExB10BE9"),
            "The proxy address \"SMTP:{0}\" is already being used by the proxy addresses or LegacyExchangeDN. Please choose another proxy address.",
        ),
        C::NotGroupManager => Spec {
            german: Some(
                "Sie verfügen nicht über ausreichende Berechtigungen. Dieser Vorgang kann nur von einem Manager der Gruppe ausgeführt werden.",
            ),
            ..cmdlet(
                "Microsoft.Exchange.Configuration.Tasks.OperationRequiresGroupManagerException",
                None,
                "You don't have sufficient permissions. This operation can only be performed by a manager of the group.",
            )
        },
        C::RecipientTask => cmdlet(RECIPIENT_TASK, None, "{0}"),
        C::Validation => cmdlet(VALIDATION, None, "{0}"),
        C::DuplicateEntry => cmdlet(
            RECIPIENT_TASK,
            None,
            "The parameter \"{0}\" contains the following duplicated recipient identity: \"{1}\"",
        ),
        C::DirSynced => Spec {
            german: Some(
                "Der Vorgang für das Postfach \"{0}\" konnte nicht ausgeführt werden, da er außerhalb des Schreibbereichs des aktuellen Benutzers liegt. Die Aktion '{1}', '{2}' kann für das Objekt '{0}' nicht ausgeführt werden, weil das Objekt von Ihrer lokalen Organisation synchronisiert wird.",
            ),
            ..cmdlet(
                "Microsoft.Exchange.Data.Directory.InvalidObjectOperationException",
                None,
                "The operation on mailbox \"{0}\" failed because it's out of the current user's write scope. The action '{1}', '{2}', can't be performed on the object '{0}' because the object is being synchronized from your on-premises organization. This action should be performed on the object in your on-premises organization.",
            )
        },
        C::AclFull => cmdlet(
            RECIPIENT_TASK,
            None,
            "The mailbox \"{0}\" can't have more than 500 access control entries. Remove some entries or use a group.",
        ),
        C::NotSecurityPrincipal => cmdlet(
            "Microsoft.Exchange.Configuration.Tasks.SecurityPrincipalNotFoundException",
            None,
            "User or group \"{0}\" wasn't found. Please make sure you've typed it correctly.",
        ),
        C::FolderPermissionExists => cmdlet(
            "Microsoft.Exchange.Management.StoreTasks.UserAlreadyExistsInPermissionEntryException",
            None,
            "An existing permission entry was found for user: {0}.",
        ),
        C::FolderPermissionMissing => cmdlet(
            "Microsoft.Exchange.Management.StoreTasks.UserNotFoundInPermissionEntryException",
            None,
            "There is no existing permission entry found for user: {0}.",
        ),
        C::FolderNotFound => cmdlet(NOT_FOUND, None, "The specified folder couldn't be found. Folder: {0}"),
        C::FilterSyntax => cmdlet(
            PARSING,
            None,
            "Invalid filter syntax. For a description of the filter parameter syntax see the command help. \"{0}\" at position {1}.",
        ),
        C::FilterProperty => cmdlet(
            PARSING,
            None,
            "\"{0}\" is not a recognized filterable property. For a complete list of filterable properties see the command help. \"{1}\" at position 1.",
        ),
        C::FilterOperand => cmdlet(
            PARSING,
            None,
            "Cannot convert value \"{0}\" to the {1} type of property \"{2}\" in filter \"{3}\".",
        ),
        C::Pagination => binder(
            "Microsoft.Exchange.AdminApi.PaginationException",
            "Expired or Invalid pagination request. Default Expiry time is 00:30:00",
        ),
        C::AppOnlyUnsupported => cmdlet(
            "Microsoft.Exchange.Configuration.Tasks.TaskInvalidOperationException",
            None,
            "The cmdlet {0} isn't supported with app-only authentication.",
        ),
        C::Transient => cmdlet("", None, "{1}"),
        C::TooManyValues => {
            cmdlet(VALIDATION, None, "The number of values for parameter '{0}' exceeds the maximum of {1}.")
        }
    }
}

impl ExchangeError {
    /// An error with its arguments.
    pub fn new<I, S>(condition: Condition, args: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        Self { condition, args: args.into_iter().map(Into::into).collect(), target: String::new() }
    }

    /// An error without arguments.
    #[must_use]
    pub fn plain(condition: Condition) -> Self {
        Self { condition, args: Vec::new(), target: String::new() }
    }

    /// The exception type as the service names it.
    #[must_use]
    pub fn exception(&self) -> &str {
        if self.condition == Condition::Transient {
            return self.args.first().map_or("", String::as_str);
        }
        spec(self.condition).exception
    }

    /// The text, in the language where it is known.
    #[must_use]
    pub fn text(&self, language: &str) -> String {
        let spec = spec(self.condition);
        let german = language.trim_start().get(..2).is_some_and(|tag| tag.eq_ignore_ascii_case("de"));
        let template = spec.german.filter(|_| german).unwrap_or(spec.english);
        let mut text = template.to_owned();
        for at in (0..self.args.len()).rev() {
            let argument = &self.args[at];
            // An argument that contains braces must not be taken for a place in the template.
            let shielded = argument.replace('{', "\u{1}");
            text = text.replace(&format!("{{{at}}}"), &shielded);
        }
        text.replace("{1}", CONTROLLER).replace('\u{1}', "{")
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self, knobs: &ExchangeKnobs) -> u16 {
        match self.condition {
            Condition::NotFound
            | Condition::StoreNotFound
            | Condition::LookupNotFound
            | Condition::MailboxGone
            | Condition::FolderNotFound => knobs.not_found_status,
            Condition::Ambiguous | Condition::RecipientAmbiguous => knobs.ambiguous_status,
            Condition::AlreadyExists
            | Condition::AlreadyMember
            | Condition::ProxyInUse
            | Condition::SignInNameInUse => knobs.conflict_status,
            _ => 400,
        }
    }

    /// The body in the form that the scenario asks for.
    #[must_use]
    pub fn body(&self, knobs: &ExchangeKnobs, language: &str) -> Vec<u8> {
        let spec = spec(self.condition);
        let text = self.text(language);
        let exception = self.exception();
        let status = self.status(knobs);
        let code = match status {
            404 => "NotFound",
            409 => "Conflict",
            500.. => "InternalServerError",
            _ => "BadRequest",
        };
        let message =
            if spec.origin == Origin::Cmdlet { "Error executing cmdlet" } else { "Invalid Operation" };
        let detail_code = if spec.origin == Origin::Cmdlet { "Context" } else { "Client" };
        let hex = spec.code.map_or_else(|| throw_site(exception, spec.english), str::to_owned);
        let detail = match (knobs.error_form, spec.origin) {
            (ErrorForm::Json, _) => {
                json!({"Message": text, "TypeName": exception, "StackTrace": null, "InnerError": null})
                    .to_string()
            }
            (ErrorForm::Coded, _) | (ErrorForm::Natural, Origin::Cmdlet) => {
                format!("{hex}|{exception}|{text}")
            }
            _ => format!("|{exception}|{text}"),
        };
        let with_details = spec.origin != Origin::Transformation || knobs.error_form != ErrorForm::Natural;
        let inner_type = if spec.origin == Origin::Cmdlet {
            "Microsoft.Exchange.Management.PSDirectInvoke.DirectInvokeCmdletExecutionException"
        } else {
            exception
        };
        let mut inner = json!({
            "message": message,
            "type": "Microsoft.Exchange.Admin.OData.Core.ODataServiceException",
            "stacktrace": "",
        });
        if !knobs.hide_internal_exception {
            let inner_text = if spec.origin == Origin::Cmdlet { detail.clone() } else { text };
            inner["internalexception"] = json!({"message": inner_text, "type": inner_type, "stacktrace": ""});
        }
        let mut error = json!({"code": code, "message": message});
        if with_details {
            error["details"] = json!([{"code": detail_code, "target": self.target, "message": detail}]);
        }
        error["innererror"] = inner;
        let mut body = json!({"error": error});
        if spec.origin == Origin::Transformation {
            body["adminapi.warnings@odata.type"] = Json::from("#Collection(String)");
            body["@adminapi.warnings"] = json!([]);
        }
        body.to_string().into_bytes()
    }
}

/// `Ex` and six hex digits, stable per exception and text.
fn throw_site(exception: &str, template: &str) -> String {
    let digest = Sha256::new().chain_update(exception).chain_update(template).finalize();
    let mut code = String::from("Ex");
    for byte in digest.iter().take(3) {
        // Writing to a String cannot fail.
        let _ = write!(code, "{byte:02X}");
    }
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detail(error: &ExchangeError, knobs: &ExchangeKnobs, language: &str) -> (Json, String) {
        let body: Json = serde_json::from_slice(&error.body(knobs, language)).unwrap();
        let message = body["error"]["details"][0]["message"].as_str().unwrap_or_default().to_owned();
        (body, message)
    }

    #[test]
    fn an_unknown_parameter_looks_as_recorded() {
        let error = ExchangeError::new(Condition::UnknownParameter, ["BogusParameter"]);
        let (body, message) = detail(&error, &ExchangeKnobs::default(), "en-US");
        assert_eq!(body["error"]["code"], "BadRequest");
        assert_eq!(body["error"]["message"], "Invalid Operation");
        assert_eq!(
            message,
            "|Microsoft.Exchange.AdminApi.CommandInvocation.AmbiguousParameterSetException|Parameter set cannot be resolved using the specified named parameters. Invalid cmdlet parameters specified. BogusParameter"
        );
        assert_eq!(body["error"]["details"][0]["code"], "Client");
    }

    #[test]
    fn a_bad_value_has_warnings_and_no_details() {
        let error =
            ExchangeError::new(Condition::Transformation, ["QuarantineTypes", "Nonsense", "Enum[]", "no"]);
        let (body, _) = detail(&error, &ExchangeKnobs::default(), "en-US");
        assert!(body["error"].get("details").is_none());
        assert_eq!(body["@adminapi.warnings"], json!([]));
        let keys: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["error", "adminapi.warnings@odata.type", "@adminapi.warnings"]);
    }

    #[test]
    fn every_form_can_be_asked_for() {
        let error = ExchangeError::new(Condition::NotFound, ["nobody"]);
        let mut knobs = ExchangeKnobs::default();
        assert!(detail(&error, &knobs, "").1.starts_with(
            "Ex6F9304|Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException|"
        ));
        knobs.error_form = ErrorForm::Uncoded;
        assert!(detail(&error, &knobs, "").1.starts_with("|Microsoft."));
        knobs.error_form = ErrorForm::Json;
        let inner: Json = serde_json::from_str(&detail(&error, &knobs, "").1).unwrap();
        assert!(
            inner["Message"]
                .as_str()
                .unwrap()
                .contains("object 'nobody' couldn't be found on 'DB3PR01A01DC001")
        );
        assert!(detail(&error, &knobs, "de-DE").1.contains("nicht gefunden"));
        knobs.hide_internal_exception = true;
        assert!(detail(&error, &knobs, "").0["error"]["innererror"].get("internalexception").is_none());
    }

    #[test]
    fn braces_in_arguments_are_harmless() {
        let error = ExchangeError::new(Condition::AlreadyMember, ["{1}{0}", "g"]);
        assert_eq!(error.text("en"), "The recipient \"{1}{0}\" is already a member of the group \"g\".");
    }
}
