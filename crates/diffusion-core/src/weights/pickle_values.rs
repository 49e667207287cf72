//! The values on the pickle machine's stack and in its memo, and the names that it knows.
//!
//! This module must not depend on instructions or files. Invariant: a value is small and can be copied freely; its contents live in the
//! machine's arenas.

use super::strided::Element;

/// A part of the file that tensors are views of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Storage<'a> {
    /// The name of its record: the part after `data/` in an archive.
    pub(super) key: &'a str,
    /// The type of its elements; bytes if the tensors state their own type.
    pub(super) element: Element,
    /// Its length in bytes.
    pub(super) bytes: usize,
    /// Its offset in the record, in elements; nonzero only in files from before torch 1.6.
    pub(super) offset: usize,
}

/// A tensor as the pickle describes it, not yet checked against its storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TensorView<'a> {
    pub(super) storage: Storage<'a>,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// A class or function that a pickle mentions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global<'a> {
    /// `torch._utils._rebuild_tensor` and `_rebuild_tensor_v2`.
    RebuildTensor,
    /// `torch._utils._rebuild_tensor_v3`: with elements that have no storage class.
    RebuildTensorV3,
    /// `torch._utils._rebuild_parameter`, with and without attributes.
    RebuildParameter,
    /// `torch._tensor._rebuild_from_type_v2`: a tensor of a subclass, or with attributes.
    RebuildFromType,
    StorageOf(Element),
    /// A torch.dtype.
    Dtype(Element),
    /// Any other name, without a meaning here.
    Other {
        module: &'a str,
        name: &'a str,
    },
}

impl<'a> Global<'a> {
    /// Looks up a name.
    pub(super) fn find(module: &'a str, name: &'a str) -> Self {
        let other = Self::Other { module, name };
        match (module, name) {
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Self::RebuildTensor,
            ("torch._utils", "_rebuild_tensor_v3") => Self::RebuildTensorV3,
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Self::RebuildParameter,
            ("torch._tensor", "_rebuild_from_type_v2") => Self::RebuildFromType,
            ("torch.storage", "UntypedStorage") => Self::StorageOf(Element::BYTE),
            ("torch" | "torch.cuda", _) => {
                let storage = name.strip_suffix("Storage").and_then(|class| ELEMENTS.iter().find(|(known, ..)| *known == class));
                let dtype = || ELEMENTS.iter().find(|(_, known, _)| *known == name);
                match (storage, dtype()) {
                    (Some((.., element)), _) => Self::StorageOf(*element),
                    (None, Some((.., element))) => Self::Dtype(*element),
                    (None, None) => other,
                }
            }
            _ => other,
        }
    }
}

/// torch's storage classes and dtypes: the class name's part before "Storage", the dtype's name, and the element type of both.
const ELEMENTS: [(&str, &str, Element); 15] = [
    ("Float", "float32", Element::F32),
    ("Half", "float16", Element::F16),
    ("BFloat16", "bfloat16", Element::Bf16),
    ("Double", "float64", Element::F64),
    ("Long", "int64", Element::I64),
    ("Float8_e4m3fn", "float8_e4m3fn", Element::F8E4M3),
    ("Float8_e5m2", "float8_e5m2", Element::F8E5M2),
    ("Int", "int32", Element::Other { name: "i32", bits: 32 }),
    ("Short", "int16", Element::Other { name: "i16", bits: 16 }),
    ("Char", "int8", Element::Other { name: "i8", bits: 8 }),
    ("Byte", "uint8", Element::BYTE),
    ("Bool", "bool", Element::Other { name: "bool", bits: 8 }),
    ("UInt16", "uint16", Element::Other { name: "u16", bits: 16 }),
    ("UInt32", "uint32", Element::Other { name: "u32", bits: 32 }),
    ("UInt64", "uint64", Element::Other { name: "u64", bits: 64 }),
];

/// A dictionary, or an object of an unknown class, whose contents are stored as if it were a dictionary.
#[derive(Debug, Default)]
pub(super) struct Dict<'a> {
    /// The class, if it is an object.
    pub(super) class: Option<(&'a str, &'a str)>,
    pub(super) items: Vec<(Value<'a>, Value<'a>)>,
}

/// A value on the machine's stack or in its memo; containers are indices into the arenas.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    Text(&'a str),
    Tuple(usize),
    List(usize),
    Dict(usize),
    Global(Global<'a>),
    Storage(Storage<'a>),
    Tensor(usize),
    /// An opaque value, by its kind: a float, bytes, a set.
    Other(&'static str),
}

impl Value<'_> {
    /// The kind of value, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool(_) => "a bool",
            Self::Int(_) => "an int",
            Self::Text(_) => "a string",
            Self::Tuple(_) => "a tuple",
            Self::List(_) => "a list",
            Self::Dict(_) => "a dictionary",
            Self::Global(_) => "a class or function",
            Self::Storage(_) => "a storage",
            Self::Tensor(_) => "a tensor",
            Self::Other(kind) => kind,
        }
    }
}
