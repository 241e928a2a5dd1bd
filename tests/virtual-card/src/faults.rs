//! What shall go wrong, and at which command.

use std::time::Duration;

/// A status word, as the two bytes that end an answer.
pub(crate) type StatusWord = [u8; 2];

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Answer this; the card never sees the command.
    Answer(StatusWord),
    /// Take this long first.
    Delay(Duration),
    /// Do not answer until told to resume.
    Hang,
    /// The card leaves the reader instead of answering.
    Pull,
    /// The card carries the command out, and leaves the reader before its answer does.
    PullAfter,
    /// The card carries the command out, and its answer is damaged on the way.
    Damage(Damage),
}

/// What becomes of an answer on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// Half of the data, and the status word.
    Half,
    /// The status word alone.
    NoData,
    /// Other data of the same length, and the status word.
    Garbage,
    /// Far more data than any answer has, and the status word.
    Long,
    /// One byte in all.
    Cut,
}

impl Damage {
    /// Longer than the longest honest answer, an RSA-4096 key, and than what readers take in one piece.
    const LONG: usize = 5000;

    pub(crate) fn apply(self, answer: Vec<u8>) -> Vec<u8> {
        let (data, status) = answer.split_at(answer.len().saturating_sub(2));
        let data = match self {
            Self::Half => data.split_at(data.len() / 2).0.to_vec(),
            Self::NoData => Vec::new(),
            // Not its own inverse at any byte, and the same at each run.
            Self::Garbage => data.iter().map(|byte| byte.wrapping_mul(167).wrapping_add(41)).collect(),
            Self::Long => data.iter().copied().chain(std::iter::repeat(0x5A)).take(Self::LONG).collect(),
            Self::Cut => return answer.into_iter().take(1).collect(),
        };
        [&data, status].concat()
    }
}

/// Which commands a named fault waits for: an exact command name, or an instruction byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Name(String),
    Instruction(u8),
}

impl Target {
    fn hits(&self, apdu: &[u8], name: &str) -> bool {
        match self {
            Self::Name(wanted) => wanted == name,
            Self::Instruction(wanted) => apdu.get(1) == Some(wanted),
        }
    }
}

/// Everything that goes wrong with one command. Delay comes first, then hanging, then leaving, then the answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) delay: Option<Duration>,
    pub(crate) hang: bool,
    pub(crate) pull: bool,
    pub(crate) answer: Option<StatusWord>,
    pub(crate) damage: Option<Damage>,
    pub(crate) pull_after: bool,
}

/// Faults still to come. Each happens once.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    counted: Vec<(u32, Fault)>,
    named: Vec<(Target, StatusWord)>,
    /// So many commands are spared yet; each one after them is answered this.
    lasting: Option<(u32, StatusWord)>,
}

impl Schedule {
    /// The `nth` command from now (1 is the next) suffers `fault`.
    pub(crate) fn at(&mut self, nth: u32, fault: Fault) {
        self.counted.push((nth, fault));
    }

    /// The next command that `target` describes is answered with `status`.
    pub(crate) fn next(&mut self, target: Target, status: StatusWord) {
        self.named.push((target, status));
    }

    /// The `nth` command from now and every later one is answered with `status`.
    pub(crate) fn lasting(&mut self, nth: u32, status: StatusWord) {
        self.lasting = Some((nth.saturating_sub(1), status));
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn pending(&self) -> usize {
        self.counted.len() + self.named.len() + usize::from(self.lasting.is_some())
    }

    /// A command arrives: counts down, and takes out of the schedule what is due.
    pub(crate) fn arrival(&mut self, apdu: &[u8], name: &str) -> Verdict {
        let mut verdict = Verdict::default();
        self.counted.retain_mut(|(remaining, fault)| {
            *remaining = remaining.saturating_sub(1);
            if *remaining > 0 {
                return true;
            }
            match fault {
                Fault::Answer(status) => verdict.answer = Some(*status),
                Fault::Delay(time) => verdict.delay = Some(*time),
                Fault::Hang => verdict.hang = true,
                Fault::Pull => verdict.pull = true,
                Fault::PullAfter => verdict.pull_after = true,
                Fault::Damage(damage) => verdict.damage = Some(*damage),
            }
            false
        });
        if let Some(hit) = self.named.iter().position(|(target, _)| target.hits(apdu, name)) {
            let (_, status) = self.named.remove(hit);
            verdict.answer.get_or_insert(status);
        }
        match &mut self.lasting {
            Some((0, status)) => {
                verdict.answer.get_or_insert(*status);
            }
            Some((spared, _)) => *spared -= 1,
            None => {}
        }
        verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SELECT: &[u8] = &[0, 0xA4, 4, 0];
    const VERIFY: &[u8] = &[0, 0x20, 0, 0x81, 1, 0];

    #[test]
    fn the_nth_command_fails_and_no_other() {
        let mut schedule = Schedule::default();
        schedule.at(3, Fault::Answer([0x6F, 0]));
        let verdicts: Vec<_> = (0..4).map(|_| schedule.arrival(SELECT, "SELECT").answer).collect();
        assert_eq!(verdicts, [None, None, Some([0x6F, 0]), None]);
        assert_eq!(schedule.pending(), 0);
    }

    #[test]
    fn a_named_fault_waits_for_its_command() {
        let mut schedule = Schedule::default();
        schedule.next(Target::Name("VERIFY".to_owned()), [0x69, 0x83]);
        schedule.next(Target::Instruction(0xA4), [0x6A, 0x82]);
        assert_eq!(schedule.arrival(VERIFY, "VERIFY").answer, Some([0x69, 0x83]));
        assert_eq!(schedule.arrival(VERIFY, "VERIFY").answer, None);
        assert_eq!(schedule.arrival(SELECT, "SELECT").answer, Some([0x6A, 0x82]));
    }

    #[test]
    fn asking_for_the_tries_left_is_not_a_verify() {
        let mut schedule = Schedule::default();
        schedule.next(Target::Name("VERIFY".to_owned()), [0x69, 0x83]);
        assert_eq!(schedule.arrival(&VERIFY[..4], "VERIFY_STATUS").answer, None);
        assert_eq!(schedule.pending(), 1);
    }

    #[test]
    fn faults_at_one_command_add_up() {
        let mut schedule = Schedule::default();
        schedule.at(1, Fault::Delay(Duration::from_millis(5)));
        schedule.at(1, Fault::Hang);
        schedule.at(1, Fault::Pull);
        let delay = Some(Duration::from_millis(5));
        let expected = Verdict { delay, hang: true, pull: true, ..Verdict::default() };
        assert_eq!(schedule.arrival(SELECT, "SELECT"), expected);
    }

    #[test]
    fn a_lasting_fault_spares_the_commands_before_it_and_no_later_one() {
        let mut schedule = Schedule::default();
        schedule.lasting(2, [0x6F, 0]);
        let verdicts: Vec<_> = (0..4).map(|_| schedule.arrival(SELECT, "SELECT").answer).collect();
        assert_eq!(verdicts, [None, Some([0x6F, 0]), Some([0x6F, 0]), Some([0x6F, 0])]);
        schedule.clear();
        assert_eq!(schedule.arrival(SELECT, "SELECT"), Verdict::default());
    }

    #[test]
    fn a_damaged_answer_is_as_its_name_says() {
        let answer = || vec![1, 2, 3, 4, 0x90, 0];
        assert_eq!(Damage::Half.apply(answer()), [1, 2, 0x90, 0]);
        assert_eq!(Damage::NoData.apply(answer()), [0x90, 0]);
        assert_eq!(Damage::Cut.apply(answer()), [1]);
        let garbage = Damage::Garbage.apply(answer());
        assert!(garbage.len() == 6 && garbage.ends_with(&[0x90, 0]) && garbage[..4] != [1, 2, 3, 4]);
        let long = Damage::Long.apply(answer());
        assert!(long.len() == 5002 && long.starts_with(&[1, 2, 3, 4]) && long.ends_with(&[0x90, 0]));
        for damage in [Damage::Half, Damage::NoData, Damage::Garbage] {
            assert_eq!(damage.apply(vec![0x69, 0x83]), [0x69, 0x83]);
        }
    }

    #[test]
    fn cleared_faults_never_happen() {
        let mut schedule = Schedule::default();
        schedule.at(1, Fault::Pull);
        schedule.next(Target::Instruction(0xA4), [0x6A, 0x82]);
        schedule.clear();
        assert_eq!(schedule.arrival(SELECT, "SELECT"), Verdict::default());
    }
}
