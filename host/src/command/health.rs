//! `aegis-mcp health`: whether the server with these settings answers, for the health check of an image that holds no
//! other program. It asks on loopback, at the port that the settings name, and nobody else.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use http::StatusCode;
use tokio::runtime::Builder;

use crate::https;
use crate::settings::Settings;

/// How long the answer may take. Less than the timeout of the image's health check.
const PATIENCE: Duration = Duration::from_secs(4);

/// 0 where `/health` answers 200, else 1 and why.
pub(super) fn run(settings: &Settings) -> ExitCode {
    let address = SocketAddr::new(reachable(settings.mcp_host()), settings.mcp_port());
    match ask(address) {
        Ok(StatusCode::OK) => ExitCode::SUCCESS,
        Ok(status) => unwell(&format!("http://{address}/health answered {status}")),
        Err(why) => unwell(&format!(
            "nothing healthy at http://{address}: {why}; MCP_HOST and MCP_PORT must be those of the server"
        )),
    }
}

fn unwell(text: &str) -> ExitCode {
    super::complain(text);
    ExitCode::FAILURE
}

/// Where a server that listens at an address is reached from this machine.
fn reachable(host: IpAddr) -> IpAddr {
    match host {
        IpAddr::V4(four) if four.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(six) if six.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => host,
    }
}

fn ask(address: SocketAddr) -> Result<StatusCode, String> {
    let url = format!("http://{address}/health");
    let uri = url.parse().map_err(|_| "no address".to_owned())?;
    let client = https::client(&url, PATIENCE, None, None).map_err(|error| error.to_string())?;
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(async {
        match tokio::time::timeout(PATIENCE, client.get(uri)).await {
            Ok(Ok(answer)) => Ok(answer.status()),
            Ok(Err(error)) => Err(https::reason(&error)),
            Err(_) => Err(format!("no answer within {} seconds", PATIENCE.as_secs())),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::reachable;

    #[test]
    fn a_server_on_every_interface_is_asked_on_loopback() {
        for (host, asked) in [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("192.0.2.7", "192.0.2.7")] {
            assert_eq!(reachable(host.parse().unwrap()).to_string(), asked);
        }
    }
}
