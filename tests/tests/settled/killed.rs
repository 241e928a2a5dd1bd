//! SIGKILL at every write of the agent's journal: before the commit, and after it.

use countersign_tests::Machine;
use countersign_tests::site::{SOON, Scene, talk};
use serde_json::Value;

use super::records::{all_is_settled, journal, ledger, status_if_it_lives};
use super::{PIN, scene};

/// Restarts the agent so that it dies at the `n`-th point of its journal's writes.
fn doom(scene: &mut Scene<'_>, n: u32) {
    scene.site.stop_agent().unwrap();
    scene.site.start_agent_with(&["--crash-at-journal-point", &n.to_string()]).unwrap();
    // The card and the roster are known again.
    super::wait_until("the agent to be ready", SOON, || {
        // It may die by a write of its own before.
        if scene.site.agent.as_mut().unwrap().ended()?.is_some() {
            return Ok(Some(()));
        }
        let Some(told) = status_if_it_lives(scene) else { return Ok(None) };
        let cards = told["cards"]["cards"].as_array().map_or(0, Vec::len);
        Ok((cards == 2 && told["session_keys_until"].is_string()).then_some(()))
    })
    .unwrap();
}

/// Whether it died. One that does not is started anew.
fn died(scene: &mut Scene<'_>) -> bool {
    let mut agent = scene.site.agent.take().unwrap();
    let ended = super::wait_until("the agent's end", std::time::Duration::from_secs(2), || agent.ended());
    if ended.is_err() {
        agent.terminate(SOON).unwrap();
    }
    scene.site.start_agent().unwrap();
    ended.is_ok()
}

fn count(entries: &[Value], is_it: impl Fn(&Value) -> bool) -> usize {
    entries.iter().filter(|entry| is_it(entry)).count()
}

#[test]
fn an_agent_killed_at_any_write_of_a_login_leaves_nothing_unknown_and_nothing_twice() {
    let machine = Machine::start().unwrap();
    let mut scene = scene(&machine);
    let mut deaths = 0;
    for n in 1.. {
        assert!(n < 30, "it does not end");
        let (before, written) = (ledger(&scene).len(), journal(&scene, &["--last", "1000"]).len());
        doom(&mut scene, n);
        let ending = scene.login(&["authenticate"], &PIN).unwrap();
        let let_in = ending.code() == Some(0);
        let is_over = !died(&mut scene);
        deaths += u32::from(!is_over);
        all_is_settled(&scene);

        let entries = ledger(&scene);
        let new: Vec<Value> = entries.into_iter().skip(before).collect();
        let logins = count(&new, |entry| entry["kind"] == "job" && entry["login"] == "ana");
        let never = count(&new, |entry| entry["kind"] == "never-happened");
        let unopened: Vec<&str> = new
            .iter()
            .filter(|entry| entry["detail"]["event"] == "never-opened")
            .map(|entry| entry["reason"].as_str().unwrap())
            .collect();
        let told = format!("point {n}, let in: {let_in}: {new:#?}");
        assert!(logins + never <= 1, "{told}");
        match (let_in, logins) {
            // What the dead agent cannot know, it does not claim to know.
            (true, 1) => assert!(unopened.iter().all(|told| told.contains("is not known")), "{told}"),
            (false, 1) => assert_eq!(unopened.len(), 1, "{told}"),
            (false, 0) => assert!(unopened.is_empty(), "{told}"),
            _ => panic!("{told}"),
        }
        let journal = journal(&scene, &["--last", "1000"]);
        let concluded = journal.get(written..).unwrap_or_default();
        let concluded = count(concluded, |entry| {
            entry["event"] == "login-allowed" || entry["event"] == "request-settled"
        });
        assert!(concluded >= logins + never, "{told}");
        if is_over {
            assert!(let_in, "{}", ending.shown);
            break;
        }
    }
    // Before and after each of: sent, allowed, told.
    assert!(deaths >= 6, "only {deaths} deaths: the aid did not work");
}

#[test]
fn an_agent_killed_at_any_write_of_a_request_does_it_once_and_says_so() {
    let machine = Machine::start().unwrap();
    let mut scene = scene(&machine);
    let ident = scene.olga.card.ident();
    let mut deaths = 0;
    for n in 1.. {
        assert!(n < 30, "it does not end");
        let name = format!("bob{n}");
        doom(&mut scene, n);
        let add = scene.olga.countersign(&["admin", "user", "add", &name, "--card", &ident]).unwrap();
        // It may die by a write of its own before anybody asks.
        let Ok(ending) = talk(&add, &PIN, SOON) else {
            assert!(died(&mut scene), "point {n}: {}", scene.site.agent_log());
            deaths += 1;
            continue;
        };
        let is_over = !died(&mut scene);
        deaths += u32::from(!is_over);
        all_is_settled(&scene);
        let resource = format!("account/{name}");
        let made = count(&ledger(&scene), |entry| entry["resource"] == resource.as_str());
        let told = journal(&scene, &["--last", "20"]);
        let told: Vec<&Value> =
            told.iter().filter(|entry| entry["more"]["resource"] == resource.as_str()).collect();
        let outcomes: Vec<&str> = told.iter().filter_map(|entry| entry["outcome"].as_str()).collect();
        let context = format!("point {n}: {} {told:#?}", ending.shown);
        match made {
            1 => assert_eq!(outcomes, ["allowed"], "{context}"),
            0 => assert!(outcomes.is_empty() || outcomes == ["never-happened"], "{context}"),
            more => panic!("made {more} times: {context}"),
        }
        if is_over {
            assert_eq!((ending.code(), made), (Some(0), 1), "{context}");
            break;
        }
    }
    assert!(deaths >= 4, "only {deaths} deaths: the aid did not work");
}
