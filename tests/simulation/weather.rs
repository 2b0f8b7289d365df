//! What goes wrong with a request, decided by the seed when it is sent.

use super::history::Millis;
use super::network::Refusal;
use super::random::Random;

/// What a store or the network says when it does not serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    Busy,
    Failed,
    Unavailable,
    Reset,
    Unreachable,
}

/// What is answered.
#[derive(Debug, Clone, Copy)]
pub enum Answering {
    /// What came of it.
    Truth,
    /// This, whatever came of it.
    Say(Refusal),
}

/// The kinds of misfortune, to be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Smooth,
    /// Carried out late; the answer comes later still.
    Delayed,
    ErrorBefore,
    Status429,
    Status503,
    /// Never carried out, never answered.
    RequestLost,
    /// Carried out; the connection breaks, or nothing is ever answered.
    ReplyLost,
    /// Nothing is answered; it is carried out long after.
    AppliedLate,
    /// Carried out and answered; a copy is carried out later.
    Duplicated,
    Conflict409Before,
    Conflict409After,
    Precondition412Before,
    Precondition412After,
    Outage,
}

impl Kind {
    pub const ALL: [Self; 14] = [
        Self::Smooth,
        Self::Delayed,
        Self::ErrorBefore,
        Self::Status429,
        Self::Status503,
        Self::RequestLost,
        Self::ReplyLost,
        Self::AppliedLate,
        Self::Duplicated,
        Self::Conflict409Before,
        Self::Conflict409After,
        Self::Precondition412Before,
        Self::Precondition412After,
        Self::Outage,
    ];
    /// What may happen to a conditional write, a plain one, a read.
    const CONDITIONAL: [Self; 12] = [
        Self::Delayed,
        Self::ErrorBefore,
        Self::Status429,
        Self::Status503,
        Self::RequestLost,
        Self::ReplyLost,
        Self::AppliedLate,
        Self::Duplicated,
        Self::Conflict409Before,
        Self::Conflict409After,
        Self::Precondition412Before,
        Self::Precondition412After,
    ];
    const PLAIN: [Self; 13] = [
        Self::Delayed,
        Self::ErrorBefore,
        Self::Status429,
        Self::Status503,
        Self::RequestLost,
        Self::ReplyLost,
        Self::AppliedLate,
        Self::Duplicated,
        Self::Duplicated,
        Self::Duplicated,
        Self::Duplicated,
        Self::Duplicated,
        Self::Conflict409Before,
    ];
    const READ: [Self; 5] =
        [Self::Delayed, Self::ErrorBefore, Self::Status429, Self::Status503, Self::RequestLost];
}

/// What kind of request it is.
#[derive(Debug, Clone, Copy)]
pub struct Nature {
    pub writes: bool,
    pub conditional: bool,
    /// Of a control object or a seal.
    pub control: bool,
    pub playlist: bool,
}

/// What an outage holds of: stores are throttled by parts, and a proxy may mistreat one kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    All,
    Control,
    AllButControl,
    Playlists,
}

impl Part {
    fn holds(self, nature: Nature) -> bool {
        match self {
            Self::All => true,
            Self::Control => nature.control,
            Self::AllButControl => !nature.control,
            Self::Playlists => nature.playlist,
        }
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy)]
pub struct Fate {
    pub kind: Kind,
    /// When it is carried out.
    pub apply: Option<Millis>,
    /// When it is carried out again.
    pub copy: Option<Millis>,
    /// When the answer arrives.
    pub answer: Option<Millis>,
    pub answering: Answering,
}

/// A time in which nobody, or one worker, is served.
#[derive(Debug, Clone, Copy)]
pub struct Outage {
    pub from: Millis,
    pub to: Millis,
    /// `None`: for all.
    pub worker: Option<usize>,
    /// Requests get no answer at all.
    pub hangs: bool,
    pub part: Part,
}

#[derive(Debug, Clone)]
pub struct Weather {
    /// Times out of a thousand that something goes wrong, with media and with control objects.
    pub faults: u64,
    pub control_faults: u64,
    /// Nothing goes wrong before.
    pub from: Millis,
    /// The usual time of one way.
    pub latency: (Millis, Millis),
    pub outages: Vec<Outage>,
    /// Nothing goes wrong from here on; what is under way stays so.
    pub calm_at: Millis,
}

impl Weather {
    pub fn fate(&self, now: Millis, worker: usize, nature: Nature, random: &mut Random) -> Fate {
        let Nature { writes, conditional, control, .. } = nature;
        let (low, high) = if now >= self.calm_at { (5, 30) } else { self.latency };
        let apply = now + random.between(low, high);
        let answer = apply + random.between(low, high);
        let smooth = Fate {
            kind: Kind::Smooth,
            apply: Some(apply),
            copy: None,
            answer: Some(answer),
            answering: Answering::Truth,
        };
        if !(self.from..self.calm_at).contains(&now) {
            return smooth;
        }
        let outage = |outage: &&Outage| {
            (outage.from..outage.to).contains(&now)
                && outage.worker.is_none_or(|only| only == worker)
                && outage.part.holds(nature)
        };
        if let Some(outage) = self.outages.iter().find(outage) {
            return Self::in_outage(outage, now, writes, random);
        }
        if !random.permille(if control { self.control_faults } else { self.faults }) {
            return smooth;
        }
        let kind = match (writes, conditional) {
            (true, true) => random.pick(&Kind::CONDITIONAL),
            (true, false) => random.pick(&Kind::PLAIN),
            (false, _) => random.pick(&Kind::READ),
        };
        let said = |refusal| Fate { kind, apply: None, answering: Answering::Say(refusal), ..smooth };
        let late = now + Self::long(random);
        match kind {
            Kind::Smooth | Kind::Outage => Fate { kind, ..smooth },
            Kind::Delayed => {
                Fate { kind, apply: Some(late), answer: Some(late + random.between(low, high)), ..smooth }
            }
            Kind::ErrorBefore => {
                said(Refusal::Trouble(random.pick(&[Trouble::Failed, Trouble::Reset, Trouble::Unreachable])))
            }
            Kind::Status429 => said(Refusal::Trouble(Trouble::Busy)),
            Kind::Status503 => said(Refusal::Trouble(Trouble::Unavailable)),
            Kind::RequestLost => Fate { kind, apply: None, answer: None, ..smooth },
            Kind::ReplyLost => match random.pick(&[None, Some(Trouble::Reset), Some(Trouble::Failed)]) {
                None => Fate { kind, answer: None, ..smooth },
                Some(trouble) => {
                    Fate { kind, answering: Answering::Say(Refusal::Trouble(trouble)), ..smooth }
                }
            },
            Kind::AppliedLate => match random.pick(&[None, Some(Trouble::Reset), Some(Trouble::Unavailable)])
            {
                None => Fate { kind, apply: Some(late), answer: None, ..smooth },
                Some(trouble) => {
                    let answering = Answering::Say(Refusal::Trouble(trouble));
                    Fate { kind, apply: Some(late), answering, ..smooth }
                }
            },
            Kind::Duplicated => Fate { kind, copy: Some(apply + Self::long(random)), ..smooth },
            Kind::Conflict409Before => said(Refusal::AlreadyExists),
            Kind::Precondition412Before => said(Refusal::Precondition),
            Kind::Conflict409After => {
                Fate { kind, answering: Answering::Say(Refusal::AlreadyExists), ..smooth }
            }
            Kind::Precondition412After => {
                Fate { kind, answering: Answering::Say(Refusal::Precondition), ..smooth }
            }
        }
    }

    fn in_outage(outage: &Outage, now: Millis, writes: bool, random: &mut Random) -> Fate {
        let kind = Kind::Outage;
        let answering = Answering::Say(Refusal::Trouble(random.pick(&[
            Trouble::Unavailable,
            Trouble::Reset,
            Trouble::Unreachable,
            Trouble::Busy,
        ])));
        let answer = (!outage.hangs).then(|| now + random.between(1, 100));
        // What a router has kept is delivered when the way is open again.
        let late = writes && outage.hangs && random.permille(200);
        let apply = late.then(|| outage.to.max(now + 1) + random.between(0, 5_000));
        Fate { kind, apply, copy: None, answer, answering }
    }

    /// From a moment to over a minute; short ones are more frequent.
    fn long(random: &mut Random) -> Millis {
        let most = random.pick(&[300, 2_000, 5_000, 20_000, 90_000]);
        random.between(100, most)
    }
}
