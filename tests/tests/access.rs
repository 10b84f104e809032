//! An access from the responder's side: the second factor, credentials that are just there, and what AWS is told.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use bg_recorder::practice::Practice;
use serde_json::{Value, json};

use crate::support::driver::{Driver, find};
use crate::support::hook::{Hook, Manner};
use crate::support::sandbox::{Sandbox, Site};
use crate::support::tape::Tape;
use crate::support::wait::until;
use crate::support::wire::{Fault, Request, Wire};
use crate::support::world::{below, stderr};

/// A site whose evidence is in a directory, with one role that needs no approvals.
struct Scene {
    site: Site,
    place: PathBuf,
}

impl Scene {
    /// Makes one. `mfa` is TOML; `{secrets}` in it is a directory with the TOTP secret of whoever opens.
    fn new(mfa: &str) -> Self {
        let site = Sandbox::shared().site();
        let place = site.world.home().join("place");
        let secrets = place.join("totp");
        std::fs::create_dir_all(&secrets).unwrap();
        let secret = site.sandbox.allowed_signers().with_file_name("totp").join("alice");
        for person in ["alice", "root"] {
            std::fs::copy(&secret, secrets.join(person)).unwrap();
        }
        let evidence =
            format!("[evidence]\nstore = \"{0}/evidence\"\nstate = \"{0}\"\n\n", place.display());
        let role = format!(
            "[roles.spot]\narn = {:?}\nallowed_signers = {:?}\nquorum = 0\noverride = true\nmfa = {}\n\
             profiles = {{ source = \"bg-broker\", activator = \"bg-activator\", revoker = \"bg-revoker\" }}\n",
            site.role("drill"),
            site.sandbox.allowed_signers(),
            mfa.replace("{secrets}", secrets.to_str().unwrap()),
        );
        site.configure(|text| {
            let (before, rest) = text.split_once("[evidence]").unwrap();
            let (_, after) = rest.split_once("\n\n").unwrap();
            format!("{before}{evidence}{after}\n{role}")
        });
        Self { site, place }
    }

    fn without_mfa() -> Self {
        Self::new("{ mode = \"none\" }")
    }

    fn at_the_broker() -> Self {
        Self::new("{ mode = \"broker\", secrets = \"{secrets}\" }")
    }

    /// Returns `bg-shell open` of that role with a script.
    fn open(&self, script: &str) -> Command {
        let mut shell = self.site.shell();
        shell.args(["open", "--role", "spot", "--reason", "a test", "--incident", "INC-7"]);
        shell.arg("--key").arg(self.site.sandbox.key("alice"));
        shell.args(["--max-duration", "10m", "--", "sh", "-c", script]);
        shell
    }

    fn run(&self, script: &str) -> Output {
        self.open(script).output().unwrap()
    }

    /// Lays a wire between this site and AWS.
    fn wire(&self) -> Wire {
        let aws = self.site.sandbox.aws();
        let wire = Wire::to(aws.rsplit(':').next().unwrap().parse().unwrap());
        self.site.configure(|text| text.replace(aws, &wire.endpoint()));
        wire
    }

    fn tapes(&self) -> Vec<Tape> {
        let mut dirs = below(&self.place.join("evidence/sessions"), 4);
        dirs.sort();
        let practice = Practice { root: self.place.clone() };
        dirs.into_iter().map(|dir| Tape { dir, practice: practice.clone() }).collect()
    }

    fn tape(&self) -> Tape {
        let tapes = self.tapes();
        assert_eq!(tapes.len(), 1, "{tapes:?}");
        tapes[0].clone()
    }

    /// Returns what a fact around the only session says.
    fn fact(&self, fact: &str) -> Value {
        let path = self.place.join("evidence/cases").join(self.tape().id()).join(fact);
        let note = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{fact}: {e}"));
        serde_json::from_str(note.lines().nth(1).unwrap()).unwrap()
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.site.world.home().join(name)).unwrap_or_default()
    }
}

/// Asks a session's endpoint as an SDK does, and leaves status and body in a file.
const ASK: &str = r#"
curl -s -o "$HOME/body" -w '%{http_code}' -H "Authorization: $AWS_CONTAINER_AUTHORIZATION_TOKEN" \
    "$AWS_CONTAINER_CREDENTIALS_FULL_URI" >"$HOME/status";
"#;

#[test]
fn credentials_that_another_tool_renews_are_read_again() {
    let scene = Scene::without_mfa();
    let wire = scene.wire();
    let sandbox = scene.site.sandbox;
    let mut shell = scene.open(": >$HOME/started; until [ -e $HOME/go ]; do sleep 0.05; done");
    let shared = |(name, value): (&std::ffi::OsStr, Option<&std::ffi::OsStr>)| {
        (name == "AWS_SHARED_CREDENTIALS_FILE").then(|| PathBuf::from(value.unwrap()))
    };
    let shared = shell.get_envs().find_map(shared).unwrap();
    let old = std::fs::read_to_string(shared).unwrap();
    let mine = scene.place.join("credentials");
    std::fs::write(&mine, &old).unwrap();
    let shell = shell.env("AWS_SHARED_CREDENTIALS_FILE", &mine).stderr(Stdio::piped());
    let session = shell.stdout(Stdio::null()).spawn().unwrap();
    until("it runs", || scene.site.world.home().join("started").exists());
    let mut new = old.clone();
    let mut dead = Vec::new();
    let mut made = Vec::new();
    for user in ["bg-broker", "bg-revoker"] {
        let (id, secret) = keys_of(&old, user);
        let key = sandbox.call("root", "iam", "create_access_key", json!({"UserName": user}));
        let key = key.unwrap()["AccessKey"].clone();
        let text = |member: &str| key[member].as_str().unwrap().to_owned();
        new = new.replace(&id, &text("AccessKeyId")).replace(&secret, &text("SecretAccessKey"));
        dead.push(id);
        made.push((user, text("AccessKeyId")));
    }
    // What the other tool does: it writes beside the file, and renames.
    std::fs::write(scene.place.join("credentials.new"), new).unwrap();
    std::fs::rename(scene.place.join("credentials.new"), &mine).unwrap();
    let is_dead = move |request: &Request| {
        let authorized = request.header("authorization").unwrap_or_default();
        dead.iter().any(|id| authorized.contains(id))
    };
    let before = wire.requests().len();
    wire.fault(is_dead.clone(), Fault::Status(403, "ExpiredToken"));
    std::fs::write(scene.site.world.home().join("go"), "").unwrap();
    let output = session.wait_with_output().unwrap();
    for (user, id) in made {
        let with = json!({"UserName": user, "AccessKeyId": id});
        sandbox.call("root", "iam", "delete_access_key", with).unwrap();
    }
    assert!(stderr(&output).contains("access revoked and proved"), "{}", stderr(&output));
    let late = wire.requests();
    assert!(!late[before..].iter().any(is_dead), "the dead keys were used again");
    assert_eq!(scene.tape().verdict(), "intact");
}

/// Returns access key and secret of a profile.
fn keys_of(credentials: &str, profile: &str) -> (String, String) {
    let (_, section) = credentials.split_once(&format!("[{profile}]")).unwrap();
    let of = |name: &str| {
        let line = section.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_once('=').unwrap().1.trim().to_owned()
    };
    (of("aws_access_key_id"), of("aws_secret_access_key"))
}

#[test]
fn the_tools_of_a_session_find_its_credentials_with_nothing_set_by_hand() {
    let scene = Scene::without_mfa();
    let output = scene.run(
        "aws sts get-caller-identity --query Arn --output text; aws s3 ls; \
         python -c 'import boto3; print(boto3.client(\"sts\").get_caller_identity()[\"Arn\"])'",
    );
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let tape = scene.tape();
    assert_eq!(tape.verdict(), "intact");
    let arn = format!(
        "assumed-role/{}/bg-{}",
        scene.site.role("drill").rsplit('/').next().unwrap(),
        tape.id()
    );
    assert_eq!(text.matches(&arn).count(), 2, "{text}");
    assert!(text.contains("bg-sandbox"), "{text}");
    let about = &tape.note("genesis")["about"];
    assert_eq!((&about["custody"], &about["mfa"]), (&"exported".into(), &"none".into()));
    let active = scene.fact("active");
    assert!(active["assumed_role_id"].as_str().unwrap().ends_with(&format!(":bg-{}", tape.id())));
    let issued = &tape.notices("credentials")[0];
    assert_eq!(
        (&issued["state"], &issued["access_key_id"]),
        (&"issued".into(), &active["access_key_id"])
    );
    assert_eq!(issued["request_id"], active["request_ids"]["assume_role"]);
    let seal = &tape.note("seal")["about"];
    assert!(seal["served"].as_u64().unwrap() >= 3, "{seal}");
    assert_eq!((&seal["issued"], &seal["revocation"]["state"]), (&1.into(), &"revoked".into()));
}

#[test]
fn nothing_of_the_users_aws_configuration_reaches_the_session() {
    let scene = Scene::without_mfa();
    let home = scene.site.world.home().join(".aws");
    std::fs::create_dir_all(&home).unwrap();
    let keys = "[default]\naws_access_key_id = AKIAHIDDEN\naws_secret_access_key = hidden\n";
    std::fs::write(home.join("credentials"), keys).unwrap();
    std::fs::write(home.join("config"), "[profile other]\nregion = eu-west-3\n").unwrap();
    let mut open = scene.open(
        "env | cut -d= -f1 | grep -i ^AWS_ | sort; aws configure list-profiles; \
         aws --profile default s3 ls 2>&1 | cat; aws configure list; \
         ls -la $(dirname $AWS_CONFIG_FILE); echo $AWS_CONFIG_FILE >$HOME/where",
    );
    for (name, value) in [
        ("AWS_ACCESS_KEY_ID", "AKIAHIDDEN"),
        ("AWS_SECRET_ACCESS_KEY", "hidden"),
        ("AWS_SESSION_TOKEN", "hidden"),
        ("AWS_PROFILE", "root"),
        ("AWS_DEFAULT_PROFILE", "root"),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/x"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/x"),
        ("AWS_EXECUTION_ENV", "x"),
        ("aws_secret", "hidden"),
    ] {
        open.env(name, value);
    }
    let output = open.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    let names: Vec<&str> = text.lines().take_while(|line| line.starts_with("AWS_")).collect();
    let expected = [
        "AWS_CONFIG_FILE",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_DEFAULT_REGION",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_ENDPOINT_URL",
        "AWS_REGION",
        "AWS_SHARED_CREDENTIALS_FILE",
    ];
    assert_eq!(names, expected, "{text}");
    assert!(!text.contains("HIDDEN") && !text.contains("other"), "{text}");
    assert!(
        text.contains("(default) could not be found") && text.contains("container-role"),
        "{text}"
    );
    let dir = PathBuf::from(scene.file("where").trim());
    assert!(!dir.parent().unwrap().exists(), "{dir:?} is still there");
}

#[test]
fn what_carries_no_credentials_reaches_the_session_and_no_proxy_sees_its_token() {
    let scene = Scene::without_mfa();
    let mut open = scene.open("echo $AWS_MAX_ATTEMPTS; echo $no_proxy; echo $NO_PROXY");
    open.env("AWS_MAX_ATTEMPTS", "7").env("no_proxy", "127.0.0.1,.corp.example");
    let output = open.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let hosts = "127.0.0.1,.corp.example,127.0.0.1";
    let expected = format!("7\r\n{hosts}\r\n{hosts}\r\n");
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}

#[test]
fn bg_shell_goes_to_aws_by_the_way_that_the_environment_prescribes() {
    let scene = Scene::without_mfa();
    let aws = scene.site.sandbox.aws();
    let port: u16 = aws.rsplit(':').next().unwrap().parse().unwrap();
    let proxy = Wire::to(port);
    // Nobody but the proxy knows this name.
    let named = format!("http://aws.bg-shell.invalid:{port}");
    scene.site.configure(|text| text.replace(aws, &named));
    let output = scene.open("true").env("HTTP_PROXY", proxy.endpoint()).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(proxy.actions("AssumeRole").len(), 1);
    assert!(stderr(&output).contains("access revoked and proved"), "{}", stderr(&output));

    let seen = proxy.requests().len();
    let mut open = scene.open("true");
    let refused =
        open.env("http_proxy", proxy.endpoint()).env("no_proxy", ".invalid").output().unwrap();
    assert_ne!(refused.status.code(), Some(0), "{}", stderr(&refused));
    assert_eq!(proxy.requests().len(), seen);

    let mut doctor = scene.site.shell();
    let secret = proxy.endpoint().replace("http://", "http://me:pass@");
    let output = doctor.arg("doctor").env("HTTP_PROXY", secret).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let row = said.lines().find(|line| line.contains("reach proxy")).unwrap_or_default();
    assert!(row.starts_with("ok") && row.ends_with(&proxy.endpoint()), "{said}");
    assert!(!said.contains("pass"), "{said}");
}

#[test]
fn sts_is_told_the_person_the_session_and_the_limits() {
    let scene = Scene::new("{ mode = \"user\", serial = \"arn:aws:iam::000000000000:mfa/alice\" }");
    let wire = scene.wire();
    let mut driver = Driver::spawn(scene.open("echo here"));
    driver.wait_for("MFA code of ");
    driver.send("123 456\r");
    driver.wait_for("here");
    assert_eq!(driver.wait(), 0, "{}", driver.screen());
    let asked = wire.actions("GetSessionToken");
    assert_eq!(asked.len(), 1, "{asked:?}");
    let says = |name: &str| asked[0].parameter(name).unwrap_or_default();
    assert_eq!(says("SerialNumber"), "arn:aws:iam::000000000000:mfa/alice");
    assert_eq!((says("TokenCode"), says("DurationSeconds")), ("123456".into(), "900".into()));
    let asked = wire.actions("AssumeRole");
    assert_eq!(asked.len(), 1, "{asked:?}");
    let tape = scene.tape();
    let opened = scene.fact("open");
    let says = |name: &str| asked[0].parameter(name).unwrap_or_default();
    assert_eq!(says("RoleArn"), scene.site.role("drill"));
    assert_eq!(says("RoleSessionName"), format!("bg-{}", tape.id()));
    assert_eq!(says("SourceIdentity"), opened["source_identity"].as_str().unwrap());
    assert_eq!(says("DurationSeconds"), "900");
    let tags: Vec<(String, String)> = (1..=3)
        .map(|n| (says(&format!("Tags.member.{n}.Key")), says(&format!("Tags.member.{n}.Value"))))
        .collect();
    let request = opened["request"].as_str().unwrap().to_owned();
    let expected =
        [("bg:session", tape.id()), ("bg:request", request), ("bg:incident", "INC-7".into())];
    assert_eq!(tags, expected.map(|(key, value)| (key.to_owned(), value)));
    assert_eq!(says("TransitiveTagKeys.member.1"), "bg:session");
    let policy: Value = serde_json::from_str(&says("Policy")).unwrap();
    let deadline = opened["deadline"].as_str().unwrap();
    let denied_after = &policy["Statement"][1]["Condition"]["DateGreaterThan"]["aws:CurrentTime"];
    assert_eq!(denied_after, &format!("{}Z", &deadline[..19]));
    let about = &tape.note("genesis")["about"];
    assert_eq!((&about["mfa"], &scene.fact("active")["mfa"]), (&"aws".into(), &"aws".into()));
    // Nowhere else: not on the screen, not on the tape.
    // (The three digits alone can stand there by chance: "7123 bytes sealed".)
    for code in ["123 456", "123456"] {
        assert!(!driver.screen().contains(code), "{}", driver.screen());
        assert_eq!(find(&tape.input(), code.as_bytes()), None);
    }
}

#[test]
fn a_code_that_the_broker_checks_is_good_for_one_session_and_the_tape_says_who_checked() {
    let scene = Scene::at_the_broker();
    let code = scene.site.sandbox.code("alice");
    let mut driver = Driver::spawn(scene.open("echo here"));
    let before = driver.settings();
    driver.wait_for("MFA code of ");
    driver.send(format!("{code}\r"));
    driver.wait_for("here");
    assert_eq!(driver.wait(), 0, "{}", driver.screen());
    assert_eq!(format!("{before:?}"), format!("{:?}", driver.settings()));
    assert_eq!(scene.tape().note("genesis")["about"]["mfa"], "broker-attested");
    let mut again = Driver::spawn(scene.open("echo there"));
    again.wait_for("MFA code of ");
    again.send(format!("{code}\r"));
    again.wait_for("was used already");
    again.wait_for("MFA code of ");
    again.send("\x03");
    assert_eq!(again.wait(), 125, "{}", again.screen());
    assert_eq!(scene.tapes().len(), 1, "no session was begun");
}

#[test]
fn wrong_codes_end_it_after_three_tries_and_the_terminal_is_itself_again() {
    let scene = Scene::at_the_broker();
    let mut driver = Driver::spawn(scene.open("echo here"));
    let before = driver.settings();
    let right = scene.site.sandbox.code("alice");
    let wrong = if right.starts_with('9') { "000000" } else { "999999" };
    for _ in 0..3 {
        driver.wait_for("MFA code of ");
        driver.send(format!("{wrong}\r"));
        driver.wait_for("the MFA code is wrong");
    }
    assert_eq!(driver.wait(), 125, "{}", driver.screen());
    assert_eq!(format!("{before:?}"), format!("{:?}", driver.settings()));
    assert!(scene.tapes().is_empty() && !driver.screen().contains(wrong), "{}", driver.screen());
}

#[test]
fn the_terminal_is_itself_again_when_the_prompt_is_left() {
    let scene = Scene::at_the_broker();
    for leave in
        [rustix::process::Signal::INT, rustix::process::Signal::TERM, rustix::process::Signal::HUP]
    {
        let mut driver = Driver::spawn(scene.open("echo here"));
        let before = driver.settings();
        driver.wait_for("MFA code of ");
        assert_ne!(format!("{before:?}"), format!("{:?}", driver.settings()), "the echo is off");
        driver.signal(leave);
        assert_eq!(driver.wait(), 125, "{}", driver.screen());
        assert_eq!(format!("{before:?}"), format!("{:?}", driver.settings()));
    }
    assert!(scene.tapes().is_empty());
}

#[test]
fn without_a_terminal_nobody_is_asked_and_nothing_is_opened() {
    let scene = Scene::at_the_broker();
    let open = scene.open("echo here");
    let mut alone = scene.site.command("setsid");
    let output =
        alone.arg("--wait").arg(open.get_program()).args(open.get_args()).output().unwrap();
    assert_eq!(output.status.code(), Some(125), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("there is no terminal to ask for the MFA code on"),
        "{}",
        stderr(&output)
    );
    assert!(scene.tapes().is_empty());
}

#[test]
fn a_role_that_aws_refuses_is_told_in_a_line_and_leaves_nothing_open() {
    let scene = Scene::without_mfa();
    // This one trusts nobody until its gate is open.
    let closed = scene.site.role("trust").to_owned();
    scene.site.configure(|text| text.replace(scene.site.role("drill"), &closed));
    let output = scene.run("echo here");
    assert_eq!(output.status.code(), Some(125), "{}", stderr(&output));
    assert_eq!(output.stdout, b"");
    let said = stderr(&output);
    let error = said.lines().find(|line| line.contains("error:")).unwrap();
    assert!(
        error.contains("sts:AssumeRole: AccessDenied") && error.contains("request id"),
        "{said}"
    );
    assert!(said.contains("bg-shell: hint: "), "{said}");
    let tape = scene.tape();
    assert_eq!(tape.verdict(), "intact");
    let seal = &tape.note("seal")["about"];
    assert_eq!((&seal["ended"], &seal["exit"]), (&"no-access".into(), &125.into()));
    assert_eq!(
        (&seal["issued"], &seal["revocation"]["state"]),
        (&0.into(), &"none".into()),
        "{seal}"
    );
    assert_eq!(scene.fact("close/proved")["state"], "none");
}

#[test]
fn an_override_is_told_although_the_role_then_does_not_open() {
    let scene = Scene::without_mfa();
    let closed = scene.site.role("trust").to_owned();
    scene.site.configure(|text| text.replace(scene.site.role("drill"), &closed));
    let mut shell = scene.site.shell();
    shell.args(["open", "--role", "spot", "--reason", "a test", "--override", "--key"]);
    let output = shell.arg(scene.site.sandbox.key("alice")).args(["--", "true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(125), "{}", stderr(&output));
    let mut events = Vec::new();
    until("the override is told", || {
        let published = scene.site.published().into_iter();
        let message =
            |wrap: Value| serde_json::from_str::<Value>(wrap["Message"].as_str().unwrap()).unwrap();
        events.extend(published.map(message).map(|message| message["event"].clone()));
        events.contains(&"overridden".into())
    });
    assert!(!events.contains(&"opened".into()), "{events:?}");
}

#[test]
fn an_override_that_needs_its_alarm_opens_only_once_somebody_has_it() {
    let scene = Scene::without_mfa();
    let hook = Hook::start(Manner::Silent);
    scene.site.configure(|text| {
        let text = text.replace(
            "override = true\nmfa",
            "override = true\noverride_needs_delivery = true\nmfa",
        );
        let silent = text.lines().filter(|line| !line.starts_with("topic = "));
        let silent: Vec<&str> = silent.collect();
        format!("{}\n[[notify.webhooks]]\nurl = {:?}\n", silent.join("\n"), hook.url())
    });
    let open = || {
        let mut shell = scene.site.shell();
        shell.args(["open", "--role", "spot", "--reason", "a test", "--override", "--key"]);
        shell.arg(scene.site.sandbox.key("alice")).args(["--", "true"]).output().unwrap()
    };
    let refused = open();
    assert_eq!(refused.status.code(), Some(125), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("nobody took the alarm"), "{}", stderr(&refused));
    hook.change(Manner::Answers(200));
    let opened = open();
    let said = stderr(&opened);
    assert!(opened.status.success() && said.contains("127.0.0.1 was told"), "{said}");
    // The facts say that it was heard; without that fact anybody's reconcile tells it again.
    let case = scene.place.join("evidence/cases").join(scene.tape().id());
    let heard = case.join("heard");
    assert!(heard.exists(), "{heard:?}");
    let reconcile = || stderr(&scene.site.shell().arg("reconcile").output().unwrap());
    assert!(!reconcile().contains("WITHOUT ITS APPROVALS"));
    std::fs::remove_file(heard).unwrap();
    assert!(reconcile().contains("told again"));
}

#[test]
fn credentials_whose_answer_was_lost_count_as_issued() {
    let scene = Scene::without_mfa();
    let wire = scene.wire();
    wire.fault(|request| request.action().as_deref() == Some("AssumeRole"), Fault::ResetAnswer);
    let output = scene.run("echo here");
    assert_eq!(output.status.code(), Some(125), "{}", stderr(&output));
    let seal = &scene.tape().note("seal")["about"];
    assert_eq!(
        (&seal["ended"], &seal["revocation"]["state"]),
        (&"no-access".into(), &"pending".into())
    );
    assert!(scene.fact("close/denied")["policy"].as_str().unwrap().contains(&scene.tape().id()));
    assert!(stderr(&output).contains("the access may live until"), "{}", stderr(&output));
}

#[test]
fn a_code_that_aws_calls_wrong_is_asked_for_anew() {
    let scene = Scene::new("{ mode = \"user\", serial = \"arn:aws:iam::000000000000:mfa/alice\" }");
    let wire = scene.wire();
    let wrong = |request: &Request| request.parameter("TokenCode").as_deref() == Some("000000");
    wire.fault(wrong, Fault::Status(403, "AccessDenied"));
    let mut driver = Driver::spawn(scene.open("echo here"));
    driver.wait_for("MFA code of ");
    driver.send("000000\r");
    driver.wait_for("each code is good once");
    driver.wait_for("MFA code of ");
    assert_eq!(wire.actions("AssumeRole").len(), 0);
    driver.send("123456\r");
    driver.wait_for("here");
    assert_eq!(driver.wait(), 0, "{}", driver.screen());
    assert_eq!(scene.tape().verdict(), "intact");
}

#[test]
fn credentials_that_were_taken_out_of_a_session_are_dead_after_it() {
    let scene = Scene::without_mfa();
    let output = scene.run(&format!("{ASK} env | grep ^AWS_CONTAINER >$HOME/endpoint; aws s3 ls"));
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(scene.file("status"), "200");
    let taken: Value = serde_json::from_str(&scene.file("body")).unwrap();
    let text = |name: &str| taken[name].as_str().unwrap().to_owned();
    let mut later = scene.site.world.command("aws");
    scene.site.sandbox.reach(&mut later);
    later
        .args(["--endpoint-url", scene.site.sandbox.aws(), "--region", "us-east-1", "s3", "ls"])
        .env("AWS_ACCESS_KEY_ID", text("AccessKeyId"))
        .env("AWS_SECRET_ACCESS_KEY", text("SecretAccessKey"))
        .env("AWS_SESSION_TOKEN", text("Token"));
    let output = later.output().unwrap();
    assert!(stderr(&output).contains("explicit deny"), "{output:?}");
    // Five minutes at most, whatever they really have.
    let expires = humantime_of(&text("Expiration"));
    assert!(expires <= std::time::SystemTime::now() + std::time::Duration::from_secs(300));
}

#[test]
fn a_session_that_is_revoked_from_elsewhere_ends_and_is_served_no_more() {
    let scene = Scene::without_mfa();
    let mut driver =
        Driver::spawn(scene.open("echo begun; trap '' HUP; while :; do sleep 0.1; done"));
    driver.wait_for("begun");
    let id = scene.tape().id();
    let revoke =
        scene.site.shell().args(["revoke", &id, "--reason", "wrong account"]).output().unwrap();
    assert!(stderr(&revoke).contains("revok"), "{revoke:?}");
    assert_eq!(driver.wait(), 123, "{}", driver.screen());
    let tape = scene.tape();
    assert_eq!(tape.verdict(), "intact");
    let seal = &tape.note("seal")["about"];
    assert_eq!(seal["ended"], "revoked");
    assert!(seal["detail"].as_str().unwrap().ends_with("wrong account"), "{seal}");
    assert_eq!(tape.notices("revoked")[0]["reason"], "wrong account");
    assert_eq!(seal["revocation"]["state"], "revoked", "{seal}");
}

#[test]
fn the_deadline_ends_the_access_too() {
    let scene = Scene::without_mfa();
    let mut shell = scene.site.shell();
    shell.arg("open").arg("--key").arg(scene.site.sandbox.key("alice"));
    shell.args([
        "--role",
        "spot",
        "--reason",
        "a test",
        "--max-duration",
        "3s",
        "--",
        "sleep",
        "60",
    ]);
    let output = shell.output().unwrap();
    assert_eq!(output.status.code(), Some(124), "{}", stderr(&output));
    let seal = &scene.tape().note("seal")["about"];
    assert_eq!(
        (&seal["ended"], &seal["revocation"]["state"]),
        (&"deadline".into(), &"revoked".into())
    );
}

#[test]
fn a_session_can_do_what_its_scope_says_and_cannot_become_anybody_else() {
    let scene = Scene::without_mfa();
    let scope = scene.place.join("scope.json");
    let policy = r#"{"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["s3:List*", "sts:*"], "Resource": "*"}]}"#;
    std::fs::write(&scope, policy).unwrap();
    scene.site.configure(|text| format!("{text}session_policy = {scope:?}\n"));
    let chain = format!(
        "aws sts assume-role --role-arn {} --role-session-name other",
        scene.site.role("drill")
    );
    let output = scene.run(&format!("aws s3 ls; aws iam list-users; {chain}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("bg-sandbox"), "{text}");
    assert_eq!(text.matches("(AccessDenied)").count(), 2, "{text}");
    assert!(text.contains("sts:AssumeRole with an explicit deny"), "{text}");
}

#[test]
fn gates_open_for_the_session_and_close_after_it() {
    for which in ["attach", "trust"] {
        let scene = Scene::without_mfa();
        let own = scene.site.role("drill").to_owned();
        let gated = scene.site.role(which).to_owned();
        scene.site.configure(|text| {
            let role = text.split_once(&format!("[roles.{which}]")).unwrap().1;
            let gate = role.lines().find(|line| line.starts_with("gate = ")).unwrap().to_owned();
            format!("{}{gate}\n", text.replace(&own, &gated))
        });
        let output = scene.run("aws s3 ls");
        assert_eq!(output.status.code(), Some(0), "{which}: {}", stderr(&output));
        assert_eq!(scene.fact("close/gate")["state"], "closed", "{which}");
        assert_eq!(scene.fact("close/proved")["state"], "revoked", "{which}");
    }
}

#[test]
fn a_role_is_not_opened_for_longer_than_it_may_be() {
    let scene = Scene::without_mfa();
    let mut shell = scene.site.shell();
    shell.arg("open").arg("--key").arg(scene.site.sandbox.key("alice"));
    shell.args(["--role", "spot", "--reason", "a test", "--max-duration", "61m", "--", "true"]);
    let output = shell.output().unwrap();
    assert_eq!(output.status.code(), Some(125));
    assert!(stderr(&output).contains("for 1h at most"), "{}", stderr(&output));
    assert!(scene.tapes().is_empty());
}

#[test]
fn the_access_of_a_killed_broker_is_closed_by_recover() {
    let scene = Scene::without_mfa();
    let mut driver = Driver::spawn(scene.open("echo begun; exec sleep 60"));
    driver.wait_for("begun");
    driver.signal(rustix::process::Signal::KILL);
    driver.wait();
    let recovered = scene.site.shell().arg("recover").output().unwrap();
    let case = scene.place.join("evidence/cases").join(scene.tape().id());
    until("the Deny", || case.join("close/denied").exists());
    assert_eq!(scene.tape().verdict(), "recovered", "{recovered:?}");
}

fn humantime_of(text: &str) -> std::time::SystemTime {
    let output = Command::new("date").args(["-d", text, "+%s"]).output().unwrap();
    let seconds: u64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)
}
