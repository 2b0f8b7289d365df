//! How colours are to be read.

/// Code points of ISO/IEC 23091-2, which WebM and MP4 carry as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ColourSpace {
    /// `ColourPrimaries`
    pub primaries: u8,
    /// `TransferCharacteristics`
    pub transfer: u8,
    /// `MatrixCoefficients`
    pub matrix: u8,
    /// Samples use all of their range (`VideoFullRangeFlag`).
    pub full_range: bool,
}

impl ColourSpace {
    /// What stands for a code point that nothing tells.
    pub const UNSPECIFIED: u8 = 2;

    /// The space, unless nothing of it is told.
    pub(super) fn told([primaries, transfer, matrix]: [u8; 3], full_range: bool) -> Option<Self> {
        let is_told = [primaries, transfer, matrix] != [Self::UNSPECIFIED; 3];
        is_told.then_some(Self { primaries, transfer, matrix, full_range })
    }
}
