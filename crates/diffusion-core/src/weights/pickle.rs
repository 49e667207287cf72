//! Reads the pickle inside a torch file, and can execute nothing.
//!
//! A pickle is a program for a stack machine whose instructions may import and call anything. This machine knows the few instructions
//! that torch.save writes for a dictionary of tensors, a short list of names that it may mention, and three of those that it may "call",
//! each of which only fills in a description here. Anything else ends the reading, and the message names the instruction, or the name
//! that it asked for, and its place.
//!
//! It must not know files or candle. The invariants: every instruction takes constant work and memory for each byte that it reads, and
//! their number is bounded; containers live in one arena and refer to each other by index, so no nesting can exhaust the stack.
//! Reference: CPython's `Lib/pickletools.py` and torch's `torch/_utils.py`, `torch/serialization.py`.

use std::collections::HashMap;

use super::{
    opcodes,
    pickle_values::{Global, Storage, TensorView, Value},
};

/// The longest pickle that is read; a full-size UNet's is a hundred thousand bytes.
pub(super) const MAX_BYTES: usize = 64 << 20;

/// The most instructions that are followed; a full-size UNet's pickle has some thirty thousand. Each adds one value at most, so this
/// bounds the machine's memory to a hundred megabytes, however a pickle was made up.
const MAX_INSTRUCTIONS: usize = 1_000_000;

/// More dimensions than any weight has; it bounds the work of one tensor.
const MAX_DIMENSIONS: usize = 8;

/// Reads a pickled dictionary of tensors, or one wrapped as `{"state_dict": {..}, ..}`; entries that are no tensors are left out.
///
/// # Errors
/// What is outside the language, with its place in bytes; the text names no file.
pub(super) fn state_dict(pickle: &[u8]) -> Result<Vec<(&str, TensorView<'_>)>, String> {
    if pickle.len() > MAX_BYTES {
        return Err(format!("the pickle has {} bytes, the limit is {MAX_BYTES}", pickle.len()));
    }
    let mut machine = Machine { rest: pickle, length: pickle.len(), ..Machine::default() };
    let result = machine.run().map_err(|reason| format!("{reason} (byte {} of the pickle); nothing was run", machine.at))?;
    machine.tensors_of(result)
}

#[derive(Default)]
struct Machine<'a> {
    rest: &'a [u8],
    length: usize,
    /// Where the current instruction began.
    at: usize,
    stack: Vec<Value<'a>>,
    marks: Vec<usize>,
    memo: HashMap<u32, Value<'a>>,
    tuples: Vec<Vec<Value<'a>>>,
    dicts: Vec<Vec<(Value<'a>, Value<'a>)>>,
    tensors: Vec<TensorView<'a>>,
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Result<Value<'a>, String> {
        for _ in 0..MAX_INSTRUCTIONS {
            self.at = self.length - self.rest.len();
            let [opcode] = self.take_array()?;
            match opcode {
                opcodes::PROTO => {
                    let [version] = self.take_array()?;
                    if !(2..=5).contains(&version) {
                        return Err(format!("pickle protocol {version} is not supported"));
                    }
                }
                opcodes::FRAME => {
                    self.take_array::<8>()?;
                }
                opcodes::STOP => return self.pop(),
                opcodes::MARK => self.marks.push(self.stack.len()),
                opcodes::NONE => self.stack.push(Value::None),
                opcodes::NEWTRUE | opcodes::NEWFALSE => self.stack.push(Value::Bool),
                opcodes::BININT => {
                    let bytes = self.take_array()?;
                    self.stack.push(Value::Int(i32::from_le_bytes(bytes).into()));
                }
                opcodes::BININT1 => {
                    let [value] = self.take_array()?;
                    self.stack.push(Value::Int(value.into()));
                }
                opcodes::BININT2 => {
                    let bytes = self.take_array()?;
                    self.stack.push(Value::Int(u16::from_le_bytes(bytes).into()));
                }
                opcodes::LONG1 => {
                    let value = self.take_long()?;
                    self.stack.push(Value::Int(value));
                }
                opcodes::BINFLOAT => {
                    self.take_array::<8>()?;
                    self.stack.push(Value::Float);
                }
                opcodes::BINUNICODE => {
                    let length = self.take_u32()?;
                    let text = self.take_text(length)?;
                    self.stack.push(Value::Text(text));
                }
                opcodes::SHORT_BINUNICODE => {
                    let [length] = self.take_array()?;
                    let text = self.take_text(length.into())?;
                    self.stack.push(Value::Text(text));
                }
                opcodes::EMPTY_TUPLE => self.push_tuple(Vec::new()),
                opcodes::TUPLE1 => self.tuple_of(1)?,
                opcodes::TUPLE2 => self.tuple_of(2)?,
                opcodes::TUPLE3 => self.tuple_of(3)?,
                opcodes::TUPLE => {
                    let items = self.pop_to_mark()?;
                    self.push_tuple(items);
                }
                opcodes::EMPTY_LIST => {
                    // No tensor is in a list: what a list holds is read and dropped.
                    self.stack.push(Value::List);
                }
                opcodes::APPEND => {
                    self.pop()?;
                    self.expect_list()?;
                }
                opcodes::APPENDS => {
                    self.pop_to_mark()?;
                    self.expect_list()?;
                }
                opcodes::EMPTY_DICT => self.push_dict(),
                opcodes::SETITEM => {
                    let value = self.pop()?;
                    let key = self.pop()?;
                    self.top_dict()?.push((key, value));
                }
                opcodes::SETITEMS => {
                    let items = self.pop_to_mark()?;
                    let (pairs, odd) = items.as_chunks::<2>();
                    if !odd.is_empty() {
                        return Err("a key without a value".into());
                    }
                    self.top_dict()?.extend(pairs.iter().map(|[key, value]| (*key, *value)));
                }
                opcodes::BINPUT => {
                    let [slot] = self.take_array()?;
                    self.remember(slot.into())?;
                }
                opcodes::LONG_BINPUT => {
                    let slot = self.take_u32()?;
                    self.remember(slot)?;
                }
                opcodes::MEMOIZE => {
                    let slot = u32::try_from(self.memo.len()).map_err(|_| "too many memo entries")?;
                    self.remember(slot)?;
                }
                opcodes::BINGET => {
                    let [slot] = self.take_array()?;
                    self.recall(slot.into())?;
                }
                opcodes::LONG_BINGET => {
                    let slot = self.take_u32()?;
                    self.recall(slot)?;
                }
                opcodes::GLOBAL => {
                    let module = self.take_line()?;
                    let name = self.take_line()?;
                    self.push_global(module, name)?;
                }
                opcodes::STACK_GLOBAL => {
                    let (name, module) = (self.pop()?, self.pop()?);
                    let (Value::Text(module), Value::Text(name)) = (module, name) else {
                        return Err("a class or function whose name is no string".into());
                    };
                    self.push_global(module, name)?;
                }
                opcodes::BINPERSID => {
                    let id = self.pop()?;
                    let storage = self.storage(id)?;
                    self.stack.push(Value::Storage(storage));
                }
                opcodes::REDUCE => {
                    let arguments = self.pop()?;
                    let callable = self.pop()?;
                    self.call(callable, arguments)?;
                }
                opcodes::BUILD => {
                    // An OrderedDict's attributes: torch keeps the modules' versions there.
                    let state = self.pop()?;
                    match (self.stack.last(), state) {
                        (Some(Value::Dict(_)), Value::Dict(_)) => {}
                        (target, _) => {
                            return Err(format!(
                                "it sets the attributes of {}, which is not allowed",
                                target.map_or("nothing", Value::kind)
                            ));
                        }
                    }
                }
                refused => return Err(format!("it holds the instruction {}, which is not allowed", opcodes::name(refused))),
            }
        }
        Err(format!("it has more than {MAX_INSTRUCTIONS} instructions"))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or("it breaks off")?;
        self.rest = rest;
        Ok(taken)
    }

    fn take_array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], String> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or("it breaks off")?;
        self.rest = rest;
        Ok(*taken)
    }

    fn take_u32(&mut self) -> Result<u32, String> {
        Ok(u32::from_le_bytes(self.take_array()?))
    }

    fn take_text(&mut self, length: u32) -> Result<&'a str, String> {
        let length = usize::try_from(length).map_err(|_| "a string is too long")?;
        std::str::from_utf8(self.take(length)?).map_err(|_| "a string is no UTF-8".into())
    }

    fn take_line(&mut self) -> Result<&'a str, String> {
        let length = self.rest.iter().position(|byte| *byte == b'\n').ok_or("it breaks off")?;
        let line = self.take(length)?;
        self.take_array::<1>()?;
        std::str::from_utf8(line).map_err(|_| "a name is no UTF-8".into())
    }

    /// A little-endian two's complement number of at most eight bytes.
    fn take_long(&mut self) -> Result<i64, String> {
        let [length] = self.take_array()?;
        let bytes = self.take(length.into())?;
        let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut wide = if negative { [0xff; 8] } else { [0; 8] };
        wide.get_mut(..bytes.len()).ok_or("a number has more than 64 bits")?.copy_from_slice(bytes);
        Ok(i64::from_le_bytes(wide))
    }

    fn pop(&mut self) -> Result<Value<'a>, String> {
        // What lies below a mark belongs to whoever set it.
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() <= floor {
            return Err("an instruction finds nothing on the stack".into());
        }
        self.stack.pop().ok_or_else(|| "an instruction finds nothing on the stack".into())
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Value<'a>>, String> {
        let mark = self.marks.pop().ok_or("an instruction finds no mark on the stack")?;
        if mark > self.stack.len() {
            return Err("an instruction finds no mark on the stack".into());
        }
        Ok(self.stack.split_off(mark))
    }

    fn tuple_of(&mut self, length: usize) -> Result<(), String> {
        let mut items = Vec::with_capacity(length);
        for _ in 0..length {
            items.push(self.pop()?);
        }
        items.reverse();
        self.push_tuple(items);
        Ok(())
    }

    fn push_tuple(&mut self, items: Vec<Value<'a>>) {
        self.stack.push(Value::Tuple(self.tuples.len()));
        self.tuples.push(items);
    }

    fn push_dict(&mut self) {
        self.stack.push(Value::Dict(self.dicts.len()));
        self.dicts.push(Vec::new());
    }

    fn expect_list(&self) -> Result<(), String> {
        match self.stack.last() {
            Some(Value::List) => Ok(()),
            other => Err(format!("it appends to {}", other.map_or("nothing", Value::kind))),
        }
    }

    fn top_dict(&mut self) -> Result<&mut Vec<(Value<'a>, Value<'a>)>, String> {
        let found = match self.stack.last() {
            Some(Value::Dict(dict)) => self.dicts.get_mut(*dict),
            _ => None,
        };
        found.ok_or_else(|| "it sets an item of what is no dictionary".into())
    }

    fn remember(&mut self, slot: u32) -> Result<(), String> {
        let value = *self.stack.last().ok_or("an instruction finds nothing on the stack")?;
        self.memo.insert(slot, value);
        Ok(())
    }

    fn recall(&mut self, slot: u32) -> Result<(), String> {
        let value = *self.memo.get(&slot).ok_or_else(|| format!("memo entry {slot} was never set"))?;
        self.stack.push(value);
        Ok(())
    }

    fn push_global(&mut self, module: &str, name: &str) -> Result<(), String> {
        match Global::find(module, name) {
            Some(global) => {
                self.stack.push(Value::Global(global));
                Ok(())
            }
            None => Err(format!("it refers to {}.{}, which is not allowed", shown(module), shown(name))),
        }
    }

    fn tuple(&self, value: Value<'a>) -> Option<&[Value<'a>]> {
        let Value::Tuple(tuple) = value else { return None };
        self.tuples.get(tuple).map(Vec::as_slice)
    }

    /// ("storage", type, key, location, element count), as torch.save writes it.
    fn storage(&self, id: Value<'a>) -> Result<Storage<'a>, String> {
        match self.tuple(id) {
            Some(
                [Value::Text("storage"), Value::Global(Global::StorageOf(element)), Value::Text(key), Value::Text(_), Value::Int(count)],
            ) => Ok(Storage { key, element: *element, count: size(*count)? }),
            _ => Err("it refers to something outside it that is no storage".into()),
        }
    }

    fn call(&mut self, callable: Value<'a>, arguments: Value<'a>) -> Result<(), String> {
        let Value::Global(global) = callable else { return Err(format!("it calls {}, which is not allowed", callable.kind())) };
        let Some(arguments) = self.tuple(arguments) else { return Err("it calls something without a tuple of arguments".into()) };
        match (global, arguments) {
            (Global::OrderedDict, []) => {
                self.push_dict();
                Ok(())
            }
            (
                Global::RebuildTensor,
                [Value::Storage(storage), Value::Int(offset), shape, strides, Value::Bool, Value::Dict(_)]
                | [Value::Storage(storage), Value::Int(offset), shape, strides, Value::Bool, Value::Dict(_), Value::None | Value::Dict(_)],
            ) => {
                let view =
                    TensorView { storage: *storage, offset: size(*offset)?, shape: self.sizes(*shape)?, strides: self.sizes(*strides)? };
                self.stack.push(Value::Tensor(self.tensors.len()));
                self.tensors.push(view);
                Ok(())
            }
            (Global::RebuildParameter, [tensor @ Value::Tensor(_), Value::Bool, Value::Dict(_)]) => {
                let tensor = *tensor;
                self.stack.push(tensor);
                Ok(())
            }
            (Global::StorageOf(_), _) => Err("it calls a storage type, which is not allowed".into()),
            (Global::OrderedDict | Global::RebuildTensor | Global::RebuildParameter, _) => {
                Err(format!("it calls {global:?} with arguments that torch.save does not write"))
            }
        }
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

    /// The tensors of the dictionary that the pickle came to.
    fn tensors_of(&self, result: Value<'a>) -> Result<Vec<(&'a str, TensorView<'a>)>, String> {
        let entries = |value| if let Value::Dict(dict) = value { self.dicts.get(dict) } else { None };
        let top = entries(result).ok_or_else(|| format!("the pickle holds {}, not a dictionary of tensors", result.kind()))?;
        let wrapped = top.iter().find_map(|(key, value)| if matches!(key, Value::Text("state_dict")) { entries(*value) } else { None });
        let tensors = wrapped.unwrap_or(top).iter().filter_map(|(key, value)| match (key, value) {
            (Value::Text(name), Value::Tensor(tensor)) => Some((*name, self.tensors.get(*tensor)?.clone())),
            _ => None,
        });
        Ok(tensors.collect())
    }
}

fn size(value: i64) -> Result<usize, String> {
    usize::try_from(value).map_err(|_| format!("a size or offset is {value}"))
}

/// A name from the file, safe to print.
fn shown(name: &str) -> String {
    name.chars().take(80).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::weights::strided::Element;

    /// The instructions before and after the arguments of a tensor of two f32 at offset 1, in protocol 2 as torch writes it.
    const TENSOR: &[u8] = b"\x80\x02}X\x01\0\0\0actorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n\
        X\x01\0\0\x000X\x03\0\0\0cpuK\x03tQK\x01K\x02\x85K\x01\x85\x89ccollections\nOrderedDict\n)RtRs.";

    fn refusal(pickle: &[u8]) -> String {
        state_dict(pickle).unwrap_err()
    }

    #[test]
    fn a_tensor_is_described() {
        let storage = Storage { key: "0", element: Element::F32, count: 3 };
        let view = TensorView { storage, offset: 1, shape: vec![2], strides: vec![1] };
        assert_eq!(state_dict(TENSOR).unwrap(), [("a", view)]);
    }

    #[test]
    fn what_is_outside_the_language_is_named() {
        let call = refusal(b"\x80\x02cos\nsystem\nX\x02\0\0\0ls\x85R.");
        assert_eq!(call, "it refers to os.system, which is not allowed (byte 2 of the pickle); nothing was run");
        assert!(refusal(b"\x80\x04\x8c\x02os\x8c\x06system\x93.").starts_with("it refers to os.system, which is not allowed (byte 14"));
        assert!(refusal(b"\x80\x02ctorch.storage\n_load_from_bytes\n.").contains("torch.storage._load_from_bytes"));
        assert!(refusal(b"\x80\x02(i__main__\nEvil\n.").contains("the instruction INST"));
        assert!(refusal(b"\x80\x02}\x81.").contains("the instruction NEWOBJ"));
        assert!(refusal(b"\x80\x02}\xff.").contains("the instruction 0xff"));
        assert!(refusal(b"\x80\x02ctorch\nFloatStorage\n)R.").contains("it calls a storage type"));
        assert!(refusal(b"\x80\x02X\x01\0\0\0a)R.").contains("it calls a string, which is not allowed"));
        assert!(refusal(b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n)R.").contains("arguments that torch.save does not write"));
        assert!(refusal(b"\x80\x02X\x01\0\0\0a}b.").contains("sets the attributes of a string"));
        assert!(refusal(b"\x80\x01}.").contains("protocol 1"));
        assert!(refusal(b"\x80\x02].").contains("holds a list, not a dictionary"));
        assert!(refusal(b"\x80\x02cbad\x1b[31m\nname\n.").contains("bad\\u{1b}[31m.name"));
        assert!(refusal(b"").contains("it breaks off"));
    }

    #[test]
    fn made_up_pickles_are_bounded() {
        let refused = |repeated: &[u8]| refusal(&[b"\x80\x02", repeated.repeat(2_000_000).as_slice()].concat());
        for repeated in [&b"("[..], b")", b"}", b"]", b"N", b")\x85", b"(t"] {
            assert!(refused(repeated).contains("more than 1000000 instructions"));
        }
        // A tuple that holds itself, by way of the memo, is only an index.
        assert!(refusal(b"\x80\x02(Kxq\0h\0tq\0h\0h\0\x86.").contains("holds a tuple"));
        for cut in 0..TENSOR.len() - 1 {
            assert!(state_dict(&TENSOR[..cut]).is_err());
        }
        let many = TENSOR.to_vec().iter().copied().flat_map(|byte| if byte == 0x85 { vec![0x86] } else { vec![byte] }).collect::<Vec<_>>();
        assert!(state_dict(&many).is_err());
    }
}
