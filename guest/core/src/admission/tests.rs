//! Who is counted where.

use http::HeaderValue;

use super::{Part, Refused, admit, guess, stranger, visitor};
use crate::mcp::fake::{GOOD, World};
use crate::ports::{Bucket, Refusal};
use crate::settings::Config;

const BAD: &str = "Bearer bad";

fn world(address: u32, principal: u32, failures: u32) -> (World, Config) {
    let world = World::new();
    world.set("RATE_LIMIT_PER_MINUTE", &address.to_string());
    world.set("TOKEN_RATE_LIMIT_PER_MINUTE", &principal.to_string());
    world.set("MAX_AUTH_FAILURES", &failures.to_string());
    world.set("AUTH_FAILURE_WINDOW", "600");
    let config = Config::load(&world).unwrap();
    (world, config)
}

fn knock(world: &World, config: &Config, presented: Option<&str>) -> Result<String, Refused> {
    let value = presented.map(|text| HeaderValue::from_str(text).unwrap());
    admit(&world.ports(), config, value.as_ref()).map(|caller| caller.claims().subject)
}

#[test]
fn counts_a_good_credential_against_its_principal_alone() {
    let (world, config) = world(1, 2, 1);
    assert_eq!(knock(&world, &config, Some(GOOD)), Ok("laptop".to_owned()));
    assert_eq!(knock(&world, &config, Some(GOOD)), Ok("laptop".to_owned()));
    assert_eq!(knock(&world, &config, Some(GOOD)), Err(Refused::RateLimited(30)));
    assert_eq!(world.counted(Bucket::Address), 0);
    assert_eq!(world.counted(Bucket::AuthenticationFailures), 0);
}

#[test]
fn lets_a_good_credential_in_while_its_address_is_locked_out() {
    let (world, config) = world(1, 9, 1);
    for _ in 0..5 {
        assert!(knock(&world, &config, Some(BAD)).is_err());
    }
    assert_eq!(knock(&world, &config, Some(GOOD)), Ok("laptop".to_owned()));
}

#[test]
fn answers_a_missing_credential_until_the_address_is_used_up_and_counts_no_failure() {
    let (world, config) = world(2, 9, 1);
    assert_eq!(knock(&world, &config, None), Err(Refused::MissingCredential));
    assert_eq!(knock(&world, &config, None), Err(Refused::MissingCredential));
    assert_eq!(knock(&world, &config, None), Err(Refused::RateLimited(30)));
    assert_eq!(world.counted(Bucket::AuthenticationFailures), 0);
}

#[test]
fn stops_guessing_after_as_many_failures_as_are_allowed() {
    let (world, config) = world(50, 9, 3);
    for _ in 0..3 {
        assert_eq!(knock(&world, &config, Some(BAD)), Err(Refused::UnknownCredential));
    }
    assert_eq!(knock(&world, &config, Some(BAD)), Err(Refused::TooManyFailures(300)));
    assert_eq!(world.counted(Bucket::Address), 4, "guesses count against the address too");
}

#[test]
fn names_each_way_a_credential_is_not_accepted() {
    for (refusal, refused, failures, address) in [
        (Refusal::Malformed, Refused::MalformedCredential, 1, 1),
        (Refusal::Unknown, Refused::UnknownCredential, 1, 1),
        (Refusal::Expired, Refused::ExpiredCredential, 0, 0),
        (Refusal::Unavailable, Refused::IdentityUnavailable, 0, 1),
        (Refusal::TooManyConcurrent, Refused::TooManyConcurrent, 0, 0),
    ] {
        let (world, config) = world(9, 9, 9);
        world.refusal.set(refusal);
        assert_eq!(knock(&world, &config, Some(BAD)), Err(refused));
        assert_eq!(world.counted(Bucket::AuthenticationFailures), failures, "{refusal:?}");
        assert_eq!(world.counted(Bucket::Address), address, "{refusal:?}");
        assert_eq!(world.counted(Bucket::Principal), 0, "{refusal:?}");
    }
}

#[test]
fn refuses_a_header_that_is_not_text_without_asking_the_host() {
    let (world, config) = world(9, 9, 9);
    world.open_door.set(true);
    let value = HeaderValue::from_bytes(b"Bearer \xFF").unwrap();
    let refused = admit(&world.ports(), &config, Some(&value)).err();
    assert_eq!(refused, Some(Refused::MalformedCredential));
}

#[test]
fn takes_the_hosts_word_for_nobody_where_authentication_is_off() {
    let (world, config) = world(9, 1, 9);
    world.open_door.set(true);
    assert_eq!(knock(&world, &config, None), Ok("laptop".to_owned()));
    assert_eq!(
        knock(&world, &config, None),
        Err(Refused::RateLimited(30)),
        "the principal's limit still holds"
    );
}

#[test]
fn counts_strangers_by_address() {
    let (world, config) = world(1, 9, 9);
    assert_eq!(stranger(&world.ports(), &config), Ok(()));
    assert_eq!(stranger(&world.ports(), &config), Err(Refused::RateLimited(30)));
}

#[test]
fn counts_each_part_of_signing_in_by_itself() {
    let (world, mut config) = world(1, 1, 1);
    config.register_rate_limit_per_minute = 1;
    config.login_rate_limit_per_minute = 2;
    config.token_endpoint_rate_limit_per_minute = 3;
    for (part, bucket, limit) in [
        (Part::Registration, Bucket::Registration, 1),
        (Part::Metadata, Bucket::Metadata, 2),
        (Part::Authorization, Bucket::Authorization, 2),
        (Part::Token, Bucket::Token, 3),
    ] {
        for _ in 0..limit {
            assert_eq!(visitor(&world.ports(), &config, part), Ok(()), "{part:?}");
        }
        assert_eq!(visitor(&world.ports(), &config, part), Err(Refused::RateLimited(30)), "{part:?}");
        assert_eq!(world.counted(bucket), limit + 1);
    }
    assert_eq!(world.counted(Bucket::Address), 0);
    for _ in 0..4 {
        assert_eq!(guess(&world.ports(), &config), Ok(()));
    }
    assert_eq!(guess(&world.ports(), &config), Err(Refused::TooManyFailures(300)));
    assert_eq!(world.counted(Bucket::AuthenticationFailures), 0);
}
