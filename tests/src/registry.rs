//! A registry to log in at, to push to and to pull from.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::eventually;

/// The password of `user`. No other text contains it by accident.
pub const SECRET: &str = "correct-horse-battery";

/// `user` and [`SECRET`] in an `htpasswd` file; bcrypt is the only hash that the registry takes.
const HTPASSWD: &str = "user:$2y$05$abcdefghijklmnopqrstuuSnF5tLPqPFqc0z9CY0HcSLFbSRlL67u\n";

/// Debian's docker-registry on a free loopback port. It ends with the value.
#[derive(Debug)]
pub struct Registry {
    process: Child,
    /// Where it listens: `127.0.0.1:<port>`.
    pub host: String,
}

/// Makes a certificate authority and a certificate for 127.0.0.1 in `directory`.
fn certificates(directory: &Path) {
    let openssl = |arguments: &[&str]| {
        let output = Command::new("openssl")
            .args(arguments)
            .current_dir(directory)
            .output()
            .expect("openssl is needed by this test");
        assert!(output.status.success(), "openssl {arguments:?}: {output:?}");
    };
    let key = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ];
    let ca = [
        "req",
        "-x509",
        "-days",
        "2",
        "-subj",
        "/CN=test authority",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
    ];
    openssl(&[&ca[..], &key[..]].concat());
    let request = [
        "req",
        "-subj",
        "/CN=127.0.0.1",
        "-keyout",
        "server.key",
        "-out",
        "server.csr",
    ];
    openssl(&[&request[..], &key[..]].concat());
    fs::write(directory.join("names"), "subjectAltName=IP:127.0.0.1\n").expect("the names");
    openssl(&[
        "x509",
        "-req",
        "-days",
        "2",
        "-in",
        "server.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-extfile",
        "names",
        "-out",
        "server.pem",
    ]);
}

impl Registry {
    /// One with TLS and passwords: `user` has [`SECRET`], and `registry/ca.pem` below `home` is the certificate to trust.
    pub fn secured(home: &Path) -> Self {
        let directory = home.join("registry");
        fs::create_dir(&directory).expect("a directory");
        certificates(&directory);
        fs::write(directory.join("htpasswd"), HTPASSWD).expect("the password file");
        let more = format!(
            "  tls:\n    certificate: {0}/server.pem\n    key: {0}/server.key\n\
             auth:\n  htpasswd:\n    realm: test\n    path: {0}/htpasswd\n",
            directory.display()
        );
        Self::start(&directory, &more)
    }

    /// One that anybody may use, without TLS.
    pub fn open(home: &Path) -> Self {
        let directory = home.join("open-registry");
        fs::create_dir(&directory).expect("a directory");
        Self::start(&directory, "")
    }

    /// `more` goes behind the address in the configuration.
    fn start(directory: &Path, more: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|socket| socket.local_addr())
            .expect("a port")
            .port();
        let text = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}/data\n\
             http:\n  addr: 127.0.0.1:{port}\n{more}",
            directory.display()
        );
        fs::write(directory.join("config.yml"), text).expect("the registry's configuration");
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(directory.join("config.yml"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry");
        let registry = Self {
            process,
            host: format!("127.0.0.1:{port}"),
        };
        eventually(Duration::from_secs(20), "the registry", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        registry
    }

    /// The reference of an image there.
    pub fn reference(&self, name: &str) -> String {
        format!("{}/{name}", self.host)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
