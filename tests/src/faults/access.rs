//! Faults of what a genesis says of its approvals (FORMAT.md 5.1).

use bg_recorder::approval::access::Access;
use bg_recorder::approval::statement::{Decision, Statement};
use bg_recorder::approval::{APPROVAL_NAMESPACE, CLAIM_NAMESPACE, REQUEST_NAMESPACE};
use bg_recorder::chain::Digest;
use bg_recorder::genesis::Genesis;
use bg_recorder::stamp::Stamp;
use data_encoding::BASE64;

use super::{Fault, as_it_is, broken, verdict};
use crate::forge::{Bend, WALL_US};
use crate::people::Key;
use crate::plea::{ALICE, BOB, DAVE, ERIN, FRANK, GRACE, Plea, Vote, plead, principal};

pub fn list() -> Vec<Fault> {
    [granted(), requests(), claims(), signatures(), people(), times(), signers(), terms()]
        .into_iter()
        .flatten()
        .collect()
}

fn bent(genesis: fn(&mut Genesis)) -> Bend {
    Bend { genesis, ..as_it_is() }
}

fn good(name: &'static str, what: &'static str, genesis: fn(&mut Genesis)) -> Fault {
    verdict(name, "intact", what, bent(genesis))
}

fn bad(name: &'static str, what: &'static str, genesis: fn(&mut Genesis)) -> Fault {
    broken(name, "genesis", what, bent(genesis))
}

fn granted() -> Vec<Fault> {
    vec![
        good("access_ed25519_rsa", "none: approved with Ed25519 and RSA", |g| plead(g, |_| {})),
        good("access_ecdsa", "none: approved with P-256 and P-384", |g| {
            plead(g, |p| p.votes = vec![Vote::of("dave", DAVE), Vote::of("grace", GRACE)]);
        }),
        good(
            "access_authenticators",
            "none: approved with touched authenticators of both kinds",
            |g| {
                plead(g, |p| p.votes = vec![Vote::of("erin", ERIN), Vote::of("frank", FRANK)]);
            },
        ),
        good(
            "access_user_verified",
            "none: an authenticator that must verify its user, and did",
            |g| {
                plead(g, |p| {
                    p.signers =
                        p.signers.replace("erin@example.com ", "erin@example.com verify-required ");
                    p.votes[0] = Vote::of("erin", Key::SkEd25519(5, 5));
                });
            },
        ),
        good("access_options", "none: options that allow, in any case, with patterns", |g| {
            plead(g, |p| {
                let options = "?ob@*.com,!mallory* Namespaces=\"x,bg-shell-app*\",VALID-AFTER=\"20261123\",\
                    valid-before=\"202611230600Z\" ";
                p.signers = p.signers.replace("bob@example.com ", options);
            });
        }),
        good("access_forced", "none: opened without its approvals, which is noted", |g| {
            plead(g, |p| {
                p.request.forced = true;
                p.votes.clear();
            });
        }),
        good("access_quorum_0", "none: a role without approvals, which is noted", |g| {
            plead(g, |p| {
                p.request.quorum = 0;
                p.votes.clear();
            });
        }),
        good("access_third_approval", "none: more approvals than needed", |g| {
            plead(g, |p| p.votes.push(Vote::of("dave", DAVE)));
        }),
    ]
}

fn requests() -> Vec<Fault> {
    vec![
        bad("access_missing", "a role was opened without access", |g| {
            plead(g, |_| {});
            g.about.remove("access");
        }),
        bad(
            "access_request_byte_changed",
            "a byte of the request was changed after it was signed",
            |g| {
                plead(g, |p| p.access = |a| edit(&mut a.request, "db-3", "db-4"));
            },
        ),
        bad("access_request_unsigned", "the requester's signature is missing", |g| {
            plead(g, |p| p.access = |a| a.request_signature.clear());
        }),
        bad("access_request_signed_by_another", "another person signed the request", |g| {
            plead(g, |p| p.by = BOB)
        }),
        bad(
            "access_request_namespace",
            "the request was signed in the approvals' namespace",
            |g| {
                plead(g, |p| p.namespace = APPROVAL_NAMESPACE);
            },
        ),
        bad(
            "access_request_unknown_member",
            "the request has a member that nobody was shown",
            |g| {
                plead(g, |p| {
                    p.bytes = |bytes| changed(&bytes, "{\"v\":1,", "{\"v\":1,\"also\":1,")
                });
            },
        ),
        bad("access_request_member_doubled", "a member of the request stands twice", |g| {
            plead(g, |p| p.bytes = |bytes| changed(&bytes, "{\"v\":1,", "{\"v\":1,\"v\":1,"));
        }),
        bad("access_request_member_missing", "the request leaves incident out", |g| {
            plead(g, |p| p.bytes = |bytes| changed(&bytes, "\"incident\":\"INC-7\",", ""));
        }),
        bad("access_request_version", "the request is of version 2", |g| {
            plead(g, |p| p.request.v = 2)
        }),
        bad("access_request_without_line_feed", "the request has no LF at its end", |g| {
            plead(g, |p| p.bytes = |bytes| bytes[..bytes.len() - 1].to_vec());
        }),
        bad("access_request_too_long", "the request is over its limit", |g| {
            plead(g, |p| p.bytes = |bytes| changed(&bytes, "db-3", &"x".repeat(8_192)));
        }),
        bad("access_request_expired_when_made", "the request expires before it is made", |g| {
            plead(g, |p| p.request.expires = p.request.created);
        }),
        bad("access_request_made_later", "the request was made after the session began", |g| {
            plead(g, |p| p.request.created = Stamp(WALL_US + 301_000_000));
        }),
        bad("access_request_base64", "the request's base64 is not canonical", |g| {
            plead(g, |p| p.access = |a| a.request.insert(4, '\n'));
        }),
    ]
}

fn claims() -> Vec<Fault> {
    vec![
        bad("access_claim_missing", "nobody signed that they open it", |g| {
            plead(g, |_| {});
            g.about["access"].as_object_mut().unwrap().remove("claim");
        }),
        bad(
            "access_claim_by_another",
            "an approver opens what was approved for the requester",
            |g| {
                plead(g, |p| {
                    p.claim.by = BOB;
                    p.claim.taking.requester = principal("bob");
                });
            },
        ),
        bad("access_claim_signed_by_another", "another person's key signed the claim", |g| {
            plead(g, |p| p.claim.by = BOB);
        }),
        bad(
            "access_claim_names_another",
            "the requester signed the claim in another's name",
            |g| {
                plead(g, |p| p.claim.taking.requester = principal("bob"));
            },
        ),
        bad("access_claim_namespace", "the claim was signed in the requests' namespace", |g| {
            plead(g, |p| p.claim.namespace = REQUEST_NAMESPACE);
        }),
        bad("access_claim_of_another_session", "the claim is for another session", |g| {
            plead(g, |p| {
                p.claim.taking.session = "01a20764-d400-7000-8000-00000000000b".parse().unwrap()
            });
        }),
        bad("access_claim_of_another_id", "the claim names another request", |g| {
            plead(g, |p| {
                p.claim.taking.request = "01a20764-d400-7000-8000-00000000000b".parse().unwrap()
            });
        }),
        bad("access_claim_of_another_request", "the claim is for another request's bytes", |g| {
            plead(g, |p| p.claim.digest = Some(Digest::of(b"another")));
        }),
        bad("access_claim_too_early", "the claim was signed long before the request", |g| {
            plead(g, |p| p.claim.taking.made = Stamp(p.request.created.0 - 300_000_001));
        }),
        bad("access_claim_too_late", "the claim was signed after the session began", |g| {
            plead(g, |p| p.claim.taking.made = Stamp(WALL_US + 301_000_000));
        }),
        bad("access_claim_version", "the claim is of version 2", |g| {
            plead(g, |p| p.claim.taking.v = 2)
        }),
        bad("access_claim_edited", "a byte of the claim was changed after it was signed", |g| {
            plead(g, |p| {
                p.access = |a| edit(&mut a.claim.statement, "\"nonce\":\"08", "\"nonce\":\"07")
            });
        }),
        bad("access_claim_too_long", "the claim is over its limit", |g| {
            plead(g, |p| {
                p.access = |a| {
                    let bytes = BASE64.decode(a.claim.statement.as_bytes()).unwrap();
                    let bytes =
                        changed(&bytes, "{\"v\":1,", &format!("{{\"v\":1,{}", " ".repeat(2_048)));
                    a.claim.statement = BASE64.encode(&bytes);
                    a.claim.signature = ALICE.sign(CLAIM_NAMESPACE, &bytes);
                };
            });
        }),
    ]
}

fn signatures() -> Vec<Fault> {
    vec![
        bad(
            "access_approval_of_another_request",
            "an approval signs another request's bytes",
            |g| {
                plead(g, |p| p.votes[0].digest = Some(Digest::of(b"another")));
            },
        ),
        bad("access_approval_of_another_id", "an approval names another request", |g| {
            plead(g, |p| {
                p.votes[0].statement.request =
                    "01a20764-d400-7000-8000-00000000000b".parse().unwrap();
            });
        }),
        bad(
            "access_approval_namespace",
            "an approval was signed in the requests' namespace",
            |g| {
                plead(g, |p| p.votes[0].namespace = REQUEST_NAMESPACE);
            },
        ),
        bad(
            "access_approval_edited",
            "a byte of a statement was changed after it was signed",
            |g| {
                plead(g, |p| {
                    p.access =
                        |a| edit(&mut a.approvals[0].statement, "\"nonce\":\"09", "\"nonce\":\"08")
                });
            },
        ),
        bad("access_approval_too_long", "a statement is over its limit", |g| {
            plead(g, |p| {
                p.access =
                    |a| resign(a, |text| text.replace(":1,", &format!(":1,{}", " ".repeat(2_048))))
            });
        }),
        bad("access_denial", "a denial stands among the approvals", |g| {
            plead(g, |p| {
                let mut denial = Vote::of("dave", DAVE);
                denial.statement.decision = Decision::Deny;
                p.votes.push(denial);
            });
        }),
        bad("access_untouched_ed25519", "an authenticator signed without touch", |g| {
            plead(g, |p| p.votes[0] = Vote::of("erin", Key::SkEd25519(5, 0)));
        }),
        bad(
            "access_untouched_p256",
            "an authenticator of the other kind signed without touch",
            |g| {
                plead(g, |p| p.votes[0] = Vote::of("frank", Key::SkP256(6, 4)));
            },
        ),
        bad(
            "access_user_not_verified",
            "an authenticator must verify its user, and did not",
            |g| {
                plead(g, |p| {
                    p.signers =
                        p.signers.replace("erin@example.com ", "erin@example.com verify-required ");
                    p.votes[0] = Vote::of("erin", ERIN);
                });
            },
        ),
        bad(
            "access_signature_flags_edited",
            "the flags were set after the authenticator signed",
            |g| {
                plead(g, |p| {
                    p.votes[0] = Vote::of("erin", Key::SkEd25519(5, 0));
                    p.access = |a| {
                        reblob(a, |blob| {
                            let flags = blob.len() - 5;
                            blob[flags] = 1;
                        })
                    };
                });
            },
        ),
        bad("access_signature_version", "an SSHSIG of version 0", |g| {
            plead(g, |p| p.access = |a| reblob(a, |blob| blob[9] = 0));
        }),
        bad("access_signature_trailing_byte", "a byte behind an SSHSIG", |g| {
            plead(g, |p| p.access = |a| reblob(a, |blob| blob.push(0)));
        }),
        bad("access_signature_reserved", "an SSHSIG whose reserved part is not empty", |g| {
            plead(g, |p| {
                p.access = |a| {
                    reblob(a, |blob| {
                        let at = find(blob, b"bg-shell-approval@v1") + 20;
                        blob.splice(at..at + 4, [0, 0, 0, 1, b'x']);
                    })
                };
            });
        }),
        bad(
            "access_signature_sha1",
            "an RSA signature that calls itself ssh-rsa, which is SHA-1",
            |g| {
                plead(g, |p| {
                    p.access = |a| {
                        let armor = &mut a.approvals[1].signature;
                        rewrite(armor, |blob| {
                            let at = find(blob, b"rsa-sha2-512");
                            blob.splice(at - 4..at + 12, [&[0, 0, 0, 7], &b"ssh-rsa"[..]].concat());
                            let at = at - 8;
                            let len = (blob.len() - at - 4) as u32;
                            blob.splice(at..at + 4, len.to_be_bytes());
                        });
                    };
                });
            },
        ),
        bad("access_signature_armor", "text before an armored signature", |g| {
            plead(g, |p| p.access = |a| a.approvals[0].signature.insert(0, '\n'));
        }),
        bad("access_signature_too_long", "an armored signature over its limit", |g| {
            plead(g, |p| {
                p.access = |a| {
                    let end = a.approvals[0].signature.find("\n-----END").unwrap();
                    a.approvals[0].signature.insert_str(end, &"\n".repeat(4_096));
                }
            });
        }),
    ]
}

fn people() -> Vec<Fault> {
    vec![
        bad(
            "access_one_person_three_keys",
            "one person approves three times, with three keys",
            |g| {
                plead(g, |p| {
                    for key in [Key::Ed25519(21), Key::Ed25519(22)] {
                        p.signers += &format!("bob@example.com {}\n", key.line());
                    }
                    p.votes = [BOB, Key::Ed25519(21), Key::Ed25519(22)]
                        .map(|key| Vote::of("bob", key))
                        .into();
                });
            },
        ),
        bad("access_one_key_two_names", "one key approves under two names", |g| {
            plead(g, |p| {
                p.signers += &format!("robert@example.com {}\n", BOB.line());
                p.votes[1] = Vote::of("robert", BOB);
            });
        }),
        bad(
            "access_two_names_one_person",
            "a key of one approver also stands under the other's name",
            |g| {
                plead(g, |p| {
                    p.signers += &format!("carol@example.com {}\n", BOB.line());
                });
            },
        ),
        bad("access_self_approval", "the requester approves", |g| {
            plead(g, |p| p.votes[0] = Vote::of("alice", ALICE));
        }),
        bad(
            "access_self_approval_with_another_key",
            "the requester approves with another key",
            |g| {
                plead(g, |p| {
                    p.signers += &format!("alice@example.com {}\n", Key::Ed25519(21).line());
                    p.votes[0] = Vote::of("alice", Key::Ed25519(21));
                });
            },
        ),
        bad(
            "access_self_approval_under_another_name",
            "the requester's key approves under another name",
            |g| {
                plead(g, |p| {
                    p.signers += &format!("alicia@example.com {}\n", ALICE.line());
                    p.votes[0] = Vote::of("alicia", ALICE);
                });
            },
        ),
        bad("access_everybody", "an approval by a key that stands under every name", |g| {
            plead(g, |p| {
                p.signers += &format!("*@example.com {}\n", Key::Ed25519(21).line());
                p.votes[0] = Vote::of("dave", Key::Ed25519(21));
            });
        }),
        bad("access_quorum_short", "one approval where two are needed", |g| {
            plead(g, |p| drop(p.votes.pop()))
        }),
        bad("access_unknown_signer", "an approver whose key is not in allowed_signers", |g| {
            plead(g, |p| p.votes[0] = Vote::of("bob", Key::Ed25519(99)));
        }),
        bad(
            "access_another_name",
            "an approver who signs with a key of their own in another's name",
            |g| {
                plead(g, |p| p.votes[0] = Vote::of("dave", BOB));
            },
        ),
        bad("access_principal", "an approver whose name is no principal", |g| {
            plead(g, |p| p.access = |a| resign(a, |text| text.replace("bob@", "../bob@")));
        }),
        bad("access_too_many_approvals", "seventeen approvals", |g| {
            plead(g, |p| {
                for n in 30..45 {
                    let name = format!("helper{n}");
                    p.signers += &format!("{name}@example.com {}\n", Key::Ed25519(n).line());
                    p.votes.push(Vote::of(&name, Key::Ed25519(n)));
                }
            });
        }),
    ]
}

fn times() -> Vec<Fault> {
    vec![
        bad("access_approval_expired", "an approval had expired when the session began", |g| {
            plead(g, |p| p.votes[0].statement.expires = Stamp(WALL_US));
        }),
        bad("access_approval_too_early", "an approval from long before the request", |g| {
            plead(g, |p| p.votes[0].statement.made = Stamp(p.request.created.0 - 300_000_001));
        }),
        bad("access_approval_too_late", "an approval after the request had expired", |g| {
            plead(g, |p| {
                p.request.expires = Stamp(p.votes[1].statement.made.0 - 1);
                p.votes[0].statement.made = p.request.expires;
            });
        }),
        bad("access_approval_after_the_start", "an approval made after the session began", |g| {
            plead(g, |p| p.votes[0].statement.made = Stamp(WALL_US + 300_000_001));
        }),
        good("access_used_at_the_last_moment", "none: used as late as can be", |g| {
            plead(g, |p| early(p, 290))
        }),
        bad("access_used_too_late", "the approved request had expired when it was used", |g| {
            plead(g, |p| early(p, 289));
        }),
        bad(
            "access_third_approval_extends_nothing",
            "the time to use it runs from a superfluous approval",
            |g| {
                plead(g, |p| {
                    early(p, 289);
                    p.votes.push(Vote::of("dave", DAVE));
                });
            },
        ),
        bad(
            "access_quorum_0_used_too_late",
            "a request without approvals had expired when it was used",
            |g| {
                plead(g, |p| {
                    p.request.quorum = 0;
                    p.request.execution_s = 299;
                    p.votes.clear();
                });
            },
        ),
        bad("access_forced_too_late", "a forced request had expired when it was used", |g| {
            plead(g, |p| {
                p.request.forced = true;
                p.request.expires = Stamp(WALL_US - 300_000_001);
                p.votes.clear();
            });
        }),
    ]
}

fn signers() -> Vec<Fault> {
    vec![
        bad("access_signer_expired", "the approver's line was not valid any more", |g| {
            plead(g, |p| option(&mut p.signers, "valid-before=\"20261123055459Z\""));
        }),
        bad("access_signer_not_valid_yet", "the approver's line was not valid yet", |g| {
            plead(g, |p| option(&mut p.signers, "valid-after=\"20261123055501\""));
        }),
        bad("access_signer_namespace", "the approver's line is for another namespace", |g| {
            plead(g, |p| option(&mut p.signers, "namespaces=\"file,git\""));
        }),
        bad("access_signer_authority", "the approver's line is a certificate authority's", |g| {
            plead(g, |p| option(&mut p.signers, "cert-authority"));
        }),
        bad("access_signer_refused", "the approver is refused by a pattern", |g| {
            plead(g, |p| {
                p.signers = p.signers.replace("bob@example.com ", "*@example.com,!bob@* ")
            });
        }),
        bad(
            "access_signers_unknown_option",
            "an option that this page does not have, on another's line",
            |g| {
                plead(g, |p| {
                    p.signers +=
                        &format!("zoe@example.com touch=\"yes\" {}\n", Key::Ed25519(30).line())
                });
            },
        ),
        bad(
            "access_signers_unquoted",
            "an option's value without quotes, on another's line",
            |g| {
                plead(g, |p| {
                    p.signers +=
                        &format!("zoe@example.com namespaces=x {}\n", Key::Ed25519(30).line())
                });
            },
        ),
        bad("access_signers_time", "a thirteenth month, on another's line", |g| {
            plead(g, |p| {
                p.signers += &format!(
                    "zoe@example.com valid-after=\"20261301\" {}\n",
                    Key::Ed25519(30).line()
                );
            });
        }),
        bad("access_signers_times_swapped", "valid-before is not later than valid-after", |g| {
            plead(g, |p| {
                let times = "valid-after=\"20260101\",valid-before=\"20260101\"";
                p.signers += &format!("zoe@example.com {times} {}\n", Key::Ed25519(30).line());
            });
        }),
        bad("access_signers_key", "a key that is not of its type, on another's line", |g| {
            plead(g, |p| p.signers += "zoe@example.com ssh-ed25519 AAAA\n");
        }),
        bad("access_signers_too_large", "an allowed_signers text over its limit", |g| {
            plead(g, |p| p.signers += &"#\n".repeat(32_768));
        }),
        good(
            "access_signers_other_keys",
            "none: keys of types that cannot sign here are passed over",
            |g| {
                plead(
                    g,
                    |p| p.signers += "zoe@example.com ssh-dss AAAA\r\nzoe@example.com cert-authority ssh-foo AAAA x",
                );
            },
        ),
    ]
}

fn terms() -> Vec<Fault> {
    vec![
        bad("access_version", "an access of version 2", |g| plead(g, |p| p.access = |a| a.v = 2)),
        bad("access_role", "the session's role is not the request's", |g| {
            plead(g, |_| {});
            g.about.insert("role".into(), "prod-root".into());
        }),
        bad("access_role_arn", "the access names another IAM role than the request", |g| {
            plead(g, |p| p.access = |a| a.role_arn.push('2'));
        }),
        bad("access_quorum_lowered", "the access needs fewer approvals than the request", |g| {
            plead(g, |p| p.access = |a| a.quorum = 1);
        }),
        bad("access_forced_by_nobody", "forced, though the request does not ask for it", |g| {
            plead(g, |p| p.access = |a| a.forced = true);
        }),
        bad("access_forced_with_a_bad_approval", "forced, and one approval is none", |g| {
            plead(g, |p| {
                p.request.forced = true;
                p.votes[0].by = DAVE;
            });
        }),
        bad("access_longer_than_approved", "the session may last longer than was approved", |g| {
            plead(g, |_| {});
            g.about.insert("max_duration_s".into(), 3_601.into());
        }),
        bad("access_approvals_missing", "the access has no member approvals", |g| {
            plead(g, |_| {});
            g.about["access"].as_object_mut().unwrap().remove("approvals");
        }),
    ]
}

/// Has both approvals made 590 seconds before the session.
fn early(plea: &mut Plea, execution_s: u64) {
    plea.request.execution_s = execution_s;
    for vote in &mut plea.votes {
        vote.statement.made = Stamp(WALL_US - 590_000_000);
    }
}

/// Gives Bob's line an option.
fn option(signers: &mut String, option: &str) {
    *signers = signers.replace("bob@example.com ", &format!("bob@example.com {option} "));
}

fn changed(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    String::from_utf8(bytes.to_vec()).unwrap().replacen(from, to, 1).into_bytes()
}

/// Changes bytes behind the back of whoever signed them.
fn edit(encoded: &mut String, from: &str, to: &str) {
    *encoded = BASE64.encode(&changed(&BASE64.decode(encoded.as_bytes()).unwrap(), from, to));
}

/// Changes Bob's statement before he signs it.
fn resign(access: &mut Access, change: fn(String) -> String) {
    let bytes = BASE64.decode(access.approvals[0].statement.as_bytes()).unwrap();
    assert_eq!(Statement::parse(&bytes).unwrap().approver, principal("bob"));
    let bytes = change(String::from_utf8(bytes).unwrap()).into_bytes();
    access.approvals[0].statement = BASE64.encode(&bytes);
    access.approvals[0].signature = BOB.sign(APPROVAL_NAMESPACE, &bytes);
}

/// Changes what is in the armor of the first approval's signature.
fn reblob(access: &mut Access, change: fn(&mut Vec<u8>)) {
    rewrite(&mut access.approvals[0].signature, change);
}

fn rewrite(armor: &mut String, change: fn(&mut Vec<u8>)) {
    let lines: Vec<&str> = armor.lines().collect();
    let mut blob = BASE64.decode(lines[1..lines.len() - 1].concat().as_bytes()).unwrap();
    change(&mut blob);
    *armor = format!("{}\n{}\n{}\n", lines[0], BASE64.encode(&blob), lines[lines.len() - 1]);
}

fn find(blob: &[u8], part: &[u8]) -> usize {
    blob.windows(part.len()).position(|window| window == part).unwrap()
}
