//! What the demo tells the operator to try.

use std::fmt;
use std::path::Path;

use super::shop::HOSTS;
use crate::edge::Addresses;

/// The lines that work while the demo runs.
pub(super) struct Guide<'a> {
    /// Where the edge listens.
    pub(super) addresses: &'a Addresses,
    /// The authority's certificate.
    pub(super) root: &'a Path,
    /// The command line's way in.
    pub(super) socket: &'a Path,
}

impl fmt::Display for Guide<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [shop, cafe] = HOSTS;
        let (Some(https), Some(http)) = (self.addresses.https.first(), self.addresses.http.first()) else {
            return Ok(());
        };
        let (admin, root, socket) = (self.addresses.admin, quoted(self.root), quoted(self.socket));
        let (address, https, http) = (https.ip(), https.port(), http.port());
        let curl = |host: &str| format!("curl --cacert {root} --resolve {host}:{https}:{address}");
        let (to_shop, to_cafe) = (curl(shop), curl(cafe));
        write!(
            f,
            "
A sample shop is open behind the edge:

  https://{shop}:{https}/
  https://{cafe}:{https}/

A browser warns, since nobody knows the authority that was made for this run; curl is told to believe it.
In another terminal:

  # what the shop is told about a request
  {to_shop} \\
    https://{shop}:{https}/headers

  # the other shop's certificate, TLS 1.2 and HTTP/1.1
  {to_cafe} \\
    --http1.1 --tls-max 1.2 -v https://{cafe}:{https}/headers

  # 100 MiB, streamed
  {to_shop} \\
    -o /dev/null https://{shop}:{https}/download

  # a WebSocket opens (101) and curl leaves it after 2 s; the page speaks with it
  {to_shop} \\
    --http1.1 -iN -m 2 -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' \\
    -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' https://{shop}:{https}/echo

  # plain HTTP leads to HTTPS
  curl -i --resolve {shop}:{http}:{address} http://{shop}:{http}/

  # metrics, health, and the operator's interface
  curl http://{admin}/metrics
  curl http://{admin}/readyz
  curl --unix-socket {socket} http://localhost/api/v1/certificates

Ctrl-C stops.
"
        )
    }
}

/// A path as a word for the shell (XCU 2.2): what means something to it stands in quotes.
fn quoted(path: &Path) -> String {
    let text = path.to_string_lossy();
    let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b"/._-+,:@%=".contains(&octet);
    match text.bytes().all(is_plain) {
        true => text.into_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_to_the_shell() {
        for (path, word) in [("/tmp/a-1/x.pem", "/tmp/a-1/x.pem"), ("/tmp/it's $1", r"'/tmp/it'\''s $1'")] {
            assert_eq!(quoted(Path::new(path)), word);
        }
    }
}
