//! A child process: started, listened to line by line, ended by its own id when it is dropped.

use std::io::{BufRead, BufReader};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::error::Failure;

/// How long a child may take to end after it was asked to.
const END_WITHIN: Duration = Duration::from_secs(15);
const POLL: Duration = Duration::from_millis(10);

/// A running child. One of ours ends when its standard input does, so that none outlives the bench.
pub(crate) struct Child {
    name: String,
    process: std::process::Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Child {
    /// Starts it. Its standard error is ours unless the command says otherwise.
    pub(crate) fn spawn(name: impl Into<String>, command: &mut Command) -> Result<Self, Failure> {
        let name = name.into();
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut process =
            spawned.map_err(Failure::io(format!("start {name} ({})", command.get_program().display())))?;
        let (sender, lines) = sync_channel(64);
        if let Some(stdout) = process.stdout.take() {
            // Reads on when nobody listens any more, or a full pipe would stop the child.
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    let _ = sender.try_send(line);
                }
            });
        }
        let stdin = process.stdin.take();
        Ok(Self { name, process, stdin, lines })
    }

    /// Another role of this program.
    pub(crate) fn of_self(name: &str, arguments: &[String]) -> Result<Self, Failure> {
        Self::spawn(name, role()?.args(arguments))
    }

    /// The same, where its complaints are expected.
    pub(crate) fn of_self_unheard(name: &str, arguments: &[String]) -> Result<Self, Failure> {
        Self::spawn(name, role()?.args(arguments).stderr(Stdio::null()))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The next line that it prints.
    pub(crate) fn line(&self, within: Duration) -> Result<String, Failure> {
        self.lines.recv_timeout(within).map_err(|error| {
            let what = match error {
                RecvTimeoutError::Timeout => format!("said nothing for {} s", within.as_secs()),
                RecvTimeoutError::Disconnected => "ended early".to_owned(),
            };
            Failure::Child(format!("{} {what}", self.name))
        })
    }

    /// The next line, which has to be this one.
    pub(crate) fn expect(&self, line: &str, within: Duration) -> Result<(), Failure> {
        let said = self.line(within)?;
        if said == line { Ok(()) } else { Err(Failure::Child(format!("{} said {said:?}, not {line:?}", self.name))) }
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }

    /// Kills it: no warning, no time to write.
    pub(crate) fn kill(mut self) -> Result<(), Failure> {
        self.process.kill().map_err(Failure::io(format!("kill {}", self.name)))?;
        self.process.wait().map(drop).map_err(Failure::io(format!("reap {}", self.name)))
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(mut self) -> Result<(), Failure> {
        drop(self.stdin.take());
        // Children of ours end with their input; a server wants the signal. One that has just ended needs neither.
        let _ = rustix::process::kill_process(Pid::from_child(&self.process), Signal::TERM);
        let deadline = Instant::now() + END_WITHIN;
        while self.is_alive() {
            if Instant::now() > deadline {
                return Err(Failure::Child(format!("{} does not end", self.name)));
            }
            std::thread::sleep(POLL);
        }
        Ok(())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn role() -> Result<Command, Failure> {
    std::env::current_exe().map(Command::new).map_err(Failure::io("find this program"))
}

/// Ends this process, a child, as soon as its parent closes our standard input.
pub(crate) fn end_with_parent() {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
}
