//! The objects that torch builds from a pickle's values: storages, tensors, and the dictionary of a model's weights.
//!
//! This module must not depend on instructions or files. Invariant: a tensor's description holds only what the file states; whether it is
//! valid is checked where its bytes are. Reference: torch's `torch/_utils.py`, `torch/_tensor.py`, `torch/serialization.py`.

use super::{
    pickle::{self, MAX_INSTRUCTIONS, MAX_NAME, ParsedPickle, Values, shown},
    pickle_values::{Global, Storage, TensorView, Value},
};

/// More dimensions than any weight has; bounds the work for one tensor.
const MAX_DIMENSIONS: usize = 8;

/// The most dictionaries around the weights, each being the `state_dict` of the one before.
const MAX_WRAPPINGS: usize = 8;

/// The weights of a pickle.
#[derive(Debug)]
pub(super) struct StateDict<'a> {
    /// Every tensor by its name.
    pub(super) tensors: Vec<(String, TensorView<'a>)>,
    /// Number of training steps, if the pickle states it beside the weights.
    pub(super) global_step: Option<i64>,
}

/// Reads a pickled dictionary of tensors, or one wrapped as `{"state_dict": {..}, ..}`; entries that are not tensors are omitted. If the
/// outermost dictionary has no tensors, the tensors of its dictionaries are read, with the name of the dictionary before their own.
///
/// # Errors
/// A message about the unsupported part, with its position in bytes but without the file's name.
pub(super) fn state_dict(bytes: &[u8]) -> Result<StateDict<'_>, String> {
    if bytes.len() > pickle::MAX_BYTES {
        return Err(format!("the pickle has {} bytes, the limit is {}", bytes.len(), pickle::MAX_BYTES));
    }
    pickle::read(bytes)?.state_dict()
}

impl<'a> ParsedPickle<'a> {
    /// The weights; see [`state_dict`].
    ///
    /// # Errors
    /// If the pickle is not a dictionary of tensors.
    pub(super) fn state_dict(&self) -> Result<StateDict<'a>, String> {
        let mut weights = self.values.entries(self.result).ok_or_else(|| self.no_weights())?;
        let mut global_step = None;
        for _ in 0..MAX_WRAPPINGS {
            global_step = global_step.or_else(|| match find(weights, "global_step") {
                Some(Value::Int(step)) => Some(step),
                _ => None,
            });
            match find(weights, "state_dict").and_then(|inner| self.values.entries(inner)) {
                Some(inner) => weights = inner,
                None => break,
            }
        }
        let mut tensors = self.values.tensors_in(weights, None)?;
        if tensors.is_empty() {
            // The same dictionary can occur under many names.
            let mut left = MAX_INSTRUCTIONS;
            for (key, value) in weights {
                let (Value::Text(key), Some(inner)) = (key, self.values.entries(*value)) else { continue };
                left = left
                    .checked_sub(inner.len())
                    .ok_or_else(|| format!("the pickle's dictionaries have more than {MAX_INSTRUCTIONS} entries"))?;
                tensors.extend(self.values.tensors_in(inner, Some(key))?);
            }
        }
        if let (true, Value::Dict(dict)) = (tensors.is_empty(), self.result)
            && self.values.dicts.get(dict).is_some_and(|dict| dict.class.is_some_and(|(module, _)| module != "collections"))
        {
            return Err(self.no_weights());
        }
        Ok(StateDict { tensors, global_step })
    }

    /// The value of a name in the pickled dictionary.
    pub(super) fn entry(&self, name: &str) -> Option<Value<'a>> {
        find(self.values.entries(self.result)?, name)
    }

    /// The strings of the pickled list.
    pub(super) fn texts(&self) -> Option<Vec<&'a str>> {
        let Value::List(list) = self.result else { return None };
        let text = |value: &Value<'a>| if let Value::Text(text) = value { Some(*text) } else { None };
        self.values.lists.get(list)?.iter().map(text).collect()
    }

    fn no_weights(&self) -> String {
        let class = if let Value::Dict(dict) = self.result { self.values.dicts.get(dict).and_then(|dict| dict.class) } else { None };
        match class {
            Some((module, name)) => format!(
                "the pickle holds an object of the class {}.{}, not a dictionary of tensors: load it with the program that it is from and \
                 save its state_dict()",
                shown(module),
                shown(name)
            ),
            None => format!("the pickle holds {}, not a dictionary of tensors", self.result.kind()),
        }
    }
}

impl<'a> Values<'a> {
    fn entries(&self, value: Value<'a>) -> Option<&[(Value<'a>, Value<'a>)]> {
        if let Value::Dict(dict) = value { self.dicts.get(dict).map(|dict| dict.items.as_slice()) } else { None }
    }

    /// The tensors of a dictionary, named with the prefix `dictionary`, if any.
    fn tensors_in(&self, entries: &[(Value<'a>, Value<'a>)], dictionary: Option<&str>) -> Result<Vec<(String, TensorView<'a>)>, String> {
        let mut tensors = Vec::new();
        for (key, value) in entries {
            let (Value::Text(name), Value::Tensor(tensor)) = (key, value) else { continue };
            let Some(tensor) = self.tensors.get(*tensor) else { continue };
            let length = name.len() + dictionary.map_or(0, |dictionary| dictionary.len() + 1);
            if length > MAX_NAME {
                return Err(format!(
                    "a tensor's name has {length} bytes, the limit is {MAX_NAME}: {}..",
                    shown(dictionary.unwrap_or(name))
                ));
            }
            let name = dictionary.map_or_else(|| (*name).to_owned(), |dictionary| format!("{dictionary}.{name}"));
            tensors.push((name, tensor.clone()));
        }
        Ok(tensors)
    }

    /// The list that is a call's only argument.
    pub(super) fn list_given(&self, arguments: usize) -> Option<&[Value<'a>]> {
        let [Value::List(list)] = self.tuples.get(arguments)?.as_slice() else { return None };
        self.lists.get(*list).map(Vec::as_slice)
    }

    /// The items in a call of a dictionary's class: Python 2 calls `OrderedDict` with a list of pairs.
    pub(super) fn items_given(&self, arguments: usize) -> Option<Vec<(Value<'a>, Value<'a>)>> {
        let pair = |value: &Value<'a>| {
            let items = if let Value::List(list) = *value { self.lists.get(list).map(Vec::as_slice) } else { self.tuple(*value) };
            if let [key, value] = items? { Some((*key, *value)) } else { None }
        };
        self.list_given(arguments)?.iter().map(pair).collect()
    }

    fn tuple(&self, value: Value<'a>) -> Option<&[Value<'a>]> {
        let Value::Tuple(tuple) = value else { return None };
        self.tuples.get(tuple).map(Vec::as_slice)
    }

    /// Resolves ("storage", type, key, location, element count), as torch.save writes it; before torch 1.6 followed by the view of another
    /// storage that it is, or None.
    ///
    /// # Errors
    /// If it refers to anything else.
    pub(super) fn storage(&mut self, id: Value<'a>) -> Result<Value<'a>, String> {
        let (element, key, count, view) = match self.tuple(id) {
            Some(
                [
                    Value::Text("storage"),
                    Value::Global(Global::StorageOf(element)),
                    Value::Text(key),
                    Value::Text(_),
                    Value::Int(count),
                    rest @ ..,
                ],
            ) => (*element, *key, size(*count)?, rest),
            // Before torch 1.6, a pickled module included its source code.
            Some([Value::Text("module"), class, ..]) => return Ok(*class),
            _ => return Err("it refers to something outside it that is no storage".into()),
        };
        let offset = match view {
            [] | [Value::None] => 0,
            [view] => match self.tuple(*view) {
                Some([Value::Text(_), Value::Int(offset), Value::Int(_)]) => size(*offset)?,
                _ => return Err("it refers to a view of a storage that torch.save does not write".into()),
            },
            _ => return Err("it refers to something outside it that is no storage".into()),
        };
        let bytes = element.bits().checked_mul(count).ok_or_else(|| format!("a storage has {count} elements"))? / 8;
        let storage = Storage { key, element, bytes, offset };
        self.storages.push(storage);
        Ok(Value::Storage(storage))
    }

    /// The result of calling one of torch's functions.
    ///
    /// # Errors
    /// If torch.save does not write such arguments.
    pub(super) fn rebuild(&mut self, global: Global<'a>, arguments: usize) -> Result<Value<'a>, String> {
        let Some(tuple) = self.tuples.get(arguments) else { return Err("it calls something without a tuple of arguments".into()) };
        let (storage, element, rest) = match (global, tuple.as_slice()) {
            (Global::RebuildTensor, [Value::Storage(storage), rest @ ..]) => (*storage, storage.element, rest),
            (Global::RebuildTensorV3, [Value::Storage(storage), rest @ .., Value::Global(Global::Dtype(element))])
            | (
                Global::RebuildTensorV3,
                [Value::Storage(storage), rest @ .., Value::Global(Global::Dtype(element)), Value::None | Value::Dict(_)],
            ) => (*storage, *element, rest),
            (Global::RebuildParameter, [tensor @ Value::Tensor(_), Value::Bool(_), Value::Dict(_), ..]) => return Ok(*tensor),
            (Global::RebuildFromType, [Value::Global(function), _type, Value::Tuple(arguments), ..])
                if matches!(function, Global::RebuildTensor | Global::RebuildTensorV3 | Global::RebuildParameter) =>
            {
                let (function, arguments) = (*function, *arguments);
                return self.rebuild(function, arguments);
            }
            // A subclass that is not rebuilt from a storage is not one of a model's weights.
            (Global::RebuildFromType, _) => return Ok(Value::Other("a tensor of a class of its own")),
            (Global::StorageOf(_) | Global::Dtype(_), _) => return Err("it calls a storage type, which is not allowed".into()),
            (Global::RebuildTensor | Global::RebuildTensorV3 | Global::RebuildParameter | Global::Other { .. }, _) => {
                return Err(format!("it calls {global:?} with arguments that torch.save does not write"));
            }
        };
        let [Value::Int(offset), shape, strides, rest @ ..] = rest else {
            return Err(format!("it calls {global:?} with arguments that torch.save does not write"));
        };
        if !matches!(rest, [] | [Value::Bool(_), Value::Dict(_)] | [Value::Bool(_), Value::Dict(_), Value::None | Value::Dict(_)]) {
            return Err(format!("it calls {global:?} with arguments that torch.save does not write"));
        }
        if storage.offset != 0 && storage.element != element {
            return Err("a tensor is a view of a view in other elements".into());
        }
        let offset = size(*offset)?.checked_add(storage.offset).ok_or("an offset overflows")?;
        let view =
            TensorView { storage: Storage { element, ..storage }, offset, shape: self.sizes(*shape)?, strides: self.sizes(*strides)? };
        self.tensors.push(view);
        Ok(Value::Tensor(self.tensors.len() - 1))
    }

    fn sizes(&self, value: Value<'a>) -> Result<Vec<usize>, String> {
        let items = self.tuple(value).ok_or("a shape is no tuple")?;
        if items.len() > MAX_DIMENSIONS {
            return Err(format!("a tensor has {} dimensions, the limit is {MAX_DIMENSIONS}", items.len()));
        }
        items
            .iter()
            .map(|item| {
                let Value::Int(value) = item else { return Err(format!("a shape holds {}", item.kind())) };
                size(*value)
            })
            .collect()
    }
}

/// The last value of a name, as in Python.
fn find<'a>(entries: &[(Value<'a>, Value<'a>)], name: &str) -> Option<Value<'a>> {
    entries.iter().rev().find_map(|(key, value)| matches!(key, Value::Text(text) if *text == name).then_some(*value))
}

fn size(value: i64) -> Result<usize, String> {
    usize::try_from(value).map_err(|_| format!("a size or offset is {value}"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::weights::strided::Element;

    /// A dictionary of one tensor with two f32 at offset 1, in protocol 2 as torch writes it.
    const TENSOR: &[u8] = b"\x80\x02}X\x01\0\0\0actorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n\
        X\x01\0\0\x000X\x03\0\0\0cpuK\x03tQK\x01K\x02\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtRs.";

    fn refusal(pickle: &[u8]) -> String {
        state_dict(pickle).unwrap_err()
    }

    /// The names of the tensors in a pickle with [`TENSOR`] between two other pieces.
    fn names_around(before: &[u8], after: &[u8]) -> Vec<String> {
        let middle = &TENSOR[2..TENSOR.len() - 1];
        let pickle = [b"\x80\x02", before, middle, after, b"."].concat();
        let found = state_dict(&pickle).unwrap();
        found.tensors.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn a_tensor_is_described() {
        let storage = Storage { key: "0", element: Element::F32, bytes: 12, offset: 0 };
        let view = TensorView { storage, offset: 1, shape: vec![2], strides: vec![1] };
        assert_eq!(state_dict(TENSOR).unwrap().tensors, [("a".to_owned(), view)]);
    }

    #[test]
    fn errors_name_the_unsupported_part() {
        let call = refusal(b"\x80\x02cos\nsystem\nX\x02\0\0\0ls\x85R.");
        assert_eq!(call, "it refers to os.system, which is not allowed (byte 2 of the pickle); nothing was run");
        assert!(refusal(b"\x80\x04\x8c\x02os\x8c\x06system\x93.").starts_with("it refers to os.system, which is not allowed (byte 14"));
        assert!(refusal(b"\x80\x02(ibuiltins\neval\n.").contains("it refers to builtins.eval"));
        assert!(refusal(b"\x80\x02ctorch.storage\n_load_from_bytes\n.").contains("torch.storage._load_from_bytes"));
        assert!(refusal(b"\x80\x02}\xff.").contains("the instruction 0xff"));
        assert!(refusal(b"\x80\x02\x82\x01.").contains("the instruction EXT1"));
        assert!(refusal(b"\x80\x02ctorch\nFloatStorage\n)R.").contains("it calls a storage type"));
        assert!(refusal(b"\x80\x02X\x01\0\0\0a)R.").contains("it calls a string, which is not allowed"));
        assert!(refusal(b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.").contains("arguments that torch.save does not write"));
        assert!(refusal(b"\x80\x02X\x01\0\0\0a}b.").contains("sets the attributes of a string"));
        assert!(refusal(b"\x80\x01}.").contains("protocol 1"));
        assert!(refusal(b"\x80\x02].").contains("holds a list, not a dictionary"));
        assert!(refusal(b"\x80\x02cmy.models\nNet\x1b\n)\x81.").contains("an object of the class my.models.Net\\u{1b}, not a dictionary"));
        assert!(refusal(b"\x80\x02cos\nna\x1b[31mme\n.").contains("os.na\\u{1b}[31mme"));
        assert!(refusal(b"").contains("it is truncated"));
    }

    #[test]
    fn unknown_names_are_data() {
        let key = b"X\x01\0\0\0k";
        // torch.Size((2, 3)); a numpy scalar with its bytes; a set; an object with a state; an object in Python 1's style; old strings.
        for value in [
            &b"ctorch\nSize\nK\x02K\x03\x86\x85R"[..],
            b"cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nX\x02\0\0\0i8\x89\x88\x87R(K\x03X\x01\0\0\0<NNNtbC\x02ab\x86R",
            b"c__builtin__\nset\n](K\x01K\x02e\x85R",
            b"\x8f(K\x01\x90",
            b"cargparse\nNamespace\n)\x81}X\x02\0\0\0lrG\0\0\0\0\0\0\0\0sb",
            b"(cmine\nThing\nK\x01o",
            b"(imine\nThing\n",
            b"cmine\nThing\n)}\x92",
            b"F1.5\n",
            b"L12L\n",
            b"\x8a\x0b\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b",
            b"S'text'\n",
            b"U\x02\xff\xfe",
            b"(lp5\nK\x01a2g5\n00",
            b"(K\x011N",
        ] {
            let after = [&key[..], value, b"s"].concat();
            assert_eq!(names_around(b"", &after), ["a"], "{}", value.escape_ascii());
        }
    }

    #[test]
    fn weights_are_found_in_dictionaries_of_every_class() {
        // Below a key, as torch.save of {"params": ..} writes it, and in a dictionary's subclass with its items.
        assert_eq!(names_around(b"}X\x06\0\0\0params", b"s"), ["params.a"]);
        assert_eq!(names_around(b"}X\x0a\0\0\0state_dict", b"s"), ["a"]);
        let inner = &TENSOR[3..TENSOR.len() - 2];
        for class in [&b"cmine\nStateDict\n)R"[..], b"cmine\nStateDict\n)\x81", b"ccollections\ndefaultdict\nc__builtin__\nlist\n\x85R"] {
            let pickle = [b"\x80\x02", class, inner, b"s."].concat();
            let found = state_dict(&pickle).unwrap();
            assert_eq!(found.tensors.len(), 1, "{}", class.escape_ascii());
        }
        // Python 2's OrderedDict is called with its items.
        let pickle = [b"\x80\x02ccollections\nOrderedDict\n](](", inner, b"ee\x85R."].concat();
        let found = state_dict(&pickle).unwrap();
        assert_eq!(found.tensors[0].0, "a");
    }

    #[test]
    fn training_steps_are_read() {
        let step = |pickle: &[u8]| state_dict(pickle).unwrap().global_step;
        assert_eq!(step(b"\x80\x02}(X\x0b\0\0\0global_stepJ\xf8Y\x0d\0X\x0a\0\0\0state_dict}u."), Some(875_000));
        assert_eq!(step(b"\x80\x02}X\x0a\0\0\0state_dict}X\x0b\0\0\0global_stepK\x05ss."), Some(5));
        assert_eq!(step(b"\x80\x02}X\x0b\0\0\0global_stepNs."), None);
    }

    #[test]
    fn malicious_pickles_are_bounded() {
        let refused = |repeated: &[u8]| refusal(&[b"\x80\x02", repeated.repeat(2_000_000).as_slice()].concat());
        for repeated in [&b"("[..], b")", b"}", b"]", b"N", b")\x85", b"(t", b"\x8f"] {
            assert!(refused(repeated).contains("more than 1000000 instructions"));
        }
        // Amplification: a list of a thousand pairs, and calls that each copy it.
        let list = [b"\x80\x02](".as_slice(), b"K\x01K\x02\x86".repeat(1000).as_slice(), b"eq\0"].concat();
        let doubled = [list.as_slice(), b"ca\nb\nh\0\x85R".repeat(10_000).as_slice()].concat();
        assert!(refusal(&doubled).contains("more than 1000000 instructions"));
        // The same with a last item that is not a pair, so that nothing is copied in the end.
        let list = [b"\x80\x02](".as_slice(), b"K\x01K\x02\x86".repeat(1000).as_slice(), b"Neq\0"].concat();
        let walked = [list.as_slice(), b"ca\nb\nh\0\x85R".repeat(10_000).as_slice()].concat();
        assert!(refusal(&walked).contains("more than 1000000 instructions"));
        // Long names, which could be referred to repeatedly: of a tensor, its dictionary, a class.
        let long = [b"X\x58\x02\0\0".as_slice(), b"k".repeat(600).as_slice()].concat();
        let named = [b"\x80\x02}", long.as_slice(), &TENSOR[9..]].concat();
        assert!(refusal(&named).contains("a tensor's name has 600 bytes, the limit is 512: kkk"));
        let within = [b"\x80\x02}", long.as_slice(), &TENSOR[2..TENSOR.len() - 1], b"s."].concat();
        assert!(refusal(&within).contains("a tensor's name has 602 bytes, the limit is 512: kkk"));
        let class = [b"\x80\x04", long.as_slice(), b"X\x01\0\0\0a\x93."].concat();
        assert!(refusal(&class).contains("a name of more than 512 bytes"));
        // A dictionary of two thousand entries under a thousand names.
        let inner = [b"\x80\x02}(".as_slice(), b"NN".repeat(2000).as_slice(), b"uq\x000}("].concat();
        let repeated = [inner.as_slice(), b"X\x01\0\0\0kh\0".repeat(1000).as_slice(), b"u."].concat();
        assert!(refusal(&repeated).contains("more than 1000000 entries"));
        // A tuple that contains itself, by way of the memo, is only an index; so is a dictionary that is its own state_dict.
        assert!(refusal(b"\x80\x02(Kxq\0h\0tq\0h\0h\0\x86.").contains("holds a tuple"));
        assert!(state_dict(b"\x80\x02}q\0X\x0a\0\0\0state_dicth\0s.").unwrap().tensors.is_empty());
        for cut in 0..TENSOR.len() - 1 {
            assert!(state_dict(&TENSOR[..cut]).is_err());
        }
        let many = TENSOR.to_vec().iter().copied().flat_map(|byte| if byte == 0x85 { vec![0x86] } else { vec![byte] }).collect::<Vec<_>>();
        assert!(state_dict(&many).is_err());
    }
}
