//! A reader for the pickle inside a torch file that cannot execute anything.
//!
//! A pickle is a program for a stack machine whose instructions may import and call anything. This machine runs the instructions but does
//! neither: a name is just a name, a "call" of one of torch's few functions that rebuild a tensor fills in a description, and any other
//! call or object becomes an opaque container, so that additional data of training scripts is skipped. A name that only serves to do harm
//! ([`super::dangerous`]) is an error, as is a malformed pickle; the message states the name and its position.
//!
//! This module must not depend on files or candle, nor on the objects that torch builds from the values (see [`super::pickle_tensors`]).
//! Invariants: every instruction takes constant time and memory for each byte that it reads, and the number of instructions is bounded;
//! containers live in arenas and refer to each other by index, so no nesting can exhaust the stack. Reference: CPython's
//! `Lib/pickletools.py`.

use std::collections::HashMap;

use super::{
    dangerous::is_dangerous,
    opcodes,
    pickle_values::{Dict, Global, Storage, TensorView, Value},
};

/// The longest accepted pickle; a full-size UNet's has a hundred thousand bytes.
pub(super) const MAX_BYTES: usize = 64 << 20;

/// The most instructions that are run; a full-size UNet's pickle has about thirty thousand. Each adds at most one value, so this bounds the
/// machine's memory to some hundred megabytes even for a malicious pickle.
pub(super) const MAX_INSTRUCTIONS: usize = 1_000_000;

/// The longest name of a tensor, a class or a function, in bytes. A pickle can refer to the same string repeatedly, and names are copied.
pub(super) const MAX_NAME: usize = 512;

/// The result of reading a pickle.
#[derive(Debug)]
pub(super) struct ParsedPickle<'a> {
    /// The pickle's length in bytes.
    pub(super) length: usize,
    pub(super) result: Value<'a>,
    pub(super) values: Values<'a>,
}

/// The containers that values refer to.
#[derive(Debug, Default)]
pub(super) struct Values<'a> {
    pub(super) tuples: Vec<Vec<Value<'a>>>,
    pub(super) lists: Vec<Vec<Value<'a>>>,
    pub(super) dicts: Vec<Dict<'a>>,
    /// Every referenced storage.
    pub(super) storages: Vec<Storage<'a>>,
    pub(super) tensors: Vec<TensorView<'a>>,
}

/// Reads the pickle at the start of `bytes`.
///
/// # Errors
/// A message about the unsupported part, with its position in bytes but without the file's name.
pub(super) fn read(bytes: &[u8]) -> Result<ParsedPickle<'_>, String> {
    let bytes = bytes.get(..MAX_BYTES).unwrap_or(bytes);
    let mut machine = Machine {
        rest: bytes,
        length: bytes.len(),
        left: MAX_INSTRUCTIONS,
        at: 0,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        values: Values::default(),
    };
    let result = machine.run().map_err(|reason| format!("{reason} (byte {} of the pickle); nothing was run", machine.at))?;
    Ok(ParsedPickle { length: bytes.len() - machine.rest.len(), result, values: machine.values })
}

struct Machine<'a> {
    rest: &'a [u8],
    length: usize,
    /// Position of the current instruction.
    at: usize,
    /// Remaining number of instructions.
    left: usize,
    stack: Vec<Value<'a>>,
    marks: Vec<usize>,
    memo: HashMap<u32, Value<'a>>,
    values: Values<'a>,
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Result<Value<'a>, String> {
        loop {
            self.at = self.length - self.rest.len();
            self.spend(1)?;
            let [opcode] = self.take_array()?;
            match opcode {
                opcodes::STOP => return self.pop(),
                opcodes::PROTO => {
                    let [version] = self.take_array()?;
                    if !(2..=5).contains(&version) {
                        return Err(format!("pickle protocol {version} is not supported"));
                    }
                }
                opcodes::FRAME => {
                    self.take_array::<8>()?;
                }
                opcodes::MARK => self.marks.push(self.stack.len()),
                opcodes::POP => {
                    // As in Python, this removes a mark if one is on top.
                    if self.marks.last() == Some(&self.stack.len()) {
                        self.marks.pop();
                    } else {
                        self.pop()?;
                    }
                }
                opcodes::POP_MARK => {
                    self.pop_to_mark()?;
                }
                opcodes::DUP => {
                    let value = *self.top()?;
                    self.stack.push(value);
                }
                opcodes::PUT | opcodes::BINPUT | opcodes::LONG_BINPUT | opcodes::MEMOIZE => {
                    let slot = self.take_slot(opcode)?;
                    let value = *self.top()?;
                    self.memo.insert(slot, value);
                }
                opcodes::GET | opcodes::BINGET | opcodes::LONG_BINGET => {
                    let slot = self.take_slot(opcode)?;
                    let value = *self.memo.get(&slot).ok_or_else(|| format!("memo entry {slot} was never set"))?;
                    self.stack.push(value);
                }
                opcodes::GLOBAL => {
                    let (module, name) = (self.take_line()?, self.take_line()?);
                    let global = self.global(module, name)?;
                    self.stack.push(Value::Global(global));
                }
                opcodes::STACK_GLOBAL => {
                    let (name, module) = (self.pop()?, self.pop()?);
                    let (Value::Text(module), Value::Text(name)) = (module, name) else {
                        return Err("a class or function whose name is no string".into());
                    };
                    let global = self.global(module, name)?;
                    self.stack.push(Value::Global(global));
                }
                opcodes::BINPERSID => {
                    let id = self.pop()?;
                    let storage = self.values.storage(id)?;
                    self.stack.push(storage);
                }
                opcodes::REDUCE | opcodes::NEWOBJ => {
                    let arguments = self.pop()?;
                    let callable = self.pop()?;
                    self.call(callable, arguments)?;
                }
                opcodes::NEWOBJ_EX => {
                    let (_keywords, arguments) = (self.pop()?, self.pop()?);
                    let class = self.pop()?;
                    self.call(class, arguments)?;
                }
                opcodes::INST => {
                    let (module, name) = (self.take_line()?, self.take_line()?);
                    let global = self.global(module, name)?;
                    let arguments = self.pop_to_mark()?;
                    self.push_tuple(arguments);
                    let arguments = self.pop()?;
                    self.call(Value::Global(global), arguments)?;
                }
                opcodes::OBJ => {
                    let mut arguments = self.pop_to_mark()?.into_iter();
                    let class = arguments.next().ok_or("an object without a class")?;
                    self.push_tuple(arguments.collect());
                    let arguments = self.pop()?;
                    self.call(class, arguments)?;
                }
                opcodes::BUILD => {
                    // Attributes: torch stores the modules' versions there, other programs their settings.
                    self.pop()?;
                    match self.top()? {
                        Value::Tuple(_) | Value::List(_) | Value::Dict(_) | Value::Tensor(_) | Value::Other(_) => {}
                        target @ (Value::None | Value::Bool(_) | Value::Int(_) | Value::Text(_) | Value::Global(_) | Value::Storage(_)) => {
                            return Err(format!("it sets the attributes of {}, which is not allowed", target.kind()));
                        }
                    }
                }
                opcodes::EMPTY_TUPLE => self.push_tuple(Vec::new()),
                opcodes::TUPLE1 => self.tuple_of(1)?,
                opcodes::TUPLE2 => self.tuple_of(2)?,
                opcodes::TUPLE3 => self.tuple_of(3)?,
                opcodes::TUPLE => {
                    let items = self.pop_to_mark()?;
                    self.push_tuple(items);
                }
                opcodes::EMPTY_LIST => self.push_list(Vec::new()),
                opcodes::LIST => {
                    let items = self.pop_to_mark()?;
                    self.push_list(items);
                }
                opcodes::APPEND => {
                    let item = self.pop()?;
                    self.append(vec![item])?;
                }
                opcodes::APPENDS | opcodes::ADDITEMS => {
                    let items = self.pop_to_mark()?;
                    self.append(items)?;
                }
                opcodes::EMPTY_DICT => self.push_dict(Dict::default()),
                opcodes::DICT => {
                    let items = self.pop_to_mark()?;
                    self.push_dict(Dict { class: None, items: pairs(&items)? });
                }
                opcodes::SETITEM => {
                    let value = self.pop()?;
                    let key = self.pop()?;
                    self.top_dict()?.push((key, value));
                }
                opcodes::SETITEMS => {
                    let items = self.pop_to_mark()?;
                    let pairs = pairs(&items)?;
                    self.top_dict()?.extend(pairs);
                }
                opcodes::EMPTY_SET => self.stack.push(Value::Other("a set")),
                opcodes::FROZENSET => {
                    self.pop_to_mark()?;
                    self.stack.push(Value::Other("a set"));
                }
                scalar => {
                    let value = self.take_scalar(scalar)?;
                    self.stack.push(value);
                }
            }
        }
    }

    /// Reads the value of an instruction that contains it.
    fn take_scalar(&mut self, opcode: u8) -> Result<Value<'a>, String> {
        Ok(match opcode {
            opcodes::NONE => Value::None,
            opcodes::NEWTRUE => Value::Bool(true),
            opcodes::NEWFALSE => Value::Bool(false),
            opcodes::BININT => Value::Int(i32::from_le_bytes(self.take_array()?).into()),
            opcodes::BININT1 => Value::Int(u8::from_le_bytes(self.take_array()?).into()),
            opcodes::BININT2 => Value::Int(u16::from_le_bytes(self.take_array()?).into()),
            opcodes::LONG1 => {
                let [length] = self.take_array()?;
                long(self.take(length.into())?)
            }
            opcodes::LONG4 => {
                let length = self.take_length::<4>()?;
                long(self.take(length)?)
            }
            opcodes::INT | opcodes::LONG => match self.take_line()? {
                // Python 2 had no opcodes for these.
                "00" => Value::Bool(false),
                "01" => Value::Bool(true),
                digits => digits.trim_end_matches('L').parse().map_or(Value::Other("a number"), Value::Int),
            },
            opcodes::FLOAT => {
                self.take_line()?;
                Value::Other("a float")
            }
            opcodes::BINFLOAT => {
                self.take_array::<8>()?;
                Value::Other("a float")
            }
            opcodes::BINUNICODE => self.take_text::<4>()?,
            opcodes::SHORT_BINUNICODE => self.take_text::<1>()?,
            opcodes::BINUNICODE8 => self.take_text::<8>()?,
            opcodes::UNICODE => Value::Text(self.take_line()?),
            // Python 2's strings are text or bytes, without a distinction.
            opcodes::SHORT_BINSTRING => self.take_bytes::<1>().map(text_or_bytes)?,
            opcodes::BINSTRING => self.take_bytes::<4>().map(text_or_bytes)?,
            opcodes::STRING => {
                let line = self.take_line()?;
                let quoted = ['\'', '"'].into_iter().find_map(|quote| line.strip_prefix(quote)?.strip_suffix(quote));
                Value::Text(quoted.ok_or("a string without quotes")?)
            }
            opcodes::SHORT_BINBYTES => self.take_bytes::<1>().map(|_| Value::Other("bytes"))?,
            opcodes::BINBYTES => self.take_bytes::<4>().map(|_| Value::Other("bytes"))?,
            opcodes::BINBYTES8 | opcodes::BYTEARRAY8 => self.take_bytes::<8>().map(|_| Value::Other("bytes"))?,
            refused => return Err(format!("it holds the instruction {}, which is not allowed", opcodes::name(refused))),
        })
    }

    /// Deducts from the remaining number of instructions.
    fn spend(&mut self, instructions: usize) -> Result<(), String> {
        self.left = self.left.checked_sub(instructions).ok_or_else(|| format!("it has more than {MAX_INSTRUCTIONS} instructions"))?;
        Ok(())
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or("it is truncated")?;
        self.rest = rest;
        Ok(bytes)
    }

    fn take_array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], String> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or("it is truncated")?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// Reads a length of `BYTES` bytes.
    fn take_length<const BYTES: usize>(&mut self) -> Result<usize, String> {
        let mut wide = [0; 8];
        for (to, from) in wide.iter_mut().zip(self.take_array::<BYTES>()?) {
            *to = from;
        }
        usize::try_from(u64::from_le_bytes(wide)).map_err(|_| "a string is too long".into())
    }

    /// Reads bytes after their length, which itself has `BYTES` bytes.
    fn take_bytes<const BYTES: usize>(&mut self) -> Result<&'a [u8], String> {
        let length = self.take_length::<BYTES>()?;
        self.take(length)
    }

    fn take_text<const BYTES: usize>(&mut self) -> Result<Value<'a>, String> {
        std::str::from_utf8(self.take_bytes::<BYTES>()?).map(Value::Text).map_err(|_| "a string is no UTF-8".into())
    }

    fn take_line(&mut self) -> Result<&'a str, String> {
        let length = self.rest.iter().position(|byte| *byte == b'\n').ok_or("it is truncated")?;
        let line = self.take(length)?;
        self.take_array::<1>()?;
        std::str::from_utf8(line).map_err(|_| "a name is no UTF-8".into())
    }

    /// Reads the memo slot of an instruction.
    fn take_slot(&mut self, opcode: u8) -> Result<u32, String> {
        match opcode {
            opcodes::BINPUT | opcodes::BINGET => self.take_array().map(|[slot]| slot.into()),
            opcodes::PUT | opcodes::GET => self.take_line()?.parse().map_err(|_| "a memo entry is no number".into()),
            opcodes::MEMOIZE => u32::try_from(self.memo.len()).map_err(|_| "too many memo entries".into()),
            _ => self.take_array().map(u32::from_le_bytes),
        }
    }

    fn top(&self) -> Result<&Value<'a>, String> {
        self.stack.last().ok_or_else(|| "an instruction finds nothing on the stack".into())
    }

    fn pop(&mut self) -> Result<Value<'a>, String> {
        // Values below a mark belong to the instruction that set it.
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
        self.stack.push(Value::Tuple(self.values.tuples.len()));
        self.values.tuples.push(items);
    }

    fn push_list(&mut self, items: Vec<Value<'a>>) {
        self.stack.push(Value::List(self.values.lists.len()));
        self.values.lists.push(items);
    }

    fn push_dict(&mut self, dict: Dict<'a>) {
        self.stack.push(Value::Dict(self.values.dicts.len()));
        self.values.dicts.push(dict);
    }

    /// Appends to the list on top; items for a set or an object are dropped.
    fn append(&mut self, items: Vec<Value<'a>>) -> Result<(), String> {
        match self.stack.last() {
            Some(Value::List(list)) => {
                self.values.lists.get_mut(*list).ok_or("it appends to no list")?.extend(items);
                Ok(())
            }
            Some(Value::Dict(_) | Value::Other(_)) => Ok(()),
            other => Err(format!("it appends to {}", other.map_or("nothing", Value::kind))),
        }
    }

    fn top_dict(&mut self) -> Result<&mut Vec<(Value<'a>, Value<'a>)>, String> {
        let found = match self.stack.last() {
            Some(Value::Dict(dict)) => self.values.dicts.get_mut(*dict),
            _ => None,
        };
        found.map(|dict| &mut dict.items).ok_or_else(|| "it sets an item of what is no dictionary".into())
    }

    fn global(&self, module: &'a str, name: &'a str) -> Result<Global<'a>, String> {
        if module.len() + name.len() > MAX_NAME {
            return Err(format!("it refers to {}.{}, a name of more than {MAX_NAME} bytes", shown(module), shown(name)));
        }
        if is_dangerous(module, name) {
            return Err(format!("it refers to {}.{}, which is not allowed", shown(module), shown(name)));
        }
        Ok(Global::find(module, name))
    }

    /// Pushes the result of a call: a tensor if it rebuilds one, else an object, with the items of a dictionary's class.
    fn call(&mut self, callable: Value<'a>, arguments: Value<'a>) -> Result<(), String> {
        let Value::Global(global) = callable else { return Err(format!("it calls {}, which is not allowed", callable.kind())) };
        let Value::Tuple(tuple) = arguments else { return Err("it calls something without a tuple of arguments".into()) };
        let value = if let Global::Other { module, name } = global {
            // The arguments are scanned at every call, whether they are pairs or not.
            self.spend(self.values.list_given(tuple).map_or(0, <[_]>::len))?;
            let items = self.values.items_given(tuple).unwrap_or_default();
            self.values.dicts.push(Dict { class: Some((module, name)), items });
            Value::Dict(self.values.dicts.len() - 1)
        } else {
            self.values.rebuild(global, tuple)?
        };
        self.stack.push(value);
        Ok(())
    }
}

/// Pairs alternating keys and values.
fn pairs<'a>(items: &[Value<'a>]) -> Result<Vec<(Value<'a>, Value<'a>)>, String> {
    let (pairs, odd) = items.as_chunks::<2>();
    if odd.is_empty() { Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect()) } else { Err("a key without a value".into()) }
}

/// A little-endian two's complement number.
fn long<'a>(bytes: &[u8]) -> Value<'a> {
    let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let mut wide = if negative { [0xff; 8] } else { [0; 8] };
    match wide.get_mut(..bytes.len()) {
        Some(low) => {
            low.copy_from_slice(bytes);
            Value::Int(i64::from_le_bytes(wide))
        }
        None => Value::Other("a number beyond 64 bits"),
    }
}

fn text_or_bytes(bytes: &[u8]) -> Value<'_> {
    std::str::from_utf8(bytes).map_or(Value::Other("bytes"), Value::Text)
}

/// A name from the file, escaped and shortened for messages.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(80).flat_map(char::escape_debug).collect()
}
