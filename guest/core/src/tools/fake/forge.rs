//! The Gitea of the test world.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use serde_json::{Value, json};

use crate::ports::{Exchange, Failure, Head, Method, Request};

/// Status, headers and body, or that there is no answer.
type Given = Result<(u16, Vec<(String, String)>, Vec<u8>), Failure>;

/// What is answered to one request line.
#[derive(Clone)]
pub(crate) struct Route {
    path: String,
    query: Vec<(String, String)>,
    answer: Given,
    /// How often it answers still; any number of times if none.
    left: Option<Rc<Cell<u32>>>,
    /// What comes where the body should end.
    breaks: Option<Failure>,
}

impl Route {
    pub(crate) fn new(line: &str, status: u16, body: Value) -> Self {
        let (path, query) = line.split_once('?').unwrap_or((line, ""));
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        Self {
            path: path.to_owned(),
            query: pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            answer: Ok((status, Vec::new(), body.to_string().into_bytes())),
            left: None,
            breaks: None,
        }
    }

    /// An answer without a body.
    pub(crate) fn empty(line: &str, status: u16) -> Self {
        Self { answer: Ok((status, Vec::new(), Vec::new())), ..Self::new(line, status, Value::Null) }
    }

    /// The first request gets this, later ones what follows.
    pub(crate) fn once(mut self) -> Self {
        self.left = Some(Rc::new(Cell::new(1)));
        self
    }

    /// An answer that is not JSON.
    pub(crate) fn bytes(line: &str, content_type: &str, body: &[u8]) -> Self {
        let answer = Ok((200, vec![("content-type".to_owned(), content_type.to_owned())], body.to_vec()));
        Self { answer, ..Self::new(line, 200, Value::Null) }
    }

    pub(crate) fn failing(line: &str, failure: Failure) -> Self {
        Self { answer: Err(failure), ..Self::new(line, 0, Value::Null) }
    }

    /// The same, but the connection is lost where the body should end.
    pub(crate) fn broken(self) -> Self {
        self.failing_at_the_end(Failure::Broken("the connection was lost".to_owned()))
    }

    /// The same, but this comes where the body should end.
    pub(crate) fn failing_at_the_end(self, failure: Failure) -> Self {
        Self { breaks: Some(failure), ..self }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        if let Ok((_, headers, _)) = &mut self.answer {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Whether its path holds this.
    pub(crate) fn is_for(&self, part: &str) -> bool {
        self.path.contains(part)
    }

    fn fits(&self, request: &Request) -> bool {
        let asked = |(name, value): &(String, String)| {
            request.query.iter().any(|(key, given)| key == name && given == value)
        };
        let left = self.left.as_ref().is_none_or(|left| left.get() > 0);
        left && self.path == path(request) && self.query.iter().all(asked)
    }

    fn given(&self) -> Given {
        if let Some(left) = &self.left {
            left.set(left.get().saturating_sub(1));
        }
        self.answer.clone()
    }
}

/// `GET /repos/acme/site?page=1&limit=30`, not encoded.
pub(crate) fn line(request: &Request) -> String {
    let query: Vec<String> = request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{}{mark}{}", path(request), query.join("&"))
}

fn path(request: &Request) -> String {
    let mut values = request.segments.iter();
    let segments = request.template.split('/').map(|segment| {
        if segment.starts_with('{') {
            let value =
                values.next().unwrap_or_else(|| panic!("no value for {segment} of {}", request.template));
            // A placeholder may carry an ending: `{sha}.diff`.
            format!("{value}{}", segment.split_once('}').map_or("", |(_, ending)| ending))
        } else {
            segment.to_owned()
        }
    });
    let path = segments.collect::<Vec<_>>().join("/");
    assert!(values.next().is_none(), "too many values for {}", request.template);
    let method = match request.method {
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
    };
    format!("{method} {path}")
}

/// The first route that fits answers; unknown ones are 404.
pub(super) fn exchange(routes: &[Route], request: &Request) -> Box<dyn Exchange> {
    let route = routes.iter().find(|route| route.fits(request));
    let answer = route.map_or_else(
        || Ok((404, Vec::new(), json!({ "message": "not found" }).to_string().into_bytes())),
        Route::given,
    );
    let breaks = route.and_then(|route| route.breaks.clone());
    let most = usize::try_from(request.max_bytes).unwrap_or(usize::MAX);
    Box::new(Answering { answer: RefCell::new(answer), most, breaks })
}

struct Answering {
    answer: RefCell<Given>,
    most: usize,
    breaks: Option<Failure>,
}

impl Exchange for Answering {
    fn head(&self) -> Result<Head, Failure> {
        let (status, headers, _) = self.answer.borrow().clone()?;
        Ok(Head { status, headers })
    }

    fn read(&self, max: u32) -> Result<Vec<u8>, Failure> {
        let mut answer = self.answer.borrow_mut();
        let (_, _, body) = answer.as_mut().map_err(|failure| failure.clone())?;
        if body.len() > self.most {
            return Err(Failure::TooLarge);
        }
        if let Some(failure) = self.breaks.clone().filter(|_| body.is_empty()) {
            return Err(failure);
        }
        let piece = body.len().min(usize::try_from(max).unwrap_or(usize::MAX)).min(1000);
        Ok(body.drain(..piece).collect())
    }
}
