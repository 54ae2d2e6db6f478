//! The table of addresses, and what a name with a bad one does.

use super::*;
use crate::documents::address::{Reach, reach};

const PUBLIC_ONES: &[&str] = &[
    "1.1.1.1",
    "93.184.216.34",
    "100.63.255.255",
    "100.128.0.1",
    "172.15.255.255",
    "172.32.0.1",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.1",
    "223.255.255.255",
    "2606:4700::1111",
    "2a00:1450:4001::200e",
    "64:ff9b::5db8:d822",
    "2002:5db8:d822::1",
    "::ffff:93.184.216.34",
];

const PRIVATE_ONES: &[&str] = &[
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "::1",
    "fc00::1",
    "fd12:3456::1",
    "::ffff:127.0.0.1",
    "::ffff:10.1.2.3",
    "64:ff9b::a00:1",
    "2002:c0a8:101::1",
];

const NEVER: &[&str] = &[
    "0.0.0.0",
    "0.1.2.3",
    "169.254.169.254",
    "192.0.0.8",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::7f00:1",
    "::ffff:169.254.169.254",
    "::ffff:0.0.0.0",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:2::1",
    "2001:10::1",
    "2001:db8::1",
    "2002:a9fe:a9fe::1",
    "2002:e000:1::1",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fe80::1",
    "febf::1",
    "fec0::1",
    "ff02::1",
];

#[test]
fn judges_every_address_by_the_table() {
    let table = [(PUBLIC_ONES, Reach::Public), (PRIVATE_ONES, Reach::Private), (NEVER, Reach::Never)];
    for (addresses, expected) in table {
        for address in addresses {
            assert_eq!(reach(address.parse().unwrap()), expected, "{address}");
        }
    }
}

#[tokio::test]
async fn connects_to_nothing_where_any_address_of_the_name_is_bad() {
    for bad in PRIVATE_ONES.iter().chain(NEVER) {
        let scene = Scene::new().await;
        scene.good("/a");
        *scene.wire.addresses.lock().unwrap() = vec![PUBLIC.parse().unwrap(), bad.parse().unwrap()];
        assert_eq!(scene.failure("/a").await, Failure::ForbiddenAddress, "{bad}");
        assert!(scene.wire.connected.lock().unwrap().is_empty(), "{bad}");
    }
}

#[tokio::test]
async fn an_intranet_may_be_allowed_but_never_the_metadata_address() {
    let rules =
        || Rules { hosts: vec![HOST.to_owned()], allow_private: true, limit: Duration::from_secs(60) };
    let scene = Scene::with(rules()).await;
    scene.good("/a");
    *scene.wire.addresses.lock().unwrap() = vec!["10.1.2.3".parse().unwrap()];
    assert!(scene.fetch("/a").await.is_ok());
    let scene = Scene::with(rules()).await;
    *scene.wire.addresses.lock().unwrap() = vec!["169.254.169.254".parse().unwrap()];
    assert_eq!(scene.failure("/a").await, Failure::ForbiddenAddress);
}

#[tokio::test]
async fn connects_to_the_address_that_was_judged_and_verifies_the_name() {
    let scene = Scene::new().await;
    scene.good("/a");
    assert!(scene.fetch("/a").await.is_ok());
    assert_eq!(*scene.wire.connected.lock().unwrap(), [SocketAddr::new(PUBLIC.parse().unwrap(), 443)]);

    let rules = Rules { hosts: vec![HOST.to_owned()], allow_private: false, limit: Duration::from_secs(60) };
    let scene = Scene::named(rules, &["somebody.else"]).await;
    scene.good("/a");
    assert!(matches!(scene.failure("/a").await, Failure::Tls(_)));
    assert_eq!(scene.requests(), 0);
}

#[tokio::test]
async fn a_name_without_addresses_is_a_failure() {
    let scene = Scene::new().await;
    scene.wire.addresses.lock().unwrap().clear();
    assert!(matches!(scene.failure("/a").await, Failure::Unresolved(_)));
}
