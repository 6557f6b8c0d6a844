//! Every metric: its name, what it means, its labels, once.

/// One metric with all its series.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) kind: Kind,
    pub(super) labels: &'static [&'static str],
}

/// How Prometheus treats a metric.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

macro_rules! catalogue {
    ($(#[$of_all:meta])* $($constant:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)+) => {
        $(pub(super) const $constant: Family =
            Family { name: $name, help: $help, kind: Kind::$kind, labels: &[$($label),*] };)+

        /// All of them, in the order of this page.
        $(#[$of_all])*
        pub(super) const ALL: &[&Family] = &[$(&$constant),+];
    };
}

pub(super) use catalogue;

// The names and labels of x509-certificate-exporter, which dashboards and alerts of others already know.
catalogue! {
    CERT_NOT_AFTER = Gauge "x509_cert_not_after"
        ["subject_CN", "issuer_CN", "issuer_O", "serial_number", "filepath", "filename", "embedded_key"]
        "End of the certificate's validity, seconds since the Unix epoch.";
    CERT_NOT_BEFORE = Gauge "x509_cert_not_before"
        ["subject_CN", "issuer_CN", "issuer_O", "serial_number", "filepath", "filename", "embedded_key"]
        "Start of the certificate's validity, seconds since the Unix epoch.";
    CERT_EXPIRED = Gauge "x509_cert_expired"
        ["subject_CN", "issuer_CN", "issuer_O", "serial_number", "filepath", "filename", "embedded_key"]
        "1 if the certificate is expired, 0 otherwise.";
    CERT_ERROR = Gauge "x509_cert_error" ["filepath", "filename"]
        "1 for a file that was rejected; files that are in order have no series.";
    SOURCE_UP = Gauge "x509_source_up" ["source_kind", "source_name"]
        "1 if the folder's first scan has ended and the folder can be read, 0 otherwise.";
    SOURCE_ERRORS = Counter "x509_source_errors_total" ["source_kind", "source_name", "reason"]
        "Files of the source that were rejected and scans that failed, by reason.";

    SITE_NOT_AFTER = Gauge "vitrine_site_certificate_not_after_seconds" ["site", "source", "key_type"]
        "Earliest end of validity among the certificates that serve the site's hosts, seconds since the Unix epoch.";
    SITE_NOT_BEFORE = Gauge "vitrine_site_certificate_not_before_seconds" ["site", "source", "key_type"]
        "Start of validity of the certificate that ends first among those that serve the site's hosts, seconds since the Unix epoch.";
    SITE_LAST_GOOD = Gauge "vitrine_site_serves_last_good" ["site"]
        "1 while the site is served a certificate whose files are not good any more, as the last good one, 0 otherwise.";
    SITE_ORDER_FAILURES = Gauge "vitrine_site_order_failures" ["site"]
        "Orders in a row that came to nothing, of a managed site.";
    SITE_RENEWAL = Gauge "vitrine_site_certificate_renewal_seconds" ["site"]
        "When the certificate of a managed site is to be renewed, seconds since the Unix epoch; in the past while it is overdue.";
    ACME_ORDERS = Counter "vitrine_acme_orders_total" ["issuer", "result", "reason"]
        "Orders for certificates that have ended, by issuer, result and what they failed for.";
    ON_DEMAND_QUESTIONS = Counter "vitrine_on_demand_questions_total" ["answer"]
        "Questions about names that nobody serves, and before further orders of sites on demand, by answer; limited: not asked, because there were too many.";
    OBJECT_NOT_AFTER = Gauge "vitrine_object_not_after_seconds" ["type", "site"]
        "End of an object that the site shows and that is no certificate of a server, seconds since the Unix epoch.";
    SITES = Gauge "vitrine_sites" ["state"]
        "Configured sites, by where in its life each is: configure, in progress, completed, renewing.";
    SITE_UNCOVERED = Gauge "vitrine_site_hosts_without_certificate" ["site"]
        "Hosts of the site for which no certificate is there.";
    CERTIFICATE_LOADS = Counter "vitrine_certificate_loads_total" ["result"]
        "Certificates that were judged, by result.";
    CERTIFICATES_SERVED = Gauge "vitrine_certificates_served" []
        "Certificates that are published to the workers.";
    CERTIFICATES_REJECTED = Gauge "vitrine_certificates_rejected" []
        "Files that are rejected now.";
    CERTIFICATES_WAITING = Gauge "vitrine_certificates_waiting" []
        "Files that wait for their counterpart now.";
    SCAN_AGE = Gauge "vitrine_drop_folder_scan_age_seconds" []
        "Time since the drop folder was last looked at, which is once a minute though nothing changes.";
    CERTIFICATE_ALARMS = Gauge "vitrine_certificate_alarms" ["code"]
        "1 while a condition of the certificates asks for the operator, 0 otherwise.";
    SERVED_MISMATCH = Gauge "vitrine_served_certificate_mismatch" ["site"]
        "1 while a host of the site is served another certificate than the published one, 0 otherwise.";
    WELL_KNOWN_SERVED = Gauge "vitrine_well_known_served" ["site"]
        "1 if the site shows what it should below /.well-known/, as asked for from outside, 0 otherwise; only sites that have something to show.";
    TRUTH_AGE = Gauge "vitrine_truth_check_age_seconds" []
        "Time since the check of what is really served of the site for which it is longest ago.";
    TRUTH_CHECKS = Counter "vitrine_truth_checks_total" ["result"]
        "Handshakes with the edge's own listeners, by what came of comparing the certificate with the published one.";
    WELL_KNOWN = Gauge "vitrine_well_known_objects" []
        "Objects served under /.well-known/.";

    CONFIG_SUCCESSFUL = Gauge "vitrine_config_last_reload_successful" []
        "1 if the configuration as it is written now was accepted, 0 if it was refused and the one before stays in force.";
    FROZEN = Gauge "vitrine_frozen" []
        "1 while the operator has all stand still that changes, with vitrine freeze.";
    CONFIG_REJECTED = Gauge "vitrine_config_rejected" []
        "Mistakes for which parts of included configuration files are left out now.";
    CONFIG_RELOADS = Counter "vitrine_config_reloads_total" ["result"]
        "Times that a changed configuration was read, by result.";

    CONNECTIONS_ACCEPTED = Counter "vitrine_connections_accepted_total" []
        "Connections accepted from clients.";
    CONNECTIONS_OPEN = Gauge "vitrine_connections_open" ["protocol"]
        "Client connections open now, by what is spoken on them.";
    CONNECTIONS_SHED = Counter "vitrine_connections_shed_total" ["reason"]
        "Client connections that a limit ended.";
    ACCEPT_ERRORS = Counter "vitrine_accept_errors_total" ["reason"]
        "Times that accepting a connection paused or failed.";
    HANDSHAKES = Counter "vitrine_handshakes_total" ["version", "kind", "result"]
        "TLS handshakes; version and kind are none for those that did not end well.";
    REQUESTS = Counter "vitrine_requests_total" ["protocol", "code"]
        "Responses to clients by protocol and status code.";
    REQUEST_DURATION = Histogram "vitrine_request_duration_seconds" []
        "From the request's head to the last octet of the response.";
    REQUESTS_REFUSED = Counter "vitrine_requests_refused_total" ["rule"]
        "Requests that the strict gate refused, by rule.";
    LOCAL_ANSWERS = Counter "vitrine_local_answers_total" ["reason"]
        "Requests that the edge answered itself, other than by the gate.";
    BODY_BYTES = Counter "vitrine_body_bytes_total" ["direction"]
        "Octets of request bodies (received) and response bodies (sent) that were passed on.";
    SITE_REQUESTS = Counter "vitrine_site_requests_total" ["site", "class"]
        "Responses of a configured site by class of status code.";

    UPSTREAM_CONNECTS = Counter "vitrine_upstream_connects_total" []
        "Connections made to upstreams.";
    UPSTREAM_REUSES = Counter "vitrine_upstream_reuses_total" []
        "Requests sent over an upstream connection that was used before.";
    UPSTREAM_OPEN = Gauge "vitrine_upstream_connections_open" []
        "Upstream connections open now.";
    UPSTREAM_FAILURES = Counter "vitrine_upstream_failures_total" ["reason"]
        "Failures of upstreams.";
    UPSTREAM_READY = Gauge "vitrine_upstream_ready" ["upstream"]
        "1 for an upstream that requests go to; 0 while it is left alone, down, or taken out.";
    UPSTREAM_RESOLVE_FAILURES = Counter "vitrine_upstream_resolve_failures_total" ["upstream"]
        "Times that the name of an upstream was looked for and not found.";
    UPSTREAM_EJECTIONS = Counter "vitrine_upstream_ejections_total" []
        "Times that an upstream was left alone because it kept failing.";
    UPSTREAM_RETRIES = Counter "vitrine_upstream_retries_total" []
        "Requests that were sent again, to another upstream.";
    UPSTREAM_QUEUE = Gauge "vitrine_upstream_queue" []
        "Requests that wait now, as all of their upstreams have as many as they may.";

    AUDIT_UNWRITTEN = Gauge "vitrine_audit_unwritten" []
        "1 while orders cannot be added to the audit trail, 0 otherwise.";
    NOTICES = Counter "vitrine_notices_total" ["channel", "result"]
        "Attempts to tell somebody something: told, put_off, refused, or given_up after a month.";
    NOTICES_WAITING = Gauge "vitrine_notices_waiting" ["channel"]
        "Notices that wait to be told.";
    NOTICES_OLDEST = Gauge "vitrine_notices_oldest_seconds" ["channel"]
        "For how long the oldest of them has waited; 0 when none does.";
    HANDED_IN = Gauge "vitrine_handed_in_waiting" []
        "What was handed in by one-time links and waits for a yes or a no.";
    HANDED_IN_OLDEST = Gauge "vitrine_handed_in_oldest_seconds" []
        "For how long the oldest of it has waited; 0 when nothing does.";
    ELSEWHERE = Gauge "vitrine_elsewhere_urls" ["state"]
        "URLs that others serve and that are watched, by what they are like.";
    ELSEWHERE_END = Gauge "vitrine_elsewhere_not_after_seconds" []
        "The first end of their certificates, seconds since the Unix epoch; not there while none was seen.";
    ACCESS_LOG_DROPPED = Counter "vitrine_access_log_dropped_total" ["reason"]
        "Access records that were not written: the queue was full, or writing failed.";
    LOG_DROPPED = Counter "vitrine_log_lines_dropped_total" []
        "Log lines that were not written: nobody took them in time.";
    BUILD_INFO = Gauge "vitrine_build_info" ["version"]
        "1, with the version that runs.";

    PROCESS_CPU = Counter "process_cpu_seconds_total" []
        "Processor time used, user and system.";
    PROCESS_OPEN_FDS = Gauge "process_open_fds" []
        "File descriptors open.";
    PROCESS_MAX_FDS = Gauge "process_max_fds" []
        "File descriptors allowed.";
    PROCESS_RESIDENT = Gauge "process_resident_memory_bytes" []
        "Memory resident.";
    PROCESS_VIRTUAL = Gauge "process_virtual_memory_bytes" []
        "Memory mapped.";
    PROCESS_START = Gauge "process_start_time_seconds" []
        "Start of the process, seconds since the Unix epoch.";
}
