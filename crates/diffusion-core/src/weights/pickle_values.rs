//! What the pickle machine works on: the values of its stack and memo, and the few names that a pickle may mention.
//!
//! It must not know instructions or files. The invariant: a value is small and copied freely; what it contains lies in the machine's
//! arenas.

use super::strided::Element;

/// A piece of the archive that tensors are views of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Storage<'a> {
    /// The name of its record: the part after `data/`.
    pub(super) key: &'a str,
    /// The type of its elements.
    pub(super) element: Element,
    /// How many it has.
    pub(super) count: usize,
}

/// A tensor as the pickle describes it; nothing says yet that it fits its storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TensorView<'a> {
    pub(super) storage: Storage<'a>,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// The names that a pickle may mention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildParameter,
    StorageOf(Element),
}

impl Global {
    /// The name, if it is one that a pickle may mention.
    pub(super) fn find(module: &str, name: &str) -> Option<Self> {
        let other = |name, bits| Some(Self::StorageOf(Element::Other { name, bits }));
        match (module, name) {
            ("collections", "OrderedDict") => Some(Self::OrderedDict),
            ("torch._utils", "_rebuild_tensor_v2") => Some(Self::RebuildTensor),
            ("torch._utils", "_rebuild_parameter") => Some(Self::RebuildParameter),
            ("torch", "FloatStorage") => Some(Self::StorageOf(Element::F32)),
            ("torch", "HalfStorage") => Some(Self::StorageOf(Element::F16)),
            ("torch", "BFloat16Storage") => Some(Self::StorageOf(Element::Bf16)),
            ("torch", "DoubleStorage") => Some(Self::StorageOf(Element::F64)),
            ("torch", "LongStorage") => Some(Self::StorageOf(Element::I64)),
            ("torch", "IntStorage") => other("i32", 32),
            ("torch", "ShortStorage") => other("i16", 16),
            ("torch", "CharStorage") => other("i8", 8),
            ("torch", "ByteStorage") => other("u8", 8),
            ("torch", "BoolStorage") => other("bool", 8),
            _ => None,
        }
    }
}

/// What the machine's stack and memo hold; containers are indices into the arenas.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    None,
    Bool,
    Float,
    Int(i64),
    Text(&'a str),
    Tuple(usize),
    List,
    Dict(usize),
    Global(Global),
    Storage(Storage<'a>),
    Tensor(usize),
}

impl Value<'_> {
    /// What it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool => "a bool",
            Self::Float => "a float",
            Self::Int(_) => "an int",
            Self::Text(_) => "a string",
            Self::Tuple(_) => "a tuple",
            Self::List => "a list",
            Self::Dict(_) => "a dictionary",
            Self::Global(_) => "a class or function",
            Self::Storage(_) => "a storage",
            Self::Tensor(_) => "a tensor",
        }
    }
}
