//! What an authority asks to be shown: at its own host and path, in front of whatever the site does, and nowhere else.

use crate::orders::issued;
use crate::support::acme::{FakeAcme, Fault, Resource};
use crate::support::command::{done, vitrine};
use crate::support::{Edge, Http2, Origin, Setup, Talk, eventually};

/// Two sites whose orders are open, each with a token of its own, and the first with everything that a site can put in the way.
fn with_open_orders(origin: &Origin, authority_of: &FakeAcme) -> Edge {
    let mut setup = Setup::new();
    authority_of.used_by(&mut setup, "fake", "");
    setup.set("acme", "challenges = [\"http-01\"]");
    let url = origin.url();
    setup.raw_site(&format!(
        "[[site]]\nhosts = [\"shop.example\"]\nupstreams = [\"{url}\"]\ncertificate = \"managed\"\n\
         deny = [\"0.0.0.0/0\"]\nrate_limit = {{ rate = \"1/h\", burst = 1 }}\ncompression = {{ min_size = \"1B\" }}\n\
         maintenance = {{ on = true }}\n\
         [[site.redirect]]\npath = \"/\"\nto = \"https://elsewhere.example\"\n\
         [[site.route]]\npath = \"/.well-known/acme-challenge\"\nupstreams = [\"{url}\"]\n\
         [[site]]\nhosts = [\"other.example\"]\nupstreams = [\"{url}\"]\ncertificate = \"managed\"\n"
    ));
    let folder = setup.certs().join("well-known/shop.example/acme-challenge");
    std::fs::create_dir_all(&folder).expect("a folder");
    for token in ["token-0-0", "token-1-0"] {
        std::fs::write(folder.join(token), "forged").expect("written");
    }
    let edge = setup.start();
    for host in ["shop.example", "other.example"] {
        issued(&edge, host);
    }
    // From now on it says nothing of what it saw.
    let before = authority_of.asked(Resource::Challenge);
    authority_of.fault(Resource::Challenge, 100, Fault::Silence);
    for host in ["shop.example", "other.example"] {
        done(vitrine(&edge, &format!("sites renew {host}")));
    }
    authority_of.await_asked(Resource::Challenge, before + 2);
    edge
}

/// The path at which a host shows its own token, and that of the other.
fn paths(authority: &FakeAcme, host: &str) -> (String, String) {
    let orders = authority.orders();
    let path = |is_own: bool| {
        let last = orders.iter().rposition(|order| (order.names == [host]) == is_own).expect("an order");
        format!("/.well-known/acme-challenge/token-{last}-0")
    };
    (path(true), path(false))
}

#[test]
fn a_token_is_shown_at_its_host_whatever_stands_in_the_way_and_no_other_is() {
    let (origin, fake) = (Origin::saying("the shop"), FakeAcme::start());
    let edge = with_open_orders(&origin, &fake);
    let mut plain = Talk::plain(edge.http());
    for host in ["shop.example", "other.example"] {
        let (own, other) = paths(&fake, host);
        let token = own.rsplit('/').next().expect("a token").to_owned();
        // With every spelling of the host, and with a query, which no authority sends.
        for (spelt, target) in [
            (host.to_owned(), own.clone()),
            (host.to_uppercase(), own.clone()),
            (format!("{host}."), own.clone()),
            (format!("{host}:80"), own.clone()),
            (host.to_owned(), format!("{own}?x=1")),
            (host.to_owned(), format!("http://{host}{own}")),
        ] {
            let request = format!("GET {target} HTTP/1.1\r\nhost: {spelt}\r\naccept-encoding: gzip, br\r\n\r\n");
            let shown = plain.ask(&request);
            assert_eq!(shown.status, 200, "{request}");
            assert!(shown.text().starts_with(&format!("{token}.")), "{request}: {}", shown.text());
            assert_eq!(shown.field("content-encoding"), None, "{request}");
            assert_eq!(shown.field("content-type"), Some("text/plain; charset=utf-8"));
        }
        let posted = plain.ask(format!("POST {own} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\n\r\n"));
        assert_eq!((posted.status, posted.field("allow")), (405, Some("GET, HEAD")));

        for target in [
            other.clone(),
            format!("{own}x"),
            format!("{own}/"),
            format!("{own}."),
            format!("{own}%00"),
            format!("{own};x"),
            own[..own.len() - 1].to_owned(),
            own.to_uppercase(),
            own.replace("token", "%74oken"),
            own.replace("acme-challenge", "acme%2dchallenge"),
            own.replace("acme-challenge/", "acme-challenge//"),
            own.replace("acme-challenge/", "acme-challenge/./"),
            own.replace("acme-challenge/", "acme-challenge/x/../"),
            own.replace("acme-challenge/", "acme-challenge%2f"),
            own.replace("/.well-known", "//.well-known"),
            own.replace("/.well-known", "/x/../.well-known"),
            "/.well-known/acme-challenge/".to_owned(),
            "/.well-known/acme-challenge".to_owned(),
        ] {
            let answer = plain.get(host, &target);
            // As anything else over plain HTTP.
            let location = format!("https://{host}:{}{target}", edge.https.port());
            assert_eq!((answer.status, answer.field("location")), (308, Some(location.as_str())), "{target}");
        }
    }
    for host in ["unknown.example", "127.0.0.1", "localhost"] {
        assert_eq!(plain.get(host, &paths(&fake, "shop.example").0).status, 404, "{host}");
    }
    assert_eq!(origin.requests(), [], "no shop is asked over plain HTTP");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_https_it_is_the_same_and_the_rest_is_the_sites() {
    let (origin, fake) = (Origin::saying("the shop"), FakeAcme::start());
    let edge = tokio::task::block_in_place(|| with_open_orders(&origin, &fake));
    for host in ["shop.example", "other.example"] {
        let mut client = Http2::open(edge.https, host).await;
        let (own, other) = paths(&fake, host);
        let (status, shown) = client.get(host, &own).await;
        assert_eq!(status, 200);
        assert!(shown.starts_with(own.rsplit('/').next().expect("a token").as_bytes()), "{shown:?}");
        // What is no token of this host's is for the site to answer: by its redirect, or by its shop.
        let beyond = if host == "shop.example" { 308 } else { 200 };
        for target in [other, format!("{own}x"), format!("{own}/"), own.to_uppercase()] {
            let (status, said) = client.get(host, &target).await;
            assert_eq!(status, beyond, "{host}{target}");
            assert!(status == 308 || said == "the shop", "{host}{target}: {said:?}");
        }
    }
    assert_eq!(origin.requests().len(), 4);
}

/// The file that Apple asks for has two names, and no others.
#[test]
fn no_other_spelling_of_apples_file_is_one() {
    let origin = Origin::saying("the shop");
    let setup = Setup::shop(&origin);
    let folder = setup.certs().join("well-known/shop.example");
    std::fs::create_dir_all(&folder).expect("a folder");
    let name = "apple-developer-merchantid-domain-association";
    std::fs::write(folder.join(name), "7B227073").expect("written");
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    eventually("the file", || {
        (client.get("shop.example", &format!("/.well-known/{name}")).text() == "7B227073").then_some(())
    });
    for spelt in [
        format!("{name}/"),
        format!("{name}.txt.txt"),
        format!("{name}.TXT"),
        format!("{name}.json"),
        format!("{name}%2etxt"),
        format!("{name};x"),
        name.to_uppercase(),
        name.replace('a', "%61"),
        format!("./{name}"),
        format!("x/../{name}"),
        format!("%2e/{name}"),
        format!("/{name}"),
    ] {
        let answer = client.get("shop.example", &format!("/.well-known/{spelt}"));
        assert_eq!(answer.text(), "the shop", "{spelt}");
    }
}
