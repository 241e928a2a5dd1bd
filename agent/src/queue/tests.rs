use super::*;

const CARD: CardIdent = CardIdent::new(6, 0x1234);

fn uid(uid: u32) -> Party {
    Party::Uid(uid)
}

/// A queue at one moment, which is all the time it needs.
struct Scene {
    queue: Queue,
    now: Instant,
}

impl Scene {
    fn new() -> Self {
        Self { queue: Queue::default(), now: Instant::now() }
    }

    fn comes(&mut self, party: &Party) -> Ticket {
        self.queue.join(CARD, party, "sudo of olga", self.now).unwrap()
    }

    fn leaves(&mut self, ticket: Ticket) {
        self.queue.leave(ticket, self.now);
    }

    /// Serves until nobody waits, and says in which order the named ones had their turns.
    fn order(&mut self, named: &[(&'static str, Ticket)]) -> Vec<&'static str> {
        let mut order = Vec::new();
        while let Some((name, ticket)) = named.iter().find(|(_, ticket)| self.queue.has_turn(*ticket)) {
            order.push(*name);
            self.leaves(*ticket);
        }
        assert!(self.queue.snapshot().is_empty(), "somebody was forgotten: {:?}", self.queue);
        order
    }
}

#[test]
fn whoever_comes_first_has_the_turn_and_the_next_one_after_it() {
    let mut scene = Scene::new();
    let (a, b) = (scene.comes(&uid(1)), scene.comes(&uid(2)));
    assert!(scene.queue.has_turn(a) && !scene.queue.has_turn(b));
    assert_eq!(scene.queue.before(b), Some(("sudo of olga".to_owned(), scene.now, 0)));
    scene.leaves(a);
    assert!(scene.queue.has_turn(b) && !scene.queue.has_turn(a));
}

#[test]
fn cards_have_turns_of_their_own() {
    let mut scene = Scene::new();
    scene.comes(&uid(1));
    let other = scene.queue.join(CardIdent::new(6, 9), &uid(2), "login of ana", scene.now).unwrap();
    assert!(scene.queue.has_turn(other));
    assert_eq!(scene.queue.snapshot().len(), 2);
}

#[test]
fn one_party_is_served_in_the_order_of_coming() {
    let mut scene = Scene::new();
    let named = ["1", "2", "3", "4"].map(|name| (name, scene.comes(&uid(1))));
    assert_eq!(scene.order(&named), ["1", "2", "3", "4"]);
}

#[test]
fn a_crowd_of_one_party_is_passed_by_whoever_comes_with_one_request() {
    let mut scene = Scene::new();
    let mut named = vec![("crowd", scene.comes(&uid(1)))];
    named.extend((0..limits::TURNS_OF_ONE_PARTY).map(|_| ("crowd", scene.comes(&uid(1)))));
    named.push(("root", scene.comes(&Party::Login("root".parse().unwrap()))));
    named.push(("host", scene.comes(&Party::Host)));
    assert_eq!(scene.queue.before(named.last().unwrap().1).unwrap().2, 2, "root and one of the crowd");
    assert_eq!(scene.order(&named)[..4], ["crowd", "root", "crowd", "host"]);
}

#[test]
fn parties_with_many_requests_take_turns() {
    let mut scene = Scene::new();
    let mut named = vec![("a", scene.comes(&uid(1)))];
    named.extend([("a", scene.comes(&uid(1))), ("a", scene.comes(&uid(1)))]);
    named.extend([("b", scene.comes(&uid(2))), ("b", scene.comes(&uid(2)))]);
    named.extend([("c", scene.comes(&uid(3)))]);
    assert_eq!(scene.order(&named), ["a", "b", "a", "c", "a", "b"]);
}

#[test]
fn somebody_who_comes_again_and_again_starves_nobody() {
    // Two parties come anew whenever they were served; a third has waited since the beginning.
    for greedy in [vec![uid(1)], vec![uid(1), uid(2)], vec![uid(1), uid(2), uid(3), uid(4)]] {
        let mut scene = Scene::new();
        let mut theirs: Vec<(Party, Ticket)> =
            greedy.iter().map(|party| (party.clone(), scene.comes(party))).collect();
        let patient = [scene.comes(&uid(9)), scene.comes(&uid(9))];
        let mut served = 0;
        for ticket in patient {
            while !scene.queue.has_turn(ticket) {
                let at = theirs.iter().position(|(_, ticket)| scene.queue.has_turn(*ticket)).unwrap();
                let (party, done) = theirs.remove(at);
                let again = scene.comes(&party);
                theirs.push((party, again));
                scene.leaves(done);
                served += 1;
                assert!(served <= 3 * greedy.len(), "{} greedy, {served} served", greedy.len());
            }
            scene.leaves(ticket);
        }
    }
}

#[test]
fn who_gives_up_waiting_is_passed_over_and_who_dies_frees_the_turn() {
    let mut scene = Scene::new();
    let [a, b, c] = [1, 2, 3].map(|number| scene.comes(&uid(number)));
    scene.leaves(b);
    assert_eq!(scene.queue.before(c).unwrap().2, 0);
    scene.leaves(a);
    assert!(scene.queue.has_turn(c));
    scene.leaves(c);
    assert!(scene.queue.snapshot().is_empty());
    // Leaving twice takes nothing from those who came since.
    let d = scene.comes(&uid(4));
    scene.leaves(c);
    assert!(scene.queue.has_turn(d));
}

#[test]
fn one_party_and_all_together_can_wait_in_bounded_numbers_only() {
    let mut scene = Scene::new();
    scene.comes(&uid(0));
    let mut waiting = 0;
    for party in 1..=u32::try_from(limits::TURNS).unwrap() {
        for _ in 0..=limits::TURNS_OF_ONE_PARTY {
            match scene.queue.join(CARD, &uid(party), "login of ana", scene.now) {
                Ok(_) => waiting += 1,
                Err(crowded) => assert_eq!(crowded.holder, "sudo of olga"),
            }
        }
        assert!(waiting <= usize::try_from(party).unwrap() * limits::TURNS_OF_ONE_PARTY);
    }
    assert_eq!(waiting, limits::TURNS);
    assert_eq!(scene.queue.snapshot().first().unwrap().waiting, limits::TURNS);
    assert!(scene.queue.join(CardIdent::new(6, 9), &uid(5), "x", scene.now).is_ok(), "a free card is free");
}

#[test]
fn the_time_of_a_turn_begins_with_it() {
    let mut scene = Scene::new();
    let (a, b) = (scene.comes(&uid(1)), scene.comes(&uid(2)));
    let c = scene.comes(&uid(3));
    let later = scene.now + std::time::Duration::from_secs(7);
    scene.queue.leave(a, later);
    assert!(scene.queue.has_turn(b));
    assert_eq!(scene.queue.before(c).unwrap().1, later);
    assert_eq!(scene.queue.snapshot().first().unwrap().since, later);
}
