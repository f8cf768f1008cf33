//! `hazwatch command`: a command to a terminal, through a running server.

use std::process::ExitCode;

use serde_json::json;

use super::say;
use crate::cli::{CommandKind, SendCommand};
use crate::client::{Client, percent};
use crate::error::Failure;

pub(super) fn run(options: &SendCommand) -> Result<ExitCode, Failure> {
    let body = match &options.body {
        CommandKind::Text { text, urgent, spoken } => {
            json!({"type": "text", "text": text, "urgent": urgent, "spoken": spoken})
        }
        CommandKind::Locate => json!({"type": "locate"}),
    };
    let vehicle = percent(&options.vehicle);
    let path = format!("/vehicles/{vehicle}/commands");
    let answer = Client::connect(&options.server)?.post(&path, "application/json", body.to_string().as_bytes())?;
    say(&answer.to_string());
    Ok(ExitCode::SUCCESS)
}
