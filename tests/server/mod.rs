//! A real server for end-to-end tests: started in dev mode on loopback, with a file audit device and a root token of its
//! own, thrown away afterwards. Tests without one say so and pass.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails loudly, and says what it skips"
)]
#![allow(dead_code, reason = "every test binary includes this module and uses its part of it")]

#[path = "../support/skip.rs"]
pub mod skip;

use serde_json::Value;
use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const START_LIMIT: Duration = Duration::from_secs(120);

/// A running server. Dropping it stops it and deletes all it wrote.
pub struct Server {
    child: Child,
    folder: TempDir,
    address: String,
    token: String,
    agent: ureq::Agent,
}

/// The binary to test with: `VAULT_ADVISOR_SERVER`, else what `build.sh` built, else `bao` or `vault` of the search path.
pub fn binary() -> Option<PathBuf> {
    if let Some(named) = env::var_os("VAULT_ADVISOR_SERVER").filter(|v| !v.is_empty()) {
        return Some(PathBuf::from(named));
    }
    let cache = env::var_os("VAULT_ADVISOR_SERVER_CACHE")
        .map(PathBuf::from)
        .or_else(|| {
            let base = env::var_os("XDG_CACHE_HOME")
                .filter(|v| !v.is_empty())
                .map(PathBuf::from)
                .or_else(|| env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))?;
            Some(base.join("vault-advisor/server"))
        });
    let path = env::var_os("PATH").unwrap_or_default();
    cache
        .map(|folder| folder.join("bao"))
        .into_iter()
        .chain(env::split_paths(&path).flat_map(|folder| [folder.join("bao"), folder.join("vault")]))
        .find(|candidate| candidate.is_file())
}

impl Server {
    /// Starts a server, or says that the test is skipped.
    pub fn start() -> Option<Self> {
        Self::start_with(false, "")
    }

    /// A server on which groups may have members of other namespaces, where it knows of namespaces.
    pub fn start_crossing() -> Option<Self> {
        Self::start_with(false, "unsafe_cross_namespace_identity = true\n")
    }

    /// The same over TLS, with the certificate authority of [`Server::ca_cert`].
    pub fn start_tls() -> Option<Self> {
        Self::start_with(true, "")
    }

    fn start_with(tls: bool, settings: &str) -> Option<Self> {
        let Some(binary) = binary() else {
            skip::skipped(
                "no server: set VAULT_ADVISOR_SERVER, run tests/server/build.sh, or put `bao` or `vault` on the search path",
            );
            return None;
        };
        // The port is free when it is picked; somebody else may be quicker, so it is tried again.
        for _ in 0..5 {
            if let Some(server) = Self::try_start(&binary, tls, settings) {
                return Some(server);
            }
        }
        panic!("`{}` does not start", binary.display());
    }

    fn try_start(binary: &Path, tls: bool, settings: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let is_bao = binary.file_name().is_some_and(|name| name == "bao");
        let token = format!("root-{}", random());
        let config = folder.path().join("server.hcl");
        fs::write(
            &config,
            configuration(is_bao, &folder.path().join("audit.log")) + settings,
        )
        .unwrap();
        let log = File::create(folder.path().join("server.log")).unwrap();
        let mut command = Command::new(binary);
        command
            .args(["server", "-dev-no-store-token"])
            .arg(format!("-dev-listen-address=127.0.0.1:{port}"))
            .arg(format!("-config={}", config.display()));
        if tls {
            command
                .arg("-dev-tls")
                .arg(format!("-dev-tls-cert-dir={}", folder.path().display()));
        } else {
            command.arg("-dev");
        }
        let child = command
            // By the environment, not by a flag: a command line is seen by everybody.
            .env("BAO_DEV_ROOT_TOKEN_ID", &token)
            .env("VAULT_DEV_ROOT_TOKEN_ID", &token)
            .env("HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start `{}`: {error}", binary.display()));
        let scheme = if tls { "https" } else { "http" };
        let verification = ureq::tls::TlsConfig::builder().disable_verification(true).build();
        let mut server = Self {
            child,
            address: format!("{scheme}://127.0.0.1:{port}"),
            token,
            agent: ureq::Agent::config_builder()
                .http_status_as_error(false)
                .proxy(None)
                .tls_config(verification)
                .build()
                .into(),
            folder,
        };
        server.wait_until_ready().then(|| {
            if !is_bao {
                server.enable_audit();
            }
            server
        })
    }

    fn wait_until_ready(&mut self) -> bool {
        let begin = Instant::now();
        while begin.elapsed() < START_LIMIT {
            if self.child.try_wait().unwrap().is_some() {
                eprintln!(
                    "{}",
                    fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default()
                );
                return false;
            }
            // A dev server answers before its root token exists: it is ready when it knows the token.
            let answer = self
                .agent
                .get(format!("{}/v1/auth/token/lookup-self", self.address))
                .header("X-Vault-Token", &self.token)
                .call();
            if answer.is_ok_and(|a| a.status() == 200) {
                return true;
            }
            thread::sleep(Duration::from_millis(50));
        }
        false
    }

    /// Vault has no audit stanza in its configuration.
    fn enable_audit(&self) {
        let body = serde_json::json!({"type": "file", "options": {"file_path": self.audit_log()}});
        self.ok("POST", "", "sys/audit/file", Some(&body));
    }

    /// Its address.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Its root token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Where its audit device writes.
    pub fn audit_log(&self) -> PathBuf {
        self.folder.path().join("audit.log")
    }

    /// The authority of its certificate, if it was started with TLS.
    pub fn ca_cert(&self) -> PathBuf {
        let folder = self.folder.path();
        ["openbao-ca.pem", "vault-ca.pem"]
            .iter()
            .map(|name| folder.join(name))
            .find(|path| path.exists())
            .unwrap()
    }

    /// Sends a request with a token; gives the status and the answer.
    pub fn send(&self, token: &str, method: &str, namespace: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}/v1/{path}", self.address))
            .header("X-Vault-Token", token)
            .header("X-Vault-Namespace", namespace)
            .body(body.map(Value::to_string).unwrap_or_default())
            .unwrap();
        let request = self
            .agent
            .configure_request(request)
            .allow_non_standard_methods(true)
            .build();
        let mut response = self.agent.run(request).unwrap();
        let status = response.status().as_u16();
        let bytes = response.body_mut().read_to_vec().unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Sends a request as root that must succeed; gives the answer.
    pub fn ok(&self, method: &str, namespace: &str, path: &str, body: Option<&Value>) -> Value {
        let (status, answer) = self.send(&self.token, method, namespace, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// Writes as root, in the root namespace.
    pub fn write(&self, path: &str, body: Value) -> Value {
        self.ok("POST", "", path, Some(&body))
    }

    /// A new token with these policies and nothing else.
    pub fn token_with(&self, policies: &[&str]) -> String {
        let body = serde_json::json!({"policies": policies, "no_default_policy": true, "no_parent": true});
        let answer = self.write("auth/token/create", body);
        answer["auth"]["client_token"].as_str().unwrap().to_owned()
    }
}

impl Server {
    /// Everything that hands out access: texts of policies, and what roles, users, entities and groups hand out.
    pub fn handing_out(&self, spaces: &[&str]) -> BTreeMap<String, Value> {
        let mut found = BTreeMap::new();
        for space in spaces {
            let list = |path: &str| -> Vec<String> {
                let (status, answer) = self.send(&self.token, "LIST", space, path, None);
                let keys = (status == 200).then(|| answer["data"]["keys"].clone());
                keys.map(|keys| serde_json::from_value(keys).unwrap())
                    .unwrap_or_default()
            };
            let mut read = |path: String, field: &str| {
                let mut value = self.ok("GET", space, &path, None)["data"][field].clone();
                // To the server a list is a set.
                if let Some(names) = value.as_array_mut() {
                    names.sort_by_key(ToString::to_string);
                }
                found.insert(format!("{space}:{path}"), value);
            };
            for name in list("sys/policies/acl").into_iter().filter(|name| name != "root") {
                read(format!("sys/policies/acl/{name}"), "policy");
            }
            for name in list("auth/approle/role") {
                read(format!("auth/approle/role/{name}"), "token_policies");
            }
            for name in list("auth/userpass/users") {
                read(format!("auth/userpass/users/{name}"), "token_policies");
            }
            for id in list("identity/entity/id") {
                read(format!("identity/entity/id/{id}"), "policies");
            }
            for id in list("identity/group/id") {
                read(format!("identity/group/id/{id}"), "policies");
            }
            for name in list("auth/token/roles") {
                read(format!("auth/token/roles/{name}"), "allowed_policies");
            }
        }
        found
    }

    /// The program, with the address and the root token of this server.
    pub fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vault-advisor"));
        command
            .env("VAULT_ADDR", &self.address)
            .env("VAULT_TOKEN", &self.token)
            .env_remove("BAO_ADDR")
            .env_remove("BAO_TOKEN");
        command
    }

    /// Runs a script that the program wrote, which must go well.
    pub fn script(&self, path: &Path, arguments: &[&str]) {
        let cli = binary().unwrap();
        fine(&self.running(path, arguments, &cli).output().unwrap());
    }

    fn running(&self, path: &Path, arguments: &[&str], cli: &Path) -> Command {
        let mut command = Command::new("bash");
        command
            .arg(path)
            .args(arguments)
            .env("VAULT_CLI", cli)
            .env("VAULT_ADDR", &self.address)
            .env("BAO_ADDR", &self.address)
            .env("VAULT_TOKEN", &self.token)
            .env("BAO_TOKEN", &self.token)
            // What is killed leaves its scratch behind.
            .env("TMPDIR", self.folder.path());
        command
    }

    /// The same, but again and again killed (with all that it began): right before its next write, and right after that write, and so
    /// on, until it has no more to write. `between` is called after each kill; how often it was killed.
    pub fn script_through_kills(&self, path: &Path, arguments: &[&str], mut between: impl FnMut()) -> usize {
        const MOST: usize = 100;
        let cli = self.folder.path().join("killing");
        for kill in 0..MOST {
            let first = if kill % 2 == 0 { "" } else { "\"$SERVER_CLI\" \"$@\"; " };
            let text = format!(
                "#!/bin/sh\ncase $1 in write | delete) {first}kill -KILL 0 ;; *) exec \"$SERVER_CLI\" \"$@\" ;; esac\n"
            );
            fs::write(&cli, text).unwrap();
            fs::set_permissions(&cli, fs::Permissions::from_mode(0o755)).unwrap();
            let mut command = self.running(path, arguments, &cli);
            let output = command.env("SERVER_CLI", binary().unwrap()).process_group(0).output();
            let output = output.unwrap();
            if output.status.signal().is_none() {
                fine(&output);
                return kill;
            }
            between();
        }
        panic!("killed {MOST} times, and not at an end");
    }
}

/// What a command said that must have gone well.
pub fn fine(output: &Output) -> String {
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{text}");
    text
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// OpenBao takes audit devices from its configuration only; for further ones by the API it wants to be asked to.
fn configuration(is_bao: bool, audit_log: &Path) -> String {
    if !is_bao {
        return "disable_mlock = true\n".to_owned();
    }
    format!(
        "unsafe_allow_api_audit_creation = true\naudit \"file\" \"file\" {{\n  options {{\n    file_path = \"{}\"\n  }}\n}}\n",
        audit_log.display()
    )
}

fn random() -> String {
    (0..2)
        .map(|_| format!("{:016x}", RandomState::new().build_hasher().finish()))
        .collect()
}
