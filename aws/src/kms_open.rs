//! Opening tapes through KMS: an auditor's right, which no recording host has and bg-shell never names.

use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use bg_recorder::base64;
use bg_recorder::genesis::{KMS_WRAP_ALG, WrapKey};
use bg_recorder::keys::{KeyError, KeyOpener, Secret, Wrap, WrapContext, ours_of};
use zeroize::Zeroizing;

use crate::edge::Edge;
use crate::kms::{client, odd, refused};

/// Opens epoch keys with kms:Decrypt, each under its own encryption context.
#[derive(Debug)]
pub struct KmsOpener {
    client: Client,
    edge: Edge,
}

impl KmsOpener {
    /// Takes the auditor's way to AWS. Nothing is called yet.
    pub fn new(edge: &Edge) -> Self {
        Self { client: client(edge), edge: edge.clone() }
    }

    async fn decrypt(
        &self,
        key: &str,
        context: &WrapContext,
        wrapped: Vec<u8>,
    ) -> Result<Secret, KeyError> {
        // The key is named: a ciphertext of another one must not open.
        let mut request = self.client.decrypt().key_id(key).ciphertext_blob(Blob::new(wrapped));
        for (pair, value) in context.pairs() {
            request = request.encryption_context(pair, value);
        }
        let opened = match request.send().await {
            Err(e) if e.as_service_error().is_some_and(|e| e.is_invalid_ciphertext_exception()) => {
                return Err(KeyError::DoesNotOpen);
            }
            opened => opened.map_err(|e| refused("kms:Decrypt", &e))?,
        };
        let plain = Zeroizing::new(opened.plaintext.map(Blob::into_inner).unwrap_or_default());
        <[u8; 32]>::try_from(plain.as_slice())
            .map(Secret::new)
            .map_err(|_| odd("a key that has not 32 bytes"))
    }
}

impl KeyOpener for KmsOpener {
    fn open(
        &self,
        context: &WrapContext,
        keys: &[WrapKey],
        wraps: &[Wrap],
    ) -> Result<Secret, KeyError> {
        let wrap = ours_of(keys, wraps, |key| key.alg == KMS_WRAP_ALG)?;
        let wrapped = base64::decode(&wrap.wrapped).ok_or(KeyError::DoesNotOpen)?;
        self.edge.wait(self.decrypt(&wrap.key, context, wrapped))
    }
}
