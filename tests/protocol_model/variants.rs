//! The bounds of one run, the kinds of store, and the near variants of the protocol, each wrong in one place.

/// How a store keeps the control object, and so what else it can promise.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Conditional PUT by version, for the playlists too.
    Update,
    /// Version v+1 is a new object; playlists have no If-Match.
    Numbered,
    /// Numbered, but a write is done or not done when the call returns: `file:`.
    File,
}

/// What a run explores. The number of turns of workers has no bound: who ends, may begin anew.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    pub form: Form,
    /// Workers alive at the same time.
    pub workers: usize,
    /// Claims before the recording is abandoned.
    pub failovers: u8,
    /// Segments, dropped ones included, of a generation.
    pub segments: u8,
    /// Dropped ones among them.
    pub drops: u32,
    /// Requests under way that nobody waits for any more.
    pub flight: usize,
    /// Whether the search may take those of `reduce`.
    pub shortcuts: bool,
    pub variant: Option<Variant>,
}

impl Model {
    /// Not for these variants: they act where the protocol cannot, on a version that is gone or an older generation.
    pub fn takes_shortcuts(&self) -> bool {
        use Variant::*;
        let acts_late = self.variant.is_some_and(|variant| {
            matches!(
                variant,
                PublishBeforeCommit
                    | FinalKeepsEpoch
                    | FinalKeepsEpochAlone
                    | OldSeal
                    | ClaimAgain
                    | SealNamedByEpoch
                    | SealOverwritten
                    | NeverFenced
                    | StoreIgnoresConditions
                    | ClaimantEndsOldPlaylist
            )
        });
        self.shortcuts && !acts_late
    }

    pub fn is(&self, variant: Variant) -> bool {
        self.variant == Some(variant)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Variant {
    /// A playlist is PUT without If-Match.
    PublishWithoutIfMatch,
    /// A playlist lists what is stored, not what is committed.
    PublishBeforeCommit,
    /// A CAS without an answer counts as won.
    TimeoutIsSuccess,
    /// A refused CAS counts as fenced, without reading back.
    RefusedIsFenced,
    /// A refused publish counts as fenced.
    RefusedPublishIsFenced,
    /// An undecided write is repeated under a new nonce.
    FreshNonce,
    /// Stop and Abandon keep the epoch. The phase fences all the same: the one variant without a counterexample.
    FinalKeepsEpoch,
    /// Stop and Abandon keep the epoch, and the epoch alone fences.
    FinalKeepsEpochAlone,
    /// A segment is dropped although the commit that holds it was sent.
    DropAfterSent,
    /// The batch of an undecided commit grows when it is repeated.
    BatchGrows,
    /// A commit is sent for a segment that is not known to be stored.
    CommitBeforeStored,
    /// A claim that lost is repeated on the newer version, with the seal it has.
    OldSeal,
    /// A claim that lost is made again, seal and all, on the newer state.
    ClaimAgain,
    /// A seal is named by the epoch, and a seal found there counts as one's own.
    SealNamedByEpoch,
    /// A seal is named by the epoch and PUT without a condition.
    SealOverwritten,
    /// A refused commit is repeated on the newer version, whatever that says.
    NeverFenced,
    /// The tail lets go of what is committed, published or not.
    TailForgets,
    /// A claim does not count failovers.
    NoLimit,
    /// The store answers 200 to every conditional PUT: what the probe is for.
    StoreIgnoresConditions,
    /// Who claims also publishes the older playlist, as the seal has it.
    ClaimantEndsOldPlaylist,
}
