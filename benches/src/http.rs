//! A client of the server's HTTP side, logged in as its administrator.

use std::net::SocketAddr;

use serde_json::{Value, json};
use ureq::Body;
use ureq::http::Response;

use crate::error::Failure;
use crate::servers::PASSWORD;

/// A session.
#[derive(Clone)]
pub(crate) struct Http {
    agent: ureq::Agent,
    root: String,
    token: String,
}

impl Http {
    pub(crate) fn log_in(at: SocketAddr) -> Result<Self, Failure> {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let mut http = Self { agent, root: format!("http://{at}"), token: String::new() };
        let asked = http.post(
            "sessions",
            "application/json",
            &json!({ "username": "admin", "password": PASSWORD }).to_string(),
        )?;
        let token = asked["token"].as_str().ok_or_else(|| Failure::Wrong(format!("no session: {asked}")))?;
        http.token = format!("Bearer {token}");
        Ok(http)
    }

    /// What is answered under `/api/v1/`, whatever its status.
    pub(crate) fn get(&self, path: &str) -> Result<Response<Body>, Failure> {
        self.fetch(&format!("/api/v1/{path}"))
    }

    /// What is answered under a whole path, whatever its status.
    pub(crate) fn fetch(&self, path: &str) -> Result<Response<Body>, Failure> {
        let request = self.agent.get(format!("{}{path}", self.root)).header("authorization", &self.token);
        request.call().map_err(Failure::other("ask the server"))
    }

    /// Posts under `/api/v1/`, and has to succeed.
    pub(crate) fn post(&self, path: &str, kind: &str, body: &str) -> Result<Value, Failure> {
        let request = self.agent.post(format!("{}/api/v1/{path}", self.root)).header("content-type", kind);
        let request = if self.token.is_empty() { request } else { request.header("authorization", &self.token) };
        let mut response = request.send(body).map_err(Failure::other("ask the server"))?;
        let text = response.body_mut().read_to_string().unwrap_or_default();
        if !response.status().is_success() {
            return Err(Failure::Wrong(format!("{path} is answered with {}: {text}", response.status())));
        }
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}
