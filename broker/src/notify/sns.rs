//! An SNS topic.

use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;
use bg_aws::edge::{Edge, Reach};
use bg_aws::fault::{CallError, CallKind};
use bg_recorder::cause::chain;

use super::message::Message;
use super::shape;
use super::undelivered::Undelivered;

/// A topic that can be published to.
#[derive(Debug)]
pub struct Topic {
    arn: String,
    edge: Edge,
    client: Client,
}

impl Topic {
    /// Takes a topic, in the region that its ARN names.
    ///
    /// # Errors
    /// When AWS cannot be called at all.
    pub fn new(arn: &str, aws: &Reach) -> Result<Self, Undelivered> {
        let region =
            arn.split(':').nth(3).filter(|region| !region.is_empty()).map(ToOwned::to_owned);
        let reach = Reach { region, ..Reach::default() };
        let edge = Edge::open(&reach.or(aws)).map_err(|e| Undelivered::Unusable(chain(&e)))?;
        let config = aws_sdk_sns::config::Builder::from(edge.sdk())
            .interceptor(edge.journal())
            .retry_classifier(edge.renewed())
            .build();
        Ok(Self { arn: arn.to_owned(), edge, client: Client::from_conf(config) })
    }

    /// Publishes a message.
    ///
    /// # Errors
    /// When SNS did not take it.
    pub fn deliver(&self, message: &Message) -> Result<(), Undelivered> {
        let event = serde_json::to_value(message.event).ok();
        let event = event.as_ref().and_then(|event| event.as_str()).unwrap_or_default();
        let attribute =
            MessageAttributeValue::builder().data_type("String").string_value(event).build();
        let attribute = attribute.map_err(|e| Undelivered::Unusable(chain(&e)))?;
        let call = self
            .client
            .publish()
            .topic_arn(&self.arn)
            .subject(subject(&message.text()))
            .message(shape::generic(message).to_string())
            .message_attributes("event", attribute)
            .send();
        self.edge.wait(call).map(|_| ()).map_err(|e| {
            let error = CallError::new("sns:Publish", &e);
            match error.kind {
                CallKind::Unreachable | CallKind::NoCredentials | CallKind::Throttled => {
                    Undelivered::Unreachable(error.to_string())
                }
                _ => Undelivered::Refused(400, error.to_string()),
            }
        })
    }
}

/// Returns what SNS takes as a subject: under 100 characters of printable ASCII, a letter or digit first.
fn subject(text: &str) -> String {
    let plain = text.chars().map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' });
    plain.take(SUBJECT_MAX).collect()
}

const SUBJECT_MAX: usize = 99;
