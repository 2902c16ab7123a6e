//! How the packages that talk to object storage use HTTP: no redirect is followed, every request ends, and a list that came
//! only in part is asked for again.

use object_store::client::{
    ClientConfigKey, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService,
};
use object_store::{ClientOptions, Error};
use std::pin::Pin;
use std::time::Duration;

/// Until a connection stands, where nothing else is said.
const CONNECT: Duration = Duration::from_secs(5);

/// Until all of an answer is there. Of an object no more is asked for at once than comes within it.
const ANSWER: Duration = Duration::from_secs(30);

/// Gives the packages our client.
#[derive(Debug)]
pub struct Connector;

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let is_set = |key| options.get_config_value(&key).is_some_and(|value| value == "true");
        let time = |key, usual: Duration| {
            let given = options.get_config_value(&key);
            let given = given.and_then(|text| text.parse::<jiff::SignedDuration>().ok());
            given.and_then(|time| Duration::try_from(time).ok()).unwrap_or(usual)
        };
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("vault-advisor/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(time(ClientConfigKey::ConnectTimeout, CONNECT))
            .timeout(time(ClientConfigKey::Timeout, ANSWER))
            .https_only(!is_set(ClientConfigKey::AllowHttp));
        let wrong = |error: reqwest::Error| Error::Generic {
            store: "HTTP",
            source: Box::new(error.without_url()),
        };
        if let Some(proxy) = options.get_config_value(&ClientConfigKey::ProxyUrl) {
            builder = builder.proxy(reqwest::Proxy::all(proxy).map_err(wrong)?);
        }
        Ok(HttpClient::new(Client(builder.build().map_err(wrong)?)))
    }
}

#[derive(Debug)]
struct Client(reqwest::Client);

/// What the trait of the package makes of `async fn`.
type Answer<'a> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'a>>;

impl HttpService for Client {
    fn call<'a, 'b>(&'a self, request: HttpRequest) -> Answer<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let query = request.uri().query().unwrap_or_default();
            let is_list = ["list-type=2", "comp=list"].iter().any(|mark| query.contains(mark));
            let answer = self.0.call(request).await?;
            if !is_list || !answer.status().is_success() {
                return Ok(answer);
            }
            // The packages take what came of a list, and do not ask again.
            let (parts, body) = answer.into_parts();
            let body = body
                .bytes()
                .await
                .map_err(|error| HttpError::new(HttpErrorKind::Interrupted, error))?;
            is_whole(&body).map_err(|wrong| HttpError::new(HttpErrorKind::Interrupted, wrong))?;
            Ok(HttpResponse::from_parts(parts, HttpResponseBody::from(body.to_vec())))
        })
    }
}

/// What came is not the whole of a list, or of a page of it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum NoList {
    #[error("the answer is no list of objects, or cut off")]
    Other,
    #[error("the list of objects is cut off: it says that there is more, and not where")]
    GoesOnNowhere,
}

fn is_whole(list: &[u8]) -> Result<(), NoList> {
    let has = |mark: &str| memchr::memmem::find(list, mark.as_bytes()).is_some();
    let ends = ["</ListBucketResult>", "</EnumerationResults>"];
    if !ends.iter().any(|end| list.trim_ascii_end().ends_with(end.as_bytes())) {
        Err(NoList::Other)
    } else if has("<IsTruncated>true</IsTruncated>") && !has("<NextContinuationToken>") {
        Err(NoList::GoesOnNowhere)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_whole_if_it_ends_and_says_where_it_goes_on() {
        let list = |inner: &str| is_whole(format!("<ListBucketResult>{inner}</ListBucketResult>\n").as_bytes());
        assert_eq!(list("<IsTruncated>false</IsTruncated>"), Ok(()));
        assert_eq!(
            is_whole(b"<EnumerationResults><NextMarker/></EnumerationResults>"),
            Ok(())
        );
        let more = "<IsTruncated>true</IsTruncated>";
        assert_eq!(
            list(&format!("{more}<NextContinuationToken>x</NextContinuationToken>")),
            Ok(())
        );
        assert_eq!(list(more), Err(NoList::GoesOnNowhere));
        assert_eq!(is_whole(b"<ListBucketResult><Contents>"), Err(NoList::Other));
        assert_eq!(is_whole(b"<html></html>"), Err(NoList::Other));
    }
}
