//! `aegis:gateway/gitea`: a request needs an open ticket, and the host says what is sent.

use wasmtime::component::Resource;

use crate::component::bindings::aegis::gateway::gitea::{
    Failure, Head, Host, HostExchange, Media, Method, Request,
};
use crate::egress::{Asked, Exchange};
use crate::instance::State;
use crate::ticket::Ticket;

/// Most bytes of one answer, whatever the guest asks for.
const MAX_ANSWER: u64 = 128 << 20;
/// Most bytes handed to a guest at once.
const MAX_PIECE: u32 = 64 << 10;
/// Longest body sent to Gitea.
const MAX_BODY: usize = 1 << 20;

impl Host for State {
    fn start(
        &mut self,
        ticket: Resource<Ticket>,
        request: Request,
    ) -> wasmtime::Result<Result<Resource<Exchange>, Failure>> {
        let record = self.table.get(&ticket)?.record.clone();
        if !record.is_open() {
            return Ok(Err(Failure::TicketClosed));
        }
        if request.body.as_ref().is_some_and(|body| body.len() > MAX_BODY || request.method == Method::Get) {
            return Ok(Err(Failure::Refused("a body is for changes, and at most 1 MiB".to_owned())));
        }
        let asked = Asked {
            method: method(request.method),
            template: request.template,
            segments: request.segments,
            query: request.query,
            body: request.body,
            accept: match request.accept {
                Media::Json => "application/json",
                Media::Text => "text/plain",
                Media::Archive => "application/gzip",
            },
            max_bytes: request.max_bytes.min(MAX_ANSWER),
        };
        match self.shared.gitea.start(&record, asked, &self.shared) {
            Ok(exchange) => Ok(Ok(self.table.push(exchange)?)),
            Err(refused) => {
                tracing::warn!(event = "gitea_call_refused", request_id = %self.bound.request_id, reason = %refused);
                Ok(Err(Failure::Refused(refused.to_string())))
            }
        }
    }
}

impl HostExchange for State {
    async fn head(&mut self, exchange: Resource<Exchange>) -> wasmtime::Result<Result<Head, Failure>> {
        Ok(self.table.get_mut(&exchange)?.head().await)
    }

    async fn read(
        &mut self,
        exchange: Resource<Exchange>,
        max: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, Failure>> {
        let most = usize::try_from(max.clamp(1, MAX_PIECE)).unwrap_or(1);
        Ok(self.table.get_mut(&exchange)?.read(most).await)
    }

    fn drop(&mut self, exchange: Resource<Exchange>) -> wasmtime::Result<()> {
        self.table.delete(exchange)?;
        Ok(())
    }
}

fn method(method: Method) -> aegis_custody::egress::Method {
    use aegis_custody::egress::Method as Out;
    match method {
        Method::Get => Out::Get,
        Method::Post => Out::Post,
        Method::Patch => Out::Patch,
        Method::Delete => Out::Delete,
    }
}
