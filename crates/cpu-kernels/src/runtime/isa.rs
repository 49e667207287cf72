//! Instruction set detection: which of five levels this processor has, probed once.
//!
//! A level names the instructions of the matrix products; everything else is compiled for the widest vectors that the level has. Invariant:
//! an engine has a [`Level`] only if the processor and the operating system support it.

use std::sync::OnceLock;

/// The instructions that the kernels use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Plain Rust, for any processor.
    Portable,
    /// x86-64 with AVX2, FMA and F16C.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL.
    Avx512,
    /// AVX-512 with `vdpbf16ps`: products of bfloat16 pairs.
    Avx512Bf16,
    /// AVX-512 with the tile registers' `tdpbf16ps`, if the operating system lets a process use them.
    Amx,
}

impl Level {
    /// All levels in ascending order.
    pub const ALL: [Self; 5] = [Self::Portable, Self::Avx2, Self::Avx512, Self::Avx512Bf16, Self::Amx];

    /// The fastest level of this processor: the highest that it has, but not [`Self::Avx512Bf16`] where that multiplies slower than
    /// [`Self::Avx512`].
    pub fn detect() -> Self {
        static FOUND: OnceLock<Level> = OnceLock::new();
        *FOUND.get_or_init(|| Self::fastest(Self::probe, bf16_pays()))
    }

    /// The fastest of the levels that a processor has; `bf16_pays` if its `vdpbf16ps` does more in the same time than FMAs of f32.
    fn fastest(has: impl Fn(Self) -> bool, bf16_pays: bool) -> Self {
        let pays = |level: Self| level != Self::Avx512Bf16 || bf16_pays;
        Self::ALL.into_iter().rev().find(|&level| pays(level) && has(level)).unwrap_or(Self::Portable)
    }

    /// Whether this processor has the level.
    pub fn is_available(self) -> bool {
        self == Self::Portable || self.probe()
    }

    /// Whether this level has instructions for products of bfloat16.
    pub fn has_bf16(self) -> bool {
        matches!(self, Self::Avx512Bf16 | Self::Amx)
    }

    /// The level's name: portable, avx2, avx512, avx512bf16, amx.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Avx512Bf16 => "avx512bf16",
            Self::Amx => "amx",
        }
    }

    /// Parses [`Self::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    #[cfg(target_arch = "x86_64")]
    fn probe(self) -> bool {
        use std::arch::is_x86_feature_detected as has;
        let avx2 = || has!("avx2") && has!("fma") && has!("f16c");
        let avx512 = || avx2() && has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl");
        match self {
            Self::Portable => true,
            Self::Avx2 => avx2(),
            Self::Avx512 => avx512(),
            Self::Avx512Bf16 => avx512() && has!("avx512bf16"),
            Self::Amx => avx512() && has!("avx512bf16") && tiles_allowed(),
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn probe(self) -> bool {
        self == Self::Portable
    }
}

/// Whether `vdpbf16ps` does more in the same time than FMAs of f32.
#[cfg(target_arch = "x86_64")]
fn bf16_pays() -> bool {
    use std::arch::x86_64::__cpuid;
    #[allow(unused_unsafe)]
    // SAFETY: every x86-64 processor has leaves 0 and 1.
    let (vendor, version) = unsafe { (__cpuid(0), __cpuid(1).eax) };
    bf16_pays_of([vendor.ebx, vendor.edx, vendor.ecx].map(u32::to_le_bytes).as_flattened(), version)
}

/// [`bf16_pays`] for leaf 0's name and leaf 1's version. Intel's processors with tile registers give `vdpbf16ps` half the work of
/// FMAs, and so it is where a virtual machine hides the tiles or the system does not allow them (README, Experiments). Cooper Lake has none, and
/// AMD's give it twice the work.
#[cfg(target_arch = "x86_64")]
fn bf16_pays_of(name: &[u8], version: u32) -> bool {
    const COOPER_LAKE: (u32, u32) = (6, 0x55);
    // Bits 8 to 11 are the family; its model is bits 4 to 7, and above them bits 16 to 19.
    let (family, model) = (version >> 8 & 0xf, version >> 4 & 0xf | version >> 12 & 0xf0);
    name != b"GenuineIntel" || (family, model) == COOPER_LAKE
}

#[cfg(not(target_arch = "x86_64"))]
fn bf16_pays() -> bool {
    true
}

/// Requests the tile registers' state from Linux, which a process may use only after a request.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn tiles_allowed() -> bool {
    use std::arch::x86_64::__cpuid_count;
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_long = 18;
    // Leaf 7, EDX: bit 22 is AMX-BF16, bit 24 AMX-TILE.
    #[allow(unused_unsafe)]
    // SAFETY: every processor with AVX-512, which has been checked, has leaf 7.
    let edx = unsafe { __cpuid_count(7, 0) }.edx;
    let has = |bit: u32| edx & (1 << bit) != 0;
    // SAFETY: this call takes two numbers and touches none of our memory; a kernel that does not support it returns an error.
    has(22) && has(24) && unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) } == 0
}

#[cfg(all(target_arch = "x86_64", not(target_os = "linux")))]
fn tiles_allowed() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bf16_without_tiles_is_chosen_only_where_it_is_the_faster() {
        let up_to = |best: Level, bf16_pays: bool| Level::fastest(|level| level <= best, bf16_pays);
        for best in Level::ALL {
            assert_eq!(up_to(best, true), best);
            assert_eq!(up_to(best, false), if best == Level::Avx512Bf16 { Level::Avx512 } else { best });
        }
        assert_eq!(Level::fastest(|_| false, true), Level::Portable);
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn intels_processors_with_tiles_multiply_bf16_slowly_without_them() {
        // Signatures of Cooper Lake, Sapphire Rapids, Emerald Rapids, Granite Rapids; Zen 4 and Zen 5.
        assert!(bf16_pays_of(b"GenuineIntel", 0x5065b));
        assert!([0x806f8, 0xc06f2, 0xa06d1].into_iter().all(|version| !bf16_pays_of(b"GenuineIntel", version)));
        assert!([0xa10f11, 0xb00f21].into_iter().all(|version| bf16_pays_of(b"AuthenticAMD", version)));
    }
}
