//! Which keys peers order certificates for, and which profile.

use std::path::Path;

use super::nginx::beside_certbot;
use super::{left_out, notes, settings};
use crate::live::OrderedKey;
use crate::peers::{Files, Plan, caddy, haproxy};

fn of_caddy(text: &str) -> Plan {
    caddy(Path::new("/etc/caddy/Caddyfile"), Some(Path::new("/nowhere")), &Files::only(text)).expect("a plan")
}

fn of_haproxy(text: &str) -> Plan {
    haproxy(Path::new("/etc/haproxy/haproxy.cfg"), &Files::only(text)).expect("a plan")
}

fn key_types(plan: &Plan) -> Vec<String> {
    settings(plan).into_iter().filter(|line| line.starts_with("acme.")).collect()
}

#[test]
fn caddy_says_one_type_for_all_and_one_profile_for_an_authority() {
    let shop = "shop.example {\n tls {\n issuer acme {\n profile shortlived\n }\n }\n reverse_proxy 10.0.0.1:80\n}\n";
    for (word, types, told) in [
        ("p256", &[][..], &[][..]),
        ("rsa2048", &["acme.key_types = [\"rsa\"]"], &[]),
        (
            "rsa4096",
            &["acme.key_types = [\"rsa\"]"],
            &["2: keys are rsa4096, and those that Vitrine makes are RSA of 2048 bits"],
        ),
        ("p384", &[], &["2: keys are p384, and those that Vitrine makes are ECDSA on P-256"]),
    ] {
        let plan = of_caddy(&format!("{{\n key_type {word}\n}}\n{shop}"));
        assert_eq!(
            (key_types(&plan), notes(&plan)),
            (types.iter().map(|it| (*it).into()).collect(), told.iter().map(|it| (*it).into()).collect()),
            "{word}"
        );
        assert_eq!(plan.authorities[0].profile.as_deref(), Some("shortlived"));
    }
    let own = of_caddy("shop.example {\n tls {\n key_type rsa2048\n }\n reverse_proxy 10.0.0.1:80\n}\n");
    assert_eq!(notes(&own), ["3: the keys of this site are rsa2048, and which are ordered is not carried over"]);
}

#[test]
fn haproxy_says_it_for_each_authority() {
    let section = |name: &str, keys: &str| format!("acme {name}\n  directory https://acme.example/directory\n{keys}");
    let rsa = "  keytype RSA\n  bits 4096\n  reuse-key on\n  profile tlsserver\n";
    let plan = of_haproxy(&section("a", rsa));
    assert_eq!(key_types(&plan), ["acme.reuse_key = true", "acme.key_types = [\"rsa\"]"]);
    assert_eq!(notes(&plan), ["4: keys are RSA of 4096 bits, and those that Vitrine makes are RSA of 2048 bits"]);
    assert_eq!(plan.authorities[0].profile.as_deref(), Some("tlsserver"));
    let both = of_haproxy(&(section("a", "  keytype RSA\n") + &section("b", "  keytype ECDSA\n  curves P-384\n")));
    assert_eq!(key_types(&both), Vec::<String>::new());
    assert!(left_out(&both).contains(&"3: some certificates have RSA keys and some ECDSA, and which site's is not carried over: ECDSA holds for all".into()));
    assert_eq!(notes(&both), ["7: keys are ECDSA on P-384, and those that Vitrine makes are ECDSA on P-256"]);
}

#[test]
fn certbot_says_it_for_each_certificate_wherever_that_serves() {
    let folder = tempfile::tempdir().expect("a folder");
    let renewal = |keys: &str| {
        let plan = beside_certbot(folder.path(), keys);
        let keys: Vec<_> = notes(&plan).into_iter().filter(|note| note.contains("keys are")).collect();
        (plan.sites[0].key_type, plan.authorities[0].profile.clone(), keys)
    };
    let rsa = renewal("key_type = rsa\nrsa_key_size = 4096\npreferred_profile = shortlived\n");
    let told = "4: keys are RSA of 4096 bits, and those that Vitrine makes are RSA of 2048 bits".to_owned();
    assert_eq!(rsa, (Some(OrderedKey::Rsa), Some("shortlived".into()), vec![told]));
    let elliptic = renewal("key_type = ecdsa\nelliptic_curve = secp256r1\nrsa_key_size = 4096\n");
    assert_eq!(elliptic, (None, None, Vec::new()));
}
