//! `[mail]`, `[notices]` and `[[notices.contact]]`.

use std::os::unix::fs::PermissionsExt;

use super::super::*;
use super::{good, wrong};
use crate::mail_address::{MailAddress, Mailbox};
use crate::outbound::MailDoor;
use crate::words::Language;

#[test]
fn a_mail_server_has_the_port_that_goes_with_its_security() {
    let read = |text: &str| {
        let mail = good(&format!("[mail]\nfrom = \"Edge <edge@shop.example>\"\n{text}")).config.mail.expect("a server");
        (mail.host, mail.port, mail.security)
    };
    for (text, host, port, security) in [
        ("server = \"Mail.Shop.example\"", "mail.shop.example", 465, MailDoor::Tls),
        ("server = \"mail.shop.example\"\nsecurity = \"starttls\"", "mail.shop.example", 587, MailDoor::StartTls),
        ("server = \"localhost\"\nsecurity = \"none\"", "localhost", 25, MailDoor::Plain),
        ("server = \"[::1]:2525\"\nsecurity = \"none\"", "::1", 2525, MailDoor::Plain),
        ("server = \"10.0.0.25:465\"", "10.0.0.25", 465, MailDoor::Tls),
    ] {
        assert_eq!(read(text), (host.to_owned(), port, security), "{text}");
    }
    let text =
        "[mail]\nserver = \"a.example\"\nfrom = \"Edge <edge@shop.example>\"\nuser = \"u\"\npassword_file = \"p\"";
    let mail = good(text).config.mail.expect("a server");
    let from = Mailbox { name: Some("Edge".into()), address: MailAddress::parse("edge@shop.example").expect("one") };
    assert_eq!((mail.user, mail.from), (Some(("u".into(), "p".into())), from));
    assert_eq!(good("").config.mail, None);
}

#[test]
fn contacts_are_read_with_what_they_are_told_and_how() {
    let text = "[admin]\npublic_url = \"https://edge.shop.example/\"\n[notices]\nlanguage = \"de\"\n\
        webhook_networks = [\"10.0.0.0/8\"]\n\
        [[notices.contact]]\nname = \"ops\"\nmail = \"ops@shop.example\"\nevents = [\"expired\"]\n\
        [[notices.contact]]\nname = \"chat\"\nwebhook_file = \"chat.url\"\nformat = \"slack\"\nsite = \"shop\"\nlanguage = \"en\"";
    let config = good(text).config;
    assert_eq!(config.admin.public_url.as_deref(), Some("https://edge.shop.example"));
    let ops = ContactConfig {
        name: "ops".into(),
        site: None,
        organisation: None,
        way: ContactWay::Mail(MailAddress::parse("ops@shop.example").expect("one")),
        language: None,
        events: Some(vec!["expired".into()]),
    };
    let way = ContactWay::Webhook { file: "chat.url".into(), is_slack: true, secret_file: None };
    let (language, site) = (Some(Language::En), Some("shop".into()));
    let chat = ContactConfig { name: "chat".into(), site, way, language, events: None, ..ops.clone() };
    let networks = vec!["10.0.0.0/8".parse().expect("a network")];
    let expected = NoticesConfig { language: Language::De, webhook_networks: networks, contacts: vec![ops, chat] };
    assert_eq!(config.notices, expected);
}

#[test]
fn what_tells_nobody_is_told_with_the_mend() {
    let from = "from = \"edge@shop.example\"";
    let contact = "[[notices.contact]]\nname = \"a\"\nmail = \"a@shop.example\"\n";
    for (text, said) in [
        (
            "[mail]".to_owned(),
            "v.toml:1: mail.server: is needed: the mail server, such as \"mail.shop.example\"\n\
             v.toml:1: mail.from: is needed: the address that mails come from",
        ),
        (
            format!("[mail]\nserver = \"a.example:0\"\n{from}"),
            "v.toml:2: mail.server: expected a mail server such as \"mail.shop.example\" or \"mail.shop.example:465\", found \"a.example:0\"",
        ),
        (
            format!("[mail]\nserver = \"192.0.2.1\"\nsecurity = \"none\"\n{from}"),
            "v.toml:2: mail.security: expected \"tls\" or \"starttls\" for another machine than this one",
        ),
        (
            format!("[mail]\nserver = \"a.example\"\nuser = \"u\"\n{from}"),
            "v.toml:1: mail.password_file: is needed beside user",
        ),
        (
            "[mail]\nserver = \"a.example\"\nfrom = \"edge\"".into(),
            "v.toml:3: mail.from: expected an address such as \"Vitrine <edge@shop.example>\", found \"edge\"",
        ),
        (
            "[admin]\npublic_url = \"edge.example\"".into(),
            "v.toml:2: admin.public_url: expected an address such as \"https://edge.shop.example\", found \"edge.example\"",
        ),
        ("[notices]\nlanguage = \"fr\"".into(), "v.toml:2: notices.language: expected \"en\" or \"de\", found \"fr\""),
        (
            "[[notices.contact]]\nname = \"a\"".into(),
            "v.toml:1: notices.contact.mail: expected either mail or webhook_file: somebody is told in one way; for two, write two contacts",
        ),
        (
            format!("{contact}{contact}"),
            "v.toml:5: notices.contact.name: \"a\" is the name of the contact on line 2 already",
        ),
        (
            format!("{contact}site = \"s\"\norganisation = \"o\""),
            "v.toml:1: notices.contact.organisation: expected a site or an organisation, found both; write two contacts",
        ),
    ] {
        assert_eq!(wrong(&text), said, "{text}");
    }
}

#[test]
fn a_secret_that_others_can_read_is_none() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o640)).expect("set");
    let path = file.path().display();
    for (text, key) in [
        (
            format!("[mail]\nserver = \"a.example\"\nfrom = \"e@a.example\"\nuser = \"u\"\npassword_file = \"{path}\""),
            "v.toml:5: mail.password_file",
        ),
        (
            format!("[[notices.contact]]\nname = \"a\"\nwebhook_file = \"{path}\""),
            "v.toml:3: notices.contact.webhook_file",
        ),
    ] {
        let said = wrong(&text);
        assert_eq!(said, format!("{key}: {path}: may be read or written by others than its owner; chmod 0600"));
    }
}
