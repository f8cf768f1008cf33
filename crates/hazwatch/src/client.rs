//! The command line as a client of a running server.

use std::time::Duration;

use serde_json::Value;

use crate::cli::Server;
use crate::error::Failure;

pub(crate) struct Client {
    agent: ureq::Agent,
    base: String,
    token: String,
}

impl Client {
    /// Uses the token, or logs in.
    pub(crate) fn connect(server: &Server) -> Result<Self, Failure> {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .new_agent();
        let base = format!("{}/api/v1", server.server.trim_end_matches('/'));
        let mut client = Self { agent, base, token: String::new() };
        client.token = match (&server.token, &server.password) {
            (Some(token), _) => token.clone(),
            (None, Some(password)) => client.log_in(&server.user, password)?,
            (None, None) => {
                let message = "give --token, or --user with --password (HAZWATCH_TOKEN, HAZWATCH_ADMIN_PASSWORD)";
                return Err(Failure::Usage(message.to_owned()));
            }
        };
        Ok(client)
    }

    fn log_in(&self, user: &str, password: &str) -> Result<String, Failure> {
        let body = serde_json::json!({"username": user, "password": password}).to_string();
        let answer = self.post("/sessions", "application/json", body.as_bytes())?;
        let token = answer.get("token").and_then(Value::as_str);
        token.map(str::to_owned).ok_or_else(|| Failure::plain("the server gave no token"))
    }

    /// Reads something.
    pub(crate) fn get(&self, path: &str) -> Result<Value, Failure> {
        let url = format!("{}{path}", self.base);
        let request = self.agent.get(&url).header("Authorization", format!("Bearer {}", self.token));
        read(request.call().map_err(|error| Failure::because(format!("cannot reach {url}"), error))?)
    }

    /// Sends a body; returns the answer, or what the server says is wrong with it.
    pub(crate) fn post(&self, path: &str, content_type: &str, body: &[u8]) -> Result<Value, Failure> {
        let url = format!("{}{path}", self.base);
        let mut request = self.agent.post(&url).header("Content-Type", content_type);
        if !self.token.is_empty() {
            request = request.header("Authorization", format!("Bearer {}", self.token));
        }
        read(request.send(body).map_err(|error| Failure::because(format!("cannot reach {url}"), error))?)
    }
}

/// Longest answer that is read: a proof in a commit of many frames.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

fn read(mut response: ureq::http::Response<ureq::Body>) -> Result<Value, Failure> {
    let status = response.status().as_u16();
    let text = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
    let text = text.map_err(|error| Failure::because("the server's answer broke off", error))?;
    let answer: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    if status < 300 { Ok(answer) } else { Err(Failure::plain(problem(status, &answer))) }
}

/// The server's problem details (RFC 9457) as lines for people.
fn problem(status: u16, answer: &Value) -> String {
    let text = |key: &str| answer.get(key).and_then(Value::as_str);
    let errors = answer.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    // With a list of errors the detail is only its first entry.
    let detail = if errors.is_empty() { text("detail") } else { None };
    let mut message = format!("the server says {status}: {}", detail.or(text("title")).unwrap_or("no reason"));
    if let Some(field) = text("field").filter(|_| errors.is_empty()) {
        message.push_str(&format!(" (field {field})"));
    }
    for error in errors {
        let part = |key: &str| error.get(key).map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned));
        let row = part("row").map_or_else(String::new, |row| format!("row {row}: "));
        let field = part("field").map_or_else(String::new, |field| format!("{field}: "));
        message.push_str(&format!("\n  {row}{field}{}", part("message").unwrap_or_default()));
    }
    message
}

/// A text as a segment of a path, or a value of a query.
pub(crate) fn percent(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'_' | b'-' | b'.' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}
