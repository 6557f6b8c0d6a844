//! The closed sets that label values come from. A label never holds what a peer sent.

/// A closed set of label values.
pub trait Label: Copy + 'static {
    /// Every value, in order of [`Label::index`].
    const ALL: &'static [Self];
    /// Its place in [`Label::ALL`].
    fn index(self) -> usize;
    /// What the metric and the log call it.
    fn label(self) -> &'static str;
}

macro_rules! closed_set {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $label:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$value_doc])* $value,)+ }

        impl Label for $name {
            const ALL: &'static [Self] = &[$(Self::$value,)+];
            fn index(self) -> usize {
                self as usize
            }
            fn label(self) -> &'static str {
                match self { $(Self::$value => $label,)+ }
            }
        }
    };
}

closed_set! {
    /// What is spoken on a connection.
    Protocol {
        /// TLS is being agreed on.
        Handshake = "handshake",
        /// HTTP/1.1 (or 1.0) over TLS.
        Http1 = "http/1.1",
        /// HTTP/2 over TLS.
        Http2 = "http/2",
        /// HTTP/1.1 without TLS.
        Plain = "plain",
        /// A WebSocket's octets; over HTTP/2 each stream that carries them, beside its connection.
        Tunnel = "tunnel",
    }
}

closed_set! {
    /// How a finished handshake came about.
    HandshakeKind {
        /// TLS 1.2 with a key exchange.
        Full12 = "1.2 full",
        /// TLS 1.2 from a ticket.
        Resumed12 = "1.2 resumed",
        /// TLS 1.3 with a key exchange.
        Full13 = "1.3 full",
        /// TLS 1.3 with a key exchange that took a second hello.
        Retried13 = "1.3 full_with_retry",
        /// TLS 1.3 from a ticket.
        Resumed13 = "1.3 resumed",
    }
}

impl HandshakeKind {
    /// The labels `version` and `kind`.
    #[must_use]
    pub fn version_and_kind(self) -> (&'static str, &'static str) {
        self.label().split_once(' ').unwrap_or(("", ""))
    }
}

closed_set! {
    /// Why a handshake did not end in a connection.
    HandshakeFailure {
        /// The deadline passed.
        Timeout = "timeout",
        /// The peer went away.
        Closed = "closed",
        /// The peer named a host nobody serves.
        UnknownName = "unknown_name",
        /// The peer named no host.
        NoName = "no_name",
        /// The peer asks for an ACME challenge that is not pending.
        NoChallenge = "no_challenge",
        /// No protocol version, suite, signature or application protocol in common.
        Incompatible = "incompatible",
        /// The peer refused our certificate or broke off with an alert.
        PeerAlert = "peer_alert",
        /// The site asks for a certificate of the client, which has shown none.
        NoClientCertificate = "no_client_certificate",
        /// The client's certificate is expired, revoked, or of nobody whom the site trusts.
        ClientCertificate = "client_certificate",
        /// What came is no TLS.
        NotTls = "not_tls",
        /// Ours failed.
        Internal = "internal",
    }
}

closed_set! {
    /// The rule of the strict gate that refused a request.
    GateRule {
        /// Transfer-Encoding other than one `chunked`, beside Content-Length, or in HTTP/1.0.
        TransferEncoding = "transfer_encoding",
        /// Content-Length more than once or no number.
        ContentLength = "content_length",
        /// Host missing, more than once, or malformed.
        Host = "host",
        /// The target's authority is not the Host.
        AuthorityMismatch = "authority_mismatch",
        /// The target has a form or an octet that is not allowed.
        Target = "target",
        /// The target is too long.
        TargetLength = "target_length",
        /// CONNECT, TRACE or an overlong method.
        Method = "method",
        /// Too many fields, or too many octets of them.
        Fields = "fields",
        /// A body together with Upgrade, or a length or an end where a WebSocket is to begin.
        UpgradeBody = "upgrade_body",
        /// CONNECT for another protocol than WebSocket.
        Protocol = "protocol",
        /// Expect with anything but 100-continue.
        Expect = "expect",
        /// The body is larger than allowed.
        BodySize = "body_size",
        /// No HTTP/1 request could be read from it.
        Malformed = "malformed",
    }
}

closed_set! {
    /// Why the edge answered a request itself, other than by the gate.
    LocalAnswer {
        /// 421: the name is not covered by the connection's certificate.
        Misdirected = "misdirected",
        /// 404: no site has that name.
        UnknownHost = "unknown_host",
        /// 404: the site has no route for that path.
        NoRoute = "no_route",
        /// 200: a well-known object.
        WellKnown = "well_known",
        /// 405: a well-known object takes GET and HEAD only.
        WellKnownMethod = "well_known_method",
        /// 308: to HTTPS.
        Redirect = "redirect",
        /// 301, 302, 307 or 308: a redirect of the site.
        Moved = "moved",
        /// 403: the site is not open to the client's network.
        Denied = "denied",
        /// 429: the client's network asks the site too often.
        RateLimited = "rate_limited",
        /// 429: the client's network has as many requests under way at the site as it may.
        Crowded = "crowded",
        /// 503: the site, or each of its upstreams, is being worked on.
        Maintenance = "maintenance",
        /// 408: a head or a body did not come.
        ClientTimeout = "client_timeout",
        /// 400: the client's body broke off or is malformed.
        ClientBody = "client_body",
        /// 502: no upstream could be connected to.
        UpstreamUnreachable = "upstream_unreachable",
        /// 502: the upstream closed or answered malformed.
        UpstreamBroken = "upstream_broken",
        /// 504: the upstream did not answer in time.
        UpstreamTimeout = "upstream_timeout",
        /// 503: the upstreams have as many requests as they may, and as many wait as may.
        UpstreamQueueFull = "upstream_queue_full",
        /// 503: the upstreams have as many requests as they may, and no place became free in time.
        UpstreamQueueTimeout = "upstream_queue_timeout",
        /// 503: every permitted connection to an upstream is in use.
        UpstreamLimit = "upstream_limit",
        /// 503: the edge is out of file descriptors.
        Descriptors = "descriptors",
        /// 503: the edge has as much memory in use as it may.
        Memory = "memory",
    }
}

closed_set! {
    /// How using an upstream failed.
    UpstreamFailure {
        /// No connection: refused, or unreachable.
        Connect = "connect",
        /// No connection: its name leads nowhere, as far as was found out since the start.
        Resolve = "resolve",
        /// No connection within the time allowed.
        ConnectTimeout = "connect_timeout",
        /// No TLS: it speaks none, or nothing that both know, or refuses.
        TlsHandshake = "tls_handshake",
        /// Its certificate is for another name.
        CertificateName = "certificate_name",
        /// Its certificate is of no authority that is trusted.
        CertificateIssuer = "certificate_issuer",
        /// Its certificate has expired, or is not valid yet.
        CertificateExpired = "certificate_expired",
        /// Its certificate cannot be believed for another reason.
        Certificate = "certificate",
        /// It does not speak HTTP/2.
        NoHttp2 = "no_http2",
        /// It is a listener of the edge itself.
        OwnListener = "own_listener",
        /// Closed or reset before a response head.
        Closed = "closed",
        /// The response is malformed.
        Malformed = "malformed",
        /// A 101 nobody asked for.
        UnaskedUpgrade = "unasked_upgrade",
        /// It takes no WebSocket, over HTTP/2, or says yes to one without switching to it.
        NoWebSocket = "no_websocket",
        /// No response head within the time allowed.
        ResponseTimeout = "response_timeout",
        /// The response body broke off.
        BodyBroken = "body_broken",
        /// The response body stood still.
        BodyTimeout = "body_timeout",
    }
}

closed_set! {
    /// What came of a handshake by which the edge checks what it serves.
    TruthResult {
        /// What is published is shown, or nothing is published and the name is refused.
        Match = "match",
        /// Another certificate is shown.
        Mismatch = "mismatch",
        /// An alert, where a certificate is published.
        Refused = "refused",
        /// Nobody is there, hangs up, or says nothing in time.
        NoAnswer = "no_answer",
        /// What answers speaks no TLS, or has not the key of the certificate that it shows.
        Invalid = "invalid",
    }
}

impl UpstreamFailure {
    /// Whether there was no connection that a request could have been sent over.
    #[must_use]
    pub const fn is_before_any_request(self) -> bool {
        matches!(
            self,
            Self::Connect
                | Self::Resolve
                | Self::ConnectTimeout
                | Self::TlsHandshake
                | Self::CertificateName
                | Self::CertificateIssuer
                | Self::CertificateExpired
                | Self::Certificate
                | Self::NoHttp2
                | Self::OwnListener
        )
    }
}

impl TruthResult {
    /// Whether it says what is served and what is not.
    #[must_use]
    pub const fn compares(self) -> bool {
        matches!(self, Self::Match | Self::Mismatch)
    }
}

closed_set! {
    /// Why an accepted connection ended without the peer's wish.
    Shed {
        /// The client address has its share of connections.
        PerClient = "per_client",
        /// The operator turns the client's network away.
        Denied = "denied",
        /// The edge has as much memory in use as it may.
        Memory = "memory",
        /// A reader that did not read.
        WriteStall = "write_stall",
        /// A client that gives up its streams faster than they can be answered.
        StreamFlood = "stream_flood",
        /// A balancer did not say in the PROXY protocol whom it speaks for.
        ProxyHeader = "proxy_header",
        /// The drain deadline passed, or a second signal came.
        Drain = "drain",
    }
}

closed_set! {
    /// Why accepting paused or failed.
    AcceptTrouble {
        /// Every permitted connection is open.
        Full = "connection_limit",
        /// Out of file descriptors.
        Descriptors = "descriptors",
        /// Out of memory or buffers.
        Memory = "memory",
        /// The peer was gone before it was accepted.
        Peer = "peer",
        /// Anything else.
        Other = "other",
    }
}

closed_set! {
    /// The class of a status code.
    StatusClass {
        /// 100 to 199.
        Informational = "1xx",
        /// 200 to 299.
        Success = "2xx",
        /// 300 to 399.
        Redirection = "3xx",
        /// 400 to 499.
        ClientError = "4xx",
        /// 500 to 599.
        ServerError = "5xx",
    }
}

impl StatusClass {
    /// The class of `code`.
    #[must_use]
    pub const fn of(code: u16) -> Self {
        match code / 100 {
            1 => Self::Informational,
            2 => Self::Success,
            3 => Self::Redirection,
            4 => Self::ClientError,
            _ => Self::ServerError,
        }
    }
}
