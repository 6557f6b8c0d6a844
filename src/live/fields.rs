//! Which header fields are whose: those of one connection, and those that only a proxy may say.

/// What only a proxy may say about the client.
#[must_use]
pub fn is_claim(name: &str) -> bool {
    CLAIM_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || CLAIMS.contains(&name)
        || CLIENT_CLAIMS.contains(&name)
}

/// What is said of a client's certificate, which not even a trusted proxy may say where the edge has checked it.
#[must_use]
pub fn is_about_client_certificate(name: &str) -> bool {
    name.starts_with(CLIENT_CERTIFICATE) || CLIENT_CLAIMS.contains(&name)
}

/// Fields of one connection (RFC 9110 §7.6.1, and what old proxies send).
#[must_use]
pub fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection" | "transfer-encoding" | "upgrade" | "te" | "keep-alive" | "proxy-connection" | "http2-settings"
    )
}

/// To a CGI-like shop such a name is the same as with a dash, which a client could not send.
#[must_use]
pub fn has_underscore(name: &str) -> bool {
    name.contains('_')
}

/// What only a proxy may say: whom it speaks for, and which client certificate it has checked.
const CLAIM_PREFIXES: [&str; 5] = ["x-forwarded-", "x-ssl-", "x-client-cert", "ssl-client-", CLIENT_CERTIFICATE];
/// The same, by whole names.
const CLAIMS: [&str; 6] =
    ["forwarded", "x-real-ip", "x-client-ip", "true-client-ip", "x-request-id", "x-cluster-client-ip"];
/// `Client-Cert` and `Client-Cert-Chain` (RFC 9440).
const CLIENT_CERTIFICATE: &str = "client-cert";
/// What the edge says of a client's certificate besides.
const CLIENT_CLAIMS: [&str; 6] = [
    "x-client-verify",
    "x-client-subject",
    "x-client-issuer",
    "x-client-serial",
    "x-client-fingerprint",
    "x-client-not-after",
];
