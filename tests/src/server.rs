//! A server process with its data folder.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const PASSWORD: &str = "correct-horse-7";
/// Starting includes recovery; on a busy machine that takes its time.
const START_MAX: Duration = Duration::from_secs(120);

/// The binary under test, built once with its saboteurs. `HAZWATCH_BIN` names another one.
///
/// # Panics
/// When it cannot be built.
#[must_use]
pub fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(path) = std::env::var_os("HAZWATCH_BIN") {
            return path.into();
        }
        // target/<profile>/deps/it-... : the server is built in the profile of its tests.
        let own = std::env::current_exe().expect("own path");
        let folder = own.parent().and_then(Path::parent).expect("target folder");
        let profile = folder.file_name().and_then(|n| n.to_str()).expect("profile");
        let profile = if profile == "debug" { "dev" } else { profile };
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--package", "hazwatch", "--features", "sabotage", "--profile", profile]);
        cargo.env("CARGO_TARGET_DIR", folder.parent().expect("target"));
        assert!(cargo.status().expect("cargo runs").success(), "the server cannot be built");
        folder.join("hazwatch")
    })
}

/// Runs a subcommand to its end.
///
/// # Panics
/// When it cannot be started.
#[must_use]
pub fn run(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).stdin(Stdio::null()).output().expect("runs")
}

/// How a server is started.
#[derive(Clone, Default)]
pub struct Setup {
    /// Environment, besides the password.
    pub environment: Vec<(String, String)>,
    /// `registry` instead of `open` admission.
    pub registry: bool,
    /// The limit on open files; else that of the tests.
    pub open_files: Option<u32>,
}

impl Setup {
    /// With a saboteur at work, or none.
    #[must_use]
    pub fn sabotaged(saboteur: Option<&str>) -> Self {
        let environment = saboteur.map(|name| ("HAZWATCH_SABOTEUR".to_owned(), name.to_owned()));
        Self { environment: environment.into_iter().collect(), ..Self::default() }
    }
}

/// A running server. Killed when it is dropped, so that a failing test leaves none behind.
pub struct Server {
    child: Child,
    /// Where terminals connect.
    pub jt808: String,
    /// Where HTTP is served.
    pub http: String,
    /// From its start until it was ready.
    pub ready_in: Duration,
}

impl Server {
    /// Starts on free ports with that data folder, and waits until it is ready.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn start(data: &Path, setup: &Setup) -> Self {
        let ready = data.with_extension("ready.json");
        let _ = std::fs::remove_file(&ready);
        let admission = if setup.registry { "registry" } else { "open" };
        let mut command = match setup.open_files {
            None => Command::new(binary()),
            Some(limit) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("ulimit -n {limit} && exec \"$0\" \"$@\"")]).arg(binary());
                shell
            }
        };
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--admission", admission])
            .arg("--data")
            .arg(data)
            .arg("--ready-file")
            .arg(&ready)
            .env("HAZWATCH_ADMIN_PASSWORD", PASSWORD)
            .env("HAZWATCH__LOG__LEVEL", "warn")
            .envs(setup.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let began = Instant::now();
        let mut child = command.spawn().expect("starts");
        let deadline = began + START_MAX;
        let ports = loop {
            if let Ok(text) = std::fs::read_to_string(&ready) {
                break serde_json::from_str::<Value>(&text).expect("the ready file is whole");
            }
            if let Some(status) = child.try_wait().expect("status") {
                panic!("the server ended at its start: {status}");
            }
            assert!(Instant::now() < deadline, "the server did not get ready");
            std::thread::sleep(Duration::from_millis(20));
        };
        let ready_in = began.elapsed();
        let port = |key: &str| ports[key].as_str().expect("address").to_owned();
        Self { child, jt808: port("jt808"), http: port("http"), ready_in }
    }

    /// Kills it: no warning, no time to write.
    ///
    /// # Panics
    /// When it is gone already.
    pub fn kill(mut self) {
        self.child.kill().expect("kill");
    }

    /// Asks it to end, and waits.
    ///
    /// # Panics
    /// When it ends badly.
    pub fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
        let status = self.child.wait().expect("reaped");
        assert!(status.success(), "a server that is asked to stop ends well: {status}");
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What `/readyz` says; `None` when it says nothing.
    #[must_use]
    pub fn is_ready(&self) -> Option<bool> {
        match Client::new(&self.http).text("/readyz") {
            Ok(_) => Some(true),
            Err(refused) if refused.status == 503 => Some(false),
            Err(_) => None,
        }
    }

    /// A client that is logged in as the administrator.
    ///
    /// # Panics
    /// When it cannot log in.
    #[must_use]
    pub fn admin(&self) -> Client {
        let mut client = Client::new(&self.http);
        let answer = client.post("/api/v1/sessions", &json!({"username": "admin", "password": PASSWORD}));
        client.token = answer.expect("logs in")["token"].as_str().expect("token").to_owned();
        client
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already: then there is nobody to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the server answered when it was not a success.
#[derive(Debug)]
pub struct Refused {
    /// HTTP status.
    pub status: u16,
    /// The problem, or null.
    pub problem: Value,
}

/// A reader over HTTP.
#[derive(Clone)]
pub struct Client {
    agent: ureq::Agent,
    base: String,
    token: String,
}

impl Client {
    /// Without a session.
    #[must_use]
    pub fn new(http: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build();
        Self { agent: config.new_agent(), base: format!("http://{http}"), token: String::new() }
    }

    /// The same session with the same server at another address: sessions outlive restarts.
    #[must_use]
    pub fn at(&self, http: &str) -> Self {
        Self { base: format!("http://{http}"), ..self.clone() }
    }

    /// GET, JSON expected.
    ///
    /// # Errors
    /// When the server refuses.
    ///
    /// # Panics
    /// When it cannot be reached.
    pub fn get(&self, path: &str) -> Result<Value, Refused> {
        self.text(path).map(|text| serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// GET, any text.
    ///
    /// # Errors
    /// When the server refuses.
    ///
    /// # Panics
    /// When it cannot be reached.
    pub fn text(&self, path: &str) -> Result<String, Refused> {
        let request = self.agent.get(format!("{}{path}", self.base));
        let request = request.header("Authorization", format!("Bearer {}", self.token));
        outcome(request.call().expect("reachable"))
    }

    /// POST of JSON.
    ///
    /// # Errors
    /// When the server refuses.
    ///
    /// # Panics
    /// When it cannot be reached.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, Refused> {
        self.post_as(path, "application/json", &body.to_string())
    }

    /// POST of anything.
    ///
    /// # Errors
    /// When the server refuses.
    ///
    /// # Panics
    /// When it cannot be reached.
    pub fn post_as(&self, path: &str, content_type: &str, body: &str) -> Result<Value, Refused> {
        let mut request = self.agent.post(format!("{}{path}", self.base)).header("Content-Type", content_type);
        if !self.token.is_empty() {
            request = request.header("Authorization", format!("Bearer {}", self.token));
        }
        let text = outcome(request.send(body).expect("reachable"))?;
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }
}

fn outcome(mut response: ureq::http::Response<ureq::Body>) -> Result<String, Refused> {
    let status = response.status().as_u16();
    let text = response.body_mut().with_config().limit(256 << 20).read_to_string().expect("body");
    if status < 300 {
        return Ok(text);
    }
    Err(Refused { status, problem: serde_json::from_str(&text).unwrap_or(Value::Null) })
}
