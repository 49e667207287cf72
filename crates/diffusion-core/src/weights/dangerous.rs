//! Names that no model's file needs: they lead to code execution, file access or network connections when Python loads the pickle.
//!
//! Nothing is ever called here, so no name can do harm. A file that mentions one of these is refused nevertheless, because it was made to
//! do harm elsewhere, and its owner should know. This module must not depend on pickle instructions. Reference: the lists of the scanners
//! picklescan and fickling, and torch's own `torch/_weights_only_unpickler.py`.

/// Modules that are dangerous as a whole, including their submodules.
const MODULES: &[&str] = &[
    "_ctypes",
    "_imp",
    "_io",
    "_pickle",
    "_posixsubprocess",
    "_socket",
    "_winreg",
    "aiohttp",
    "antigravity",
    "asyncio",
    "bdb",
    "cPickle",
    "cProfile",
    "cffi",
    "cloudpickle",
    "code",
    "codeop",
    "commands",
    "ctypes",
    "dill",
    "distutils",
    "doctest",
    "ensurepip",
    "ftplib",
    "http",
    "httplib",
    "httpx",
    "idlelib",
    "imaplib",
    "imp",
    "importlib",
    "lib2to3",
    "marshal",
    "multiprocessing",
    "nt",
    "os",
    "pdb",
    "pexpect",
    "pickle",
    "pip",
    "platform",
    "popen2",
    "posix",
    "profile",
    "pty",
    "pydoc",
    "requests",
    "runpy",
    "shelve",
    "shutil",
    "signal",
    "smtplib",
    "socket",
    "ssl",
    "subprocess",
    "sys",
    "telnetlib",
    "timeit",
    "trace",
    "urllib",
    "venv",
    "webbrowser",
];

/// Dangerous names in modules that also have harmless ones.
const NAMES: &[(&str, &[&str])] = &[
    ("builtins", BUILTINS),
    ("__builtin__", BUILTINS),
    ("__builtins__", BUILTINS),
    ("io", &["open", "open_code", "FileIO"]),
    ("operator", &["attrgetter", "methodcaller", "call"]),
    ("_operator", &["attrgetter", "methodcaller", "call"]),
    ("types", &["CodeType", "FunctionType", "LambdaType", "MethodType", "ModuleType"]),
    ("numpy", &["load", "fromfile", "memmap"]),
    ("pandas", &["read_pickle", "eval"]),
    ("torch", &["load", "hub", "jit", "package"]),
    ("torch.serialization", &["load"]),
    // A torch file inside a string of the pickle.
    ("torch.storage", &["_load_from_bytes"]),
];

const BUILTINS: &[&str] = &[
    "__import__",
    "apply",
    "breakpoint",
    "compile",
    "delattr",
    "eval",
    "exec",
    "execfile",
    "file",
    "getattr",
    "globals",
    "input",
    "locals",
    "open",
    "raw_input",
    "setattr",
    "vars",
];

/// Dangerous packages of modules that also have harmless names.
const PACKAGES: &[&str] = &[
    "numpy.distutils",
    "numpy.f2py",
    "numpy.testing",
    "torch._dynamo",
    "torch.hub",
    "torch.jit",
    "torch.package",
    "torch.utils.cpp_extension",
];

/// Whether a file that names this is refused.
pub(super) fn is_dangerous(module: &str, name: &str) -> bool {
    let top = module.split('.').next().unwrap_or_default();
    let below = |package: &str| module.strip_prefix(package).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let first = name.split('.').next().unwrap_or_default();
    // A dotted name walks through attributes, and most modules have imported a dangerous one: `torch.serialization` has `os.system`.
    let leads_there = name.contains('.') && name.split('.').any(|part| MODULES.contains(&part) || BUILTINS.contains(&part));
    MODULES.contains(&top)
        || PACKAGES.iter().any(|package| below(package))
        || NAMES.iter().any(|(of, names)| *of == module && names.contains(&first))
        || leads_there
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_do_harm_in_python_are_dangerous_and_data_is_not() {
        for (module, name) in [
            ("os", "system"),
            ("posix", "system"),
            ("nt", "system"),
            ("os.path", "join"),
            ("subprocess", "Popen"),
            ("builtins", "eval"),
            ("__builtin__", "execfile"),
            ("builtins", "getattr"),
            ("builtins", "exec.__call__"),
            ("importlib", "import_module"),
            ("torch.serialization", "os.system"),
            ("collections", "abc.sys.modules"),
            ("torch.hub", "load"),
            ("torch", "load"),
            ("torch.utils.cpp_extension", "load_inline"),
            ("torch.storage", "_load_from_bytes"),
            ("operator", "attrgetter"),
            ("types", "CodeType"),
            ("numpy.testing._private.utils", "runstring"),
            ("runpy", "_run_code"),
            ("urllib.request", "urlopen"),
        ] {
            assert!(is_dangerous(module, name), "{module}.{name}");
        }
        for (module, name) in [
            ("torch", "Size"),
            ("torch", "device"),
            ("torch", "float16"),
            ("torch._utils", "_rebuild_qtensor"),
            ("torch.nn.modules.linear", "Linear"),
            ("collections", "defaultdict"),
            ("builtins", "set"),
            ("__builtin__", "long"),
            ("numpy", "dtype"),
            ("numpy.core.multiarray", "scalar"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("argparse", "Namespace"),
            ("pathlib", "PosixPath"),
            ("types", "SimpleNamespace"),
            ("functools", "partial"),
            ("_codecs", "encode"),
            ("copyreg", "_reconstructor"),
            ("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint"),
            ("pytorch_lightning.utilities.parsing", "AttributeDict"),
            ("omegaconf.dictconfig", "DictConfig"),
            ("datetime", "datetime"),
        ] {
            assert!(!is_dangerous(module, name), "{module}.{name}");
        }
    }
}
