//! Reading what a failed cmdlet said.
//!
//! Owns the grammar: three forms of detail, a JSON document inside a string, errors wrapped in
//! errors, headers that name the exception, and bodies that are no JSON at all. What a failure
//! *means* is decided in [`super::meaning`].

use crate::page::trim;
use crate::transport::WireResponse;
use serde_json::Value;

/// A failure as told, in the service's own terms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Failure {
    /// The most telling exception type, with its namespace.
    pub(super) type_name: Option<String>,
    /// `Ex` and six hex digits, or else the OData code.
    pub(super) code: Option<String>,
    /// The text for people.
    pub(super) text: String,
    pub(super) body: Body,
}

/// What kind of body told it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Body {
    /// Nothing, or NUL bytes.
    #[default]
    Empty,
    Json,
    /// Words without a structure.
    Text,
    /// A web page: not the service itself.
    Html,
}

/// Types that only say "something failed".
const WRAPPERS: [&str; 4] = [
    "ODataServiceException",
    "DirectInvokeCmdletExecutionException",
    "CmdletProxyException",
    "AggregateException",
];

impl Failure {
    pub(super) fn read(response: &WireResponse) -> Failure {
        let mut failure = Failure::default();
        let body = trim(&response.body);
        if response.is_html() {
            failure.body = Body::Html;
        } else if let Ok(json) = serde_json::from_slice::<Value>(body) {
            failure.body = Body::Json;
            failure.read_document(&json, 0);
        } else if !body.is_empty() {
            failure.body = Body::Text;
            failure.text = String::from_utf8_lossy(&body[..body.len().min(2048)]).into_owned();
        }
        if failure.type_name.is_none() {
            failure.take_type(response.header("x-exceptiontype"));
        }
        if failure.text.is_empty()
            && let Some(reason) = response.header("x-ms-diagnostics").and_then(reason)
        {
            failure.text = reason.to_owned();
        }
        failure
    }

    /// The last part of the type: `ManagementObjectNotFoundException`.
    pub(super) fn short_type(&self) -> &str {
        self.type_name.as_deref().map(short).unwrap_or_default()
    }

    /// The type with its namespace, if it says more than that something failed.
    pub(super) fn telling_type(&self) -> Option<&str> {
        self.type_name.as_deref().filter(|name| !WRAPPERS.contains(&short(name)))
    }

    fn read_document(&mut self, json: &Value, depth: u8) {
        let error = member(json, "error").unwrap_or(json);
        let first = match error {
            Value::Array(items) => items.first().unwrap_or(&Value::Null),
            other => other,
        };
        if let Value::String(text) = first {
            self.read_text(text, depth);
            return;
        }
        for detail in member(first, "details").and_then(Value::as_array).into_iter().flatten() {
            if let Some(text) = text_of(detail, "message") {
                self.read_text(text, depth);
            }
        }
        let mut inner = member(first, "innererror");
        // The innermost exception is the one that was thrown first.
        for _ in 0..8 {
            let Some(level) = inner else { break };
            self.take_type(text_of(level, "type"));
            if let Some(text) = text_of(level, "message") {
                self.read_text(text, depth);
            }
            inner = member(level, "internalexception").or_else(|| member(level, "innererror"));
        }
        self.read_exception(first, depth);
        if let Some(code) = text_of(first, "code")
            && self.code.is_none()
        {
            self.code = Some(code.to_owned());
        }
        if let Some(text) = text_of(first, "message") {
            self.read_text(text, depth);
        }
    }

    /// `{"Message":…,"TypeName":…,"InnerError":…}` and its variants.
    fn read_exception(&mut self, json: &Value, depth: u8) {
        for key in ["TypeName", "ClassName", "ExceptionType"] {
            self.take_type(text_of(json, key));
        }
        if let Some(id) = member(json, "localizedString").and_then(|ls| text_of(ls, "stringId"))
            && self.code.is_none()
        {
            self.code = Some(id.to_owned());
        }
        if depth < 4
            && let Some(inner) = member(json, "InnerError").filter(|inner| inner.is_object())
        {
            self.read_exception(inner, depth + 1);
            if let Some(text) = text_of(inner, "Message") {
                self.take_text(text);
            }
        }
    }

    fn read_text(&mut self, text: &str, depth: u8) {
        let text = text.trim();
        if text.starts_with('{')
            && depth < 4
            && let Ok(json @ Value::Object(_)) = serde_json::from_str::<Value>(text)
        {
            self.read_document(&json, depth + 1);
            return;
        }
        match split(text) {
            Some((code, type_name, words)) => {
                if !code.is_empty() {
                    self.code = Some(code.to_owned());
                }
                self.take_type(Some(type_name));
                self.read_wrapped(words, depth);
                self.take_text(words);
            }
            None => {
                self.read_wrapped(text, depth);
                self.take_text(text);
            }
        }
    }

    /// A proxied failure carries the other server's error document in the middle of its words.
    fn read_wrapped(&mut self, text: &str, depth: u8) {
        if depth >= 4 || !text.starts_with("Error on proxy command") {
            return;
        }
        let Some(start) = text.find('{') else { return };
        let inner = serde_json::Deserializer::from_str(&text[start..]).into_iter::<Value>().next();
        if let Some(Ok(json @ Value::Object(_))) = inner {
            self.read_document(&json, depth + 1);
        }
    }

    /// The first type that says something wins; a wrapper gives way to any other.
    fn take_type(&mut self, type_name: Option<&str>) {
        let Some(new) = type_name.map(str::trim).filter(|name| !name.is_empty()) else {
            return;
        };
        let vague = |name: &str| WRAPPERS.contains(&short(name));
        match &self.type_name {
            None => self.type_name = Some(new.to_owned()),
            Some(old) if vague(old) && !vague(new) => self.type_name = Some(new.to_owned()),
            Some(_) => {}
        }
    }

    /// The first text that says something wins; the two constants of the envelope never do.
    fn take_text(&mut self, text: &str) {
        let constant =
            |text: &str| text.is_empty() || text == "Invalid Operation" || text == "Error executing cmdlet";
        if self.text.is_empty() || (constant(&self.text) && !constant(text)) {
            self.text = text.trim().to_owned();
        }
    }
}

/// `ExNNNNNN|Type.Name|Words` or `|Type.Name|Words`; the words may hold further bars.
fn split(text: &str) -> Option<(&str, &str, &str)> {
    let mut parts = text.splitn(3, '|');
    let (code, type_name, words) = (parts.next()?, parts.next()?, parts.next()?);
    let coded = code.is_empty()
        || (code.len() == 8 && code.starts_with("Ex") && code.bytes().skip(2).all(|b| b.is_ascii_hexdigit()));
    let typed = !type_name.is_empty()
        && type_name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'`' | b'+'));
    (coded && typed).then_some((code, type_name, words))
}

fn short(type_name: &str) -> &str {
    type_name.rsplit(['.', '+']).next().unwrap_or(type_name)
}

/// The services do not agree on the case of their keys.
fn member<'a>(json: &'a Value, name: &str) -> Option<&'a Value> {
    json.as_object()?
        .iter()
        .find(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_null())
        .map(|(_, value)| value)
}

fn text_of<'a>(json: &'a Value, name: &str) -> Option<&'a str> {
    member(json, name)?.as_str().filter(|text| !text.is_empty())
}

/// The `reason="…"` of a diagnostics header.
fn reason(header: &str) -> Option<&str> {
    let (_, rest) = header.split_once("reason=\"")?;
    rest.split('"').next().filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, StatusCode};

    fn answer(body: impl Into<Bytes>) -> WireResponse {
        WireResponse { status: StatusCode::BAD_REQUEST, headers: HeaderMap::new(), body: body.into() }
    }

    fn detail(message: &str) -> Failure {
        let body = serde_json::json!({"error": {"code": "BadRequest", "message": "Error executing cmdlet",
            "details": [{"code": "Context", "target": "", "message": message}]}});
        Failure::read(&answer(body.to_string()))
    }

    #[test]
    fn the_first_two_bars_divide_and_no_more() {
        let failure = detail("Ex6F9304|A.B.ManagementObjectNotFoundException|object 'a|b' is | gone");
        assert_eq!(failure.code.as_deref(), Some("Ex6F9304"));
        assert_eq!(failure.short_type(), "ManagementObjectNotFoundException");
        assert_eq!(failure.text, "object 'a|b' is | gone");
        let failure = detail("|A.B.ValidationException|no");
        assert_eq!(failure.code.as_deref(), Some("BadRequest"));
        assert_eq!(failure.text, "no");
    }

    #[test]
    fn words_with_bars_are_not_a_form() {
        let failure = detail("either | or | both");
        assert_eq!(failure.text, "either | or | both");
        assert_eq!(failure.type_name, None);
    }

    #[test]
    fn a_document_inside_a_string_is_read() {
        let failure = detail(
            r#"{"Message":"|X.ADObjectAlreadyExistsException|The object 'CN=a' already exists.","TypeName":null,"StackTrace":null,"InnerError":null}"#,
        );
        assert_eq!(failure.short_type(), "ADObjectAlreadyExistsException");
        assert_eq!(failure.text, "The object 'CN=a' already exists.");
        let failure = detail(
            r#"{"ClassName":"X.ProxyAddressExistsException","Message":"taken","localizedString":{"stringId":"Ex12AB34"}}"#,
        );
        assert_eq!(failure.short_type(), "ProxyAddressExistsException");
        assert_eq!(failure.code.as_deref(), Some("Ex12AB34"));
    }

    #[test]
    fn the_inner_exception_beats_the_wrappers() {
        let body = serde_json::json!({"error": {"code": "BadRequest", "message": "Invalid Operation",
            "innererror": {"message": "Invalid Operation", "type": "Microsoft.Exchange.Admin.OData.Core.ODataServiceException",
                "internalexception": {"message": "Cannot process argument transformation on parameter 'X'.",
                    "type": "M.ParameterTransformationException"}}},
            "adminapi.warnings@odata.type": "#Collection(String)", "@adminapi.warnings": []});
        let failure = Failure::read(&answer(body.to_string()));
        assert_eq!(failure.short_type(), "ParameterTransformationException");
        assert!(failure.text.starts_with("Cannot process"));
    }

    #[test]
    fn a_proxied_failure_is_unwrapped() {
        let failure = detail(
            r#"|Microsoft.Exchange.Configuration.CmdletProxyException|Error on proxy command 'Set-Mailbox' to server X: Server version 15, Proxy method PSWS: NotFound: {"error":{"code":"NotFound","message":"Error executing cmdlet","details":[{"code":"Context","message":"Ex6F9304|M.ManagementObjectNotFoundException|object 'x' couldn't be found on 'DC'."}]}} [Server=X,RequestId=1,TimeStamp=2]"#,
        );
        assert_eq!(failure.short_type(), "ManagementObjectNotFoundException");
        assert_eq!(failure.text, "object 'x' couldn't be found on 'DC'.");
    }

    #[test]
    fn bodies_without_json_keep_their_kind() {
        assert_eq!(Failure::read(&answer(vec![0u8; 4096])).body, Body::Empty);
        assert_eq!(Failure::read(&answer("")).body, Body::Empty);
        assert_eq!(Failure::read(&answer("slow down")).body, Body::Text);
        assert_eq!(Failure::read(&answer("<html><body>proxy</body></html>")).body, Body::Html);
    }

    #[test]
    fn headers_tell_what_the_body_does_not() {
        let mut response = answer("");
        response.headers.insert("X-ExceptionType", HeaderValue::from_static("UnableToWriteToAadException"));
        response.headers.insert(
            "x-ms-diagnostics",
            HeaderValue::from_static(
                r#"2000003;reason="The audience claim value is invalid 'aud'.";error_category="invalid_resource""#,
            ),
        );
        let failure = Failure::read(&response);
        assert_eq!(failure.short_type(), "UnableToWriteToAadException");
        assert_eq!(failure.text, "The audience claim value is invalid 'aud'.");
    }

    proptest::proptest! {
        #[test]
        fn any_body_is_read_without_panic(body in "(\\{\"error\":)?[\\PC{}\\[\\]\":|]{0,120}\\}?") {
            let _ = Failure::read(&answer(body));
        }

        #[test]
        fn any_detail_is_read_without_panic(message in "\\PC{0,80}") {
            let failure = detail(&message);
            proptest::prop_assert_eq!(failure.body, Body::Json);
        }
    }
}
